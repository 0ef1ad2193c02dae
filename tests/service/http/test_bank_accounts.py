"""Bank accounts of customers: their update, and their verification by micro-deposits."""

from tests.service.http.objects import account
from tests.service.http.sources import PATH, added
from tests.service.serving import Api


async def test_what_is_known_of_a_bank_account_is_changed(api: Api) -> None:
    id = (await api.customer())["id"]
    source = (await added(api, id, account()))["id"]
    path = f"{PATH}/{id}/bank_accounts/{source}"
    changed = (await api.post(path, "account_holder_name=Ada&account_holder_type=company")).json
    assert (changed["account_holder_name"], changed["account_holder_type"]) == ("Ada", "company")


async def test_a_bank_account_is_verified_by_two_amounts(api: Api) -> None:
    id = (await api.customer())["id"]
    source = (await added(api, id, account()))["id"]
    for collection, amounts in (("sources", "1&amounts[]=2"), ("bank_accounts", "32")):
        wrong = f"{PATH}/{id}/{collection}/{source}/verify"
        refusal = await api.refused("POST", wrong, f"amounts[]={amounts}", status=402)
        assert refusal[:2] == ("bank_account_verification_failed", None)
    path = f"{PATH}/{id}/sources/{source}"
    assert (await api.refused("POST", f"{path}/verify"))[:2] == ("parameter_missing", "amounts")
    assert (await api.refused("POST", f"{path}/verify", "amounts[]=x"))[0] == "parameter_invalid_integer"
    verified = await api.post(f"{path}/verify", "amounts[0]=32&amounts[1]=45")
    assert (verified.status, verified.json["status"]) == (200, "verified")
    [event] = await api.events("customer.source.updated")
    assert event["data"] == {"object": verified.json, "previous_attributes": {"status": "new"}}
    assert (await api.refused("POST", f"{path}/verify", "amounts[0]=32&amounts[1]=45"))[1] == "amounts"
    other = (await added(api, id))["id"]
    assert (await api.refused("POST", f"{PATH}/{id}/sources/{other}/verify", "amounts[0]=32"))[1] == "id"


async def test_after_three_wrong_pairs_of_amounts_an_account_is_not_verified(api: Api) -> None:
    customer = (await api.customer("source=btok_us"))["id"]
    path = f"{PATH}/{customer}/sources"
    account = (await api.get(path)).json["data"][0]["id"]
    updates = "/v1/events?type=customer.source.updated"
    for number, status in ((1, "new"), (2, "new"), (3, "verification_failed")):
        body, key = "amounts[]=1&amounts[]=2", f"try-{number}"
        first = await api.post(f"{path}/{account}/verify", body, Idempotency_Key=key)
        assert (first.status, first.error["type"]) == (402, "card_error")
        assert (await api.post(f"{path}/{account}/verify", body, Idempotency_Key=key)).body == first.body
        assert (await api.get(f"{path}/{account}")).json["status"] == status, "a replay is no further try"
        assert len((await api.get(updates)).json["data"]) == (number == 3)
    [event] = (await api.get(updates)).json["data"]
    assert event["data"]["previous_attributes"] == {"status": "new"}
    right = await api.refused("POST", f"{path}/{account}/verify", "amounts[]=32&amounts[]=45", status=402)
    assert right[:2] == ("bank_account_verification_failed", None)


async def test_no_amounts_verify_an_account_of_live_mode(api: Api) -> None:
    key = await api.issue(livemode=True)
    id = (await api.customer(key=key))["id"]
    source = (await api.post(f"{PATH}/{id}/sources", account(), key=key)).json
    assert source["bank_name"] is None
    path = f"{PATH}/{id}/sources/{source['id']}/verify"
    code, _, _ = await api.refused("POST", path, "amounts[]=32&amounts[]=45", key=key, status=402)
    assert code == "bank_account_verification_failed"
