"""Customers' cards and bank accounts over the wire: attached, shown, changed, verified, detached, published."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
import stripe

from events.customer.source import last_day
from projections import rebuild
from service.jobs import scheduler
from tests.service.http.objects import SOON, account, card, create_token, stored_rows
from tests.service.http.python_client import Script, raw_request, run_script
from tests.service.http.subscriptions import past_due
from tests.service.serving import Answer, Api, Serve
from tests.waiting import until

PATH = "/v1/customers"
CARD_KEYS = [
    "id", "object", "address_city", "address_country", "address_line1", "address_line1_check", "address_line2",
    "address_state", "address_zip", "address_zip_check", "brand", "country", "customer", "cvc_check", "dynamic_last4",
    "exp_month", "exp_year", "fingerprint", "funding", "last4", "metadata", "name", "regulated_status",
    "tokenization_method",
]  # fmt: skip
ACCOUNT_KEYS = [
    "id", "object", "account_holder_name", "account_holder_type", "account_type", "bank_name", "country", "currency",
    "customer", "fingerprint", "last4", "metadata", "routing_number", "status",
]  # fmt: skip


async def added(api: Api, customer: str, body: str = "source=tok_visa", collection: str = "sources") -> Any:
    """A card or bank account just attached to a customer, as the API shows it."""
    answer = await api.post(f"{PATH}/{customer}/{collection}", body)
    assert answer.status == 200, answer.body
    return answer.json


async def sources(api: Api, customer: str, collection: str = "sources", query: str = "") -> list[str]:
    """The ids of what a customer has, as the list shows them."""
    return [one["id"] for one in (await api.get(f"{PATH}/{customer}/{collection}{query}")).json["data"]]


async def default(api: Api, customer: str) -> str | None:
    shown = (await api.get(f"{PATH}/{customer}")).json
    id: str | None = shown["default_source"]
    return id


@pytest.fixture
async def kept(api: Api) -> AsyncIterator[Api]:
    """One application, and beside it whoever does what is due."""
    stop = asyncio.Event()
    keeping = asyncio.create_task(scheduler.run(api.core, stop))
    yield api
    stop.set()
    await keeping


async def test_a_customer_is_created_with_a_card(api: Api) -> None:
    made = await create_token(api, card(name="Jenny", address_line1="Langstrasse 1"))
    customer = await api.customer(f"source={made['id']}")
    id = customer["default_source"]
    shown = (await api.get(f"{PATH}/{customer['id']}/sources/{id}")).json
    assert list(shown) == CARD_KEYS
    assert shown == {
        **{key: value for key, value in made["card"].items() if key != "networks"},
        "id": id,
        "customer": customer["id"],
        "address_line1_check": "pass",
        "cvc_check": "pass",
    }
    assert [event["type"] for event in await api.events()] == ["customer.created", "customer.source.created"]
    created, source = await api.events()
    assert created["data"]["object"] == customer
    assert source["data"] == {"object": shown}


@pytest.mark.parametrize("collection", ["sources", "cards", "bank_accounts"])
async def test_the_first_is_the_default_and_later_ones_are_not(api: Api, collection: str) -> None:
    id = (await api.customer())["id"]
    first = await added(api, id, "source=tok_visa", collection)
    second = await added(api, id, "source=btok_us_verified&metadata[tier]=gold", collection)
    assert list(second) == ACCOUNT_KEYS
    assert (second["status"], second["metadata"], second["customer"]) == ("verified", {"tier": "gold"}, id)
    assert second["id"].startswith("ba_")
    assert await default(api, id) == first["id"]
    updated = await api.events("customer.updated")
    assert [event["data"]["previous_attributes"] for event in updated] == [{"default_source": None}]
    assert [event["type"] for event in await api.events("customer.*")] == [
        "customer.created", "customer.updated", "customer.source.created", "customer.source.created",
    ]  # fmt: skip


async def test_all_forms_of_a_source_will_do(api: Api) -> None:
    id = (await api.customer())["id"]
    made = (await create_token(api))["id"]
    bank = (await create_token(api, account()))["id"]
    for collection in ("sources", "cards", "bank_accounts"):
        for body, object in (
            (card(prefix="source", object="card", name="Jenny"), "card"),
            (account(prefix="source", object="bank_account"), "bank_account"),
            (card(), "card"),
            (card(object="card"), "card"),
            (account(), "bank_account"),
            ("card=tok_visa", "card"),
            ("bank_account=btok_us_verified", "bank_account"),
        ):
            assert (await added(api, id, body, collection))["object"] == object
    assert (await added(api, id, f"card={made}"))["last4"] == "4242"
    assert (await added(api, id, f"bank_account={bank}"))["status"] == "new"
    merged = await added(api, id, f"{card(**{'metadata][a': '1'})}&metadata[b]=2&validate=false")
    assert merged["metadata"] == {"a": "1", "b": "2"}


async def test_an_update_makes_it_the_default_and_the_one_before_goes(api: Api) -> None:
    customer = await api.customer("source=tok_visa")
    id, first = customer["id"], customer["default_source"]
    other = (await added(api, id))["id"]
    before: str | None = first
    for body in ("source=tok_mastercard", card(), account(), card(prefix="source", object="card")):
        before = await default(api, id)
        after = (await api.update(id, body))["default_source"]
        assert await sources(api, id) == [after, other]
        assert before not in (after, other)
    assert (await api.get(f"{PATH}/{id}/sources/{first}")).status == 404
    events = await api.events("customer.*")
    assert [event["type"] for event in events][-3:] == [
        "customer.updated", "customer.source.created", "customer.source.deleted",
    ]  # fmt: skip
    assert events[-3]["data"]["previous_attributes"] == {"default_source": before}


async def test_a_new_source_asks_for_another_try_of_what_is_past_due_and_another_default_does_not(api: Api) -> None:
    id = (await api.customer("source=tok_visa"))["id"]
    await past_due(api, id, "sub_1")
    other = (await added(api, id))["id"]
    await api.update(id, f"default_source={other}")
    assert await api.events("invoice.payment_retry_requested") == []
    await api.update(id, "source=tok_mastercard")
    [event] = await api.events("invoice.payment_retry_requested")
    assert event["data"]["object"]["subscription"] == "sub_1"


async def test_another_of_the_customers_own_is_made_the_default(api: Api) -> None:
    id = (await api.customer("source=tok_visa"))["id"]
    other = (await added(api, id))["id"]
    assert (await api.update(id, f"default_source={other}"))["default_source"] == other
    before = await stored_rows(api)
    assert (await api.update(id, f"default_source={other}"))["default_source"] == other
    assert await stored_rows(api) == before, "an update that changes nothing publishes nothing"
    anothers = (await api.customer("source=tok_visa"))["default_source"]
    for body, code in (
        (f"default_source={anothers}", "resource_missing"),
        ("default_source=", "parameter_invalid_empty"),
    ):
        assert (await api.refused("POST", f"{PATH}/{id}", body))[:2] == (code, "default_source")


@pytest.mark.parametrize("collection", ["sources", "cards"])
async def test_when_the_default_is_removed_the_one_added_last_becomes_the_default(api: Api, collection: str) -> None:
    customer = await api.customer("source=tok_visa")
    id, first = customer["id"], customer["default_source"]
    second, third = [(await added(api, id))["id"] for _ in range(2)]
    answer = await api.delete(f"{PATH}/{id}/{collection}/{first}")
    assert (answer.status, answer.json) == (200, {"id": first, "object": "card", "deleted": True})
    assert await default(api, id) == third
    await api.delete(f"{PATH}/{id}/{collection}/{second}")
    assert await default(api, id) == third
    await api.delete(f"{PATH}/{id}/{collection}/{third}")
    assert (await default(api, id), await sources(api, id)) == (None, [])
    assert (await api.delete(f"{PATH}/{id}/{collection}/{third}")).status == 404
    deleted = await api.events("customer.source.deleted")
    assert [event["data"]["object"]["id"] for event in deleted] == [first, second, third]
    assert len(await api.events("customer.updated")) == 2


async def test_each_list_shows_what_is_of_its_type_newest_first(api: Api) -> None:
    id = (await api.customer())["id"]
    bodies = ("source=tok_visa", "source=btok_us", "source=tok_amex", "source=btok_us_verified")
    made = [(await added(api, id, body))["id"] for body in bodies][::-1]
    banks, visas = made[::2], made[1::2]
    assert await sources(api, id) == made
    assert await sources(api, id, "cards") == await sources(api, id, query="?object=card") == visas
    assert await sources(api, id, "bank_accounts") == await sources(api, id, query="?object=bank_account") == banks
    assert await sources(api, id, query="?object=source") == []
    page = (await api.get(f"{PATH}/{id}/cards?limit=1")).json
    assert (page["url"], page["has_more"]) == (f"{PATH}/{id}/cards", True)
    assert await sources(api, id, query=f"?starting_after={made[1]}") == made[2:]
    assert await sources(api, id, query=f"?ending_before={made[1]}") == made[:1]
    assert (await api.refused("GET", f"{PATH}/{id}/sources?object=x"))[1] == "object"
    expanded = (await api.get(f"{PATH}/{id}?expand[]=sources&expand[]=default_source")).json
    assert [one["id"] for one in expanded["sources"]["data"]] == made
    assert expanded["sources"]["url"] == f"{PATH}/{id}/sources"
    assert expanded["default_source"]["last4"] == "4242"
    own = (await api.get(f"{PATH}/{id}/sources/{made[0]}?expand[]=customer")).json["customer"]
    assert own["id"] == id


async def test_what_is_known_of_a_card_is_changed(api: Api) -> None:
    id = (await api.customer())["id"]
    source = (await added(api, id, card(name="Jenny", address_city="Bern", **{"metadata][a": "1"})))["id"]
    path = f"{PATH}/{id}/sources/{source}"
    changed = (
        await api.post(path, f"name=Ada&exp_month=1&exp_year={SOON + 3}&address_line1=Gasse 1&metadata[b]=2")
    ).json
    assert {key: changed[key] for key in ("name", "exp_month", "exp_year", "address_line1", "address_city")} == {
        "name": "Ada",
        "exp_month": 1,
        "exp_year": SOON + 3,
        "address_line1": "Gasse 1",
        "address_city": "Bern",
    }
    assert changed["metadata"] == {"a": "1", "b": "2"}
    assert (await api.get(path)).json == changed
    before = await stored_rows(api)
    assert (await api.post(path, "name=Ada")).json == changed
    assert await stored_rows(api) == before
    [event] = await api.events("customer.source.updated")
    assert event["data"]["previous_attributes"] == {
        "address_line1": None, "exp_month": 12, "exp_year": SOON, "metadata": {"b": None}, "name": "Jenny",
    }  # fmt: skip
    assert (await api.post(path, "metadata=&name=&address_city=")).json["metadata"] == {}
    assert not [one for one in await api.events("customer.updated") if "name" in one["data"]["previous_attributes"]]


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


@pytest.mark.parametrize(
    ("name", "code", "decline_code"),
    [
        ("chargeDeclined", "card_declined", "generic_decline"),
        ("visa_chargeDeclined", "card_declined", "generic_decline"),
        ("chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("chargeDeclinedLostCard", "card_declined", "lost_card"),
        ("chargeDeclinedStolenCard", "card_declined", "stolen_card"),
        ("chargeDeclinedVelocityLimitExceeded", "card_declined", "card_velocity_exceeded"),
        ("chargeDeclinedExpiredCard", "expired_card", None),
        ("chargeDeclinedIncorrectCvc", "incorrect_cvc", None),
        ("chargeDeclinedProcessingError", "processing_error", None),
    ],
)
async def test_a_card_that_is_declined_leaves_nothing_behind(
    api: Api, name: str, code: str, decline_code: str | None
) -> None:
    made = (await api.get(f"/v1/tokens/tok_{name}")).json["id"]
    customer = await api.customer("source=tok_visa")
    before = await stored_rows(api)
    for path in (PATH, f"{PATH}/{customer['id']}", f"{PATH}/{customer['id']}/sources"):
        for source in (made, f"tok_{name}"):
            answer = await api.post(path, f"source={source}")
            assert (answer.status, answer.error["type"], answer.error["code"]) == (402, "card_error", code)
            assert answer.error.get("decline_code") == decline_code
    assert await stored_rows(api) == before
    assert (await api.get(f"/v1/tokens/{made}")).json["used"] is False, "and may be tried again"


async def test_one_that_is_declined_later_attaches(api: Api) -> None:
    for body in ("source=tok_chargeCustomerFail", card("4000000000000341", prefix="source", object="card")):
        assert (await api.customer(body))["default_source"].startswith("card_")


async def test_checks_that_fail_are_shown(api: Api) -> None:
    id = (await api.customer())["id"]

    async def checks(name: str) -> list[str | None]:
        shown = await added(api, id, f"source=tok_{name}")
        return [shown[key] for key in ("cvc_check", "address_line1_check", "address_zip_check")]

    assert await checks("visa") == [None, None, None]
    assert await checks("cvcCheckFail") == ["fail", None, None]
    assert await checks("avsFail") == [None, "fail", "fail"]
    assert await checks("avsLine1Fail") == [None, "fail", "pass"]
    assert await checks("avsZipFail") == [None, "pass", "fail"]
    assert await checks("avsUnchecked") == [None, "unavailable", "unavailable"]


async def test_what_is_not_there_is_missing_by_its_name(api: Api) -> None:
    customer, other = await api.customer("source=tok_visa"), await api.customer("source=tok_visa")
    id, anothers = customer["id"], other["default_source"]
    for source, object in (("card_x", "card"), ("ba_x", "bank account"), ("x", "source"), (anothers, "card")):
        for method, end, body in (("GET", "", ""), ("POST", "", "name=x"), ("DELETE", "", ""),
                                  ("POST", "/verify", "amounts[]=1")):  # fmt: skip
            refusal = await api.refused(method, f"{PATH}/{id}/sources/{source}{end}", body, status=404)
            assert refusal == ("resource_missing", "id", f"Customer {id} does not have {object} with ID {source}")
    wrong = f"{PATH}/{id}/bank_accounts/{customer['default_source']}"
    assert "does not have bank account" in (await api.refused("GET", wrong, status=404))[2]
    for method, path in (
        ("GET", "sources"),
        ("POST", "sources"),
        ("GET", "sources/card_x"),
        ("DELETE", "cards/card_x"),
    ):
        refusal = await api.refused(method, f"{PATH}/cus_x/{path}", "source=tok_visa", status=404)
        assert refusal[:2] == ("resource_missing", "id")
    key = await api.issue(account="acct_other")
    assert (await api.refused("GET", f"{PATH}/{id}/sources", key=key, status=404))[0] == "resource_missing"


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ("source=tok_x", "resource_missing", "source"),
        ("source=card_x", "resource_missing", "source"),
        ("source=src_x", "resource_missing", "source"),
        ("source=pm_card_visa", "resource_missing", "source"),
        ("source=", "parameter_invalid_empty", "source"),
        ("source[number]=4242424242424242", None, "source"),
        ("source[object]=source", None, "source"),
        ("source[object]=card&source[exp_month]=1", "parameter_missing", "source[number]"),
        ("source[object]=card&source[foo]=1", "parameter_unknown", "source[foo]"),
        ("source[object]=bank_account", "parameter_missing", "source[account_number]"),
        ("source[]=tok_visa", None, "source"),
    ],
)
async def test_what_is_no_source_is_refused_and_leaves_nothing(
    api: Api, body: str, code: str | None, param: str
) -> None:
    id = (await api.customer())["id"]
    before = await stored_rows(api)
    for path in (PATH, f"{PATH}/{id}", f"{PATH}/{id}/sources", f"{PATH}/{id}/cards"):
        assert (await api.refused("POST", path, body))[:2] == (code, param), path
    assert await stored_rows(api) == before


async def test_one_name_for_it_at_a_time(api: Api) -> None:
    id = (await api.customer())["id"]
    for path in (f"{PATH}/{id}", f"{PATH}/{id}/sources"):
        for body, param in (
            ("source=tok_visa&card=tok_visa", "card"),
            ("bank_account=btok_us&card=tok_visa", "bank_account"),
        ):
            assert (await api.refused("POST", path, body))[:2] == ("parameters_exclusive", param)
    assert (await api.refused("POST", f"{PATH}/{id}/sources"))[:2] == ("parameter_missing", "source")
    for body in ("card=tok_visa", "bank_account=btok_us", "default_source=card_1"):
        assert (await api.refused("POST", PATH, body))[0] == "parameter_unknown"


async def test_a_month_that_is_over_is_no_expiry(api: Api) -> None:
    customer = await api.customer("source=tok_visa")
    path = f"{PATH}/{customer['id']}/sources/{customer['default_source']}"
    for body, code, param in (
        ("exp_year=1999", "invalid_expiry_year", "exp_year"),
        ("exp_month=13", "invalid_expiry_month", "exp_month"),
        ("exp_month=x", "invalid_expiry_month", "exp_month"),
    ):
        answer = await api.post(path, body)
        assert (answer.status, answer.error["type"]) == (402, "card_error")
        assert (answer.error["code"], answer.error["param"]) == (code, param)
    bank = (await added(api, customer["id"], "source=btok_us"))["id"]
    assert (await api.refused("POST", f"{PATH}/{customer['id']}/sources/{bank}", "name=x"))[1] == "name"


async def test_a_customer_has_five_hundred_at_most(api: Api) -> None:
    id = (await api.customer())["id"]
    answers = []
    for count in (200, 200, 102):  # at once, and no more than one key may
        answers += await asyncio.gather(*(api.post(f"{PATH}/{id}/sources", "source=tok_visa") for _ in range(count)))
    refused = [answer.error["code"] for answer in answers if answer.status != 200]
    assert refused == ["customer_max_payment_methods"] * 2
    assert (await api.update(id, "source=tok_visa"))["default_source"], "one that replaces another is allowed"
    assert (await api.get(f"{PATH}/{id}/sources?expand[]=total_count")).json["total_count"] == 500


async def test_they_are_deleted_with_the_customer_and_published_before_it(api: Api) -> None:
    customer = await api.customer("source=tok_visa")
    await added(api, customer["id"], "source=btok_us")
    await api.delete(f"{PATH}/{customer['id']}")
    events = (await api.events("customer.*"))[-3:]
    assert [event["type"] for event in events] == [
        "customer.source.deleted", "customer.source.deleted", "customer.deleted",
    ]  # fmt: skip
    assert events[-1]["data"]["object"]["default_source"] == customer["default_source"], "as it last was"
    path = f"{PATH}/{customer['id']}/sources"
    assert (await api.get(f"{path}/{customer['default_source']}")).status == 404
    assert await api.core.pool.fetchval("SELECT count(*) FROM projections.due") == 0


async def test_that_a_card_expires_is_published_once_on_the_last_day_of_its_month(kept: Api) -> None:
    clock = (await kept.post("/v1/test_helpers/test_clocks", f"frozen_time={int(datetime.now(UTC).timestamp())}")).json
    customer = await kept.customer(f"test_clock={clock['id']}")
    id = customer["id"]
    source = (await added(kept, id, card(exp_month=3)))["id"]
    await added(kept, id, card(exp_month=3, exp_year=SOON + 5))

    async def advance(time: int) -> None:
        own = f"/v1/test_helpers/test_clocks/{clock['id']}"
        assert (await kept.post(f"{own}/advance", f"frozen_time={time}")).status == 200

        async def arrived() -> bool:
            shown = (await kept.get(own)).json
            return bool(shown["status"] == "ready" and shown["frozen_time"] == time)

        await until(arrived)

    day = last_day(SOON, 3)
    await advance(day - 1)
    assert await kept.events("customer.source.expiring") == []
    await advance(day)
    [event] = await kept.events("customer.source.expiring")
    assert event["data"] == {"object": (await kept.get(f"{PATH}/{id}/sources/{source}")).json}
    assert event["request"] is None
    await advance(day + 86_400 * 40)
    assert len(await kept.events("customer.source.expiring")) == 1


async def test_what_is_due_follows_the_card(api: Api) -> None:
    async def due() -> list[tuple[str, int]]:
        rows = await api.core.pool.fetch("SELECT subject, due_at FROM projections.due ORDER BY due_at")
        return [(row["subject"], row["due_at"]) for row in rows]

    id = (await api.customer())["id"]
    source = (await added(api, id, card()))["id"]
    await added(api, id, "source=btok_us")
    assert await due() == [(source, last_day(SOON, 12))]
    await api.post(f"{PATH}/{id}/sources/{source}", f"exp_month=2&exp_year={SOON + 1}")
    assert await due() == [(source, last_day(SOON + 1, 2))]
    await api.delete(f"{PATH}/{id}/sources/{source}")
    assert await due() == []


async def test_who_asks_again_under_one_key_has_one_card(api: Api) -> None:
    id = (await api.customer())["id"]
    path = f"{PATH}/{id}/sources"
    first, again = [await api.post(path, "source=tok_visa", Idempotency_Key="k") for _ in range(2)]
    assert (again.body, again.headers["Idempotent-Replayed"]) == (first.body, "true")
    assert len(await sources(api, id)) == 1
    declined = [await api.post(path, "source=tok_chargeDeclined", Idempotency_Key="d") for _ in range(2)]
    assert [answer.status for answer in declined] == [402, 402]
    assert declined[0].body == declined[1].body


async def test_many_changes_at_once_over_two_processes_leave_a_default_that_is_there(serve: Serve) -> None:
    one, other = await serve(), await serve()
    id = (await one.customer("source=tok_visa"))["id"]

    async def change(number: int) -> Answer:
        api = (one, other)[number % 2]
        if number % 3 == 0:
            return await api.post(f"{PATH}/{id}", "source=tok_mastercard")
        if number % 3 == 1:
            return await api.post(f"{PATH}/{id}/sources", "source=tok_visa")
        listed = await sources(api, id)
        return await api.delete(f"{PATH}/{id}/sources/{listed[0]}") if listed else await api.get(f"{PATH}/{id}")

    answers = await asyncio.gather(*(change(number) for number in range(24)))
    assert {answer.status for answer in answers} <= {200, 404}
    left = await sources(one, id)
    assert await default(other, id) in left


async def test_the_log_alone_leads_to_the_same_rows(api: Api) -> None:
    customer = await api.customer("source=tok_visa")
    id = customer["id"]
    bank = (await added(api, id, account()))["id"]
    await api.post(f"{PATH}/{id}/sources/{bank}/verify", "amounts[0]=32&amounts[1]=45")
    await api.post(f"{PATH}/{id}/sources/{customer['default_source']}", "name=Ada&metadata[a]=1")
    await api.update(id, "source=tok_mastercard")
    await added(api, id)
    query = "SELECT * FROM projections.{} WHERE id <> '' ORDER BY id"
    before = [await api.core.pool.fetch(query.format(table)) for table in ("customer", "resource")]
    core = api.core
    async for _ in rebuild.customers(core.dsn, core.codec, core.master_keys):
        pass
    assert [await api.core.pool.fetch(query.format(table)) for table in ("customer", "resource")] == before


async def test_the_client_for_python_has_them_live_their_lives(api: Api) -> None:
    def script(client: Any) -> None:
        customers = client.v1.customers
        customer = customers.create({"source": "tok_visa", "expand": ["default_source"]})
        assert type(customer.default_source).__name__ == "Card"
        own = customers.payment_sources
        bank = own.create(customer.id, {"source": "btok_us", "metadata": {"a": "1"}})
        assert type(bank).__name__ == "BankAccount"
        assert own.retrieve(customer.id, bank.id) == bank
        assert own.verify(customer.id, bank.id, {"amounts": [32, 45]}).status == "verified"
        card = own.update(customer.id, customer.default_source.id, {"name": "Ada", "exp_year": str(SOON + 2)})
        assert (card.name, card.exp_year) == ("Ada", SOON + 2)
        assert [one.id for one in own.list(customer.id).auto_paging_iter()] == [bank.id, card.id]
        assert [one.id for one in own.list(customer.id, {"object": "card"}).data] == [card.id]
        assert customers.update(customer.id, {"default_source": bank.id}).default_source == bank.id
        changed = customers.update(customer.id, {"source": "tok_mastercard"})
        assert {one.id for one in own.list(customer.id).data} == {changed.default_source, card.id}
        gone = own.delete(customer.id, changed.default_source)
        assert (gone.id, gone.deleted, gone.object) == (changed.default_source, True, "card")
        assert customers.retrieve(customer.id).default_source == card.id

    await run_script(api, script)


@pytest.mark.parametrize(
    ("collection", "tokens"),
    [("bank_accounts", ("btok_us", "btok_us_verified")), ("cards", ("tok_visa", "tok_mastercard"))],
)
async def test_the_client_for_python_reaches_them_by_their_older_names(
    api: Api, collection: str, tokens: tuple[str, str]
) -> None:
    def script(client: Any) -> None:
        url = f"/v1/customers/{client.v1.customers.create().id}/{collection}"
        one, two = (raw_request(client, "post", url, source=token) for token in tokens)
        assert type(one).__name__ == {"bank_accounts": "BankAccount", "cards": "Card"}[collection]
        assert raw_request(client, "get", f"{url}/{one.id}") == one
        assert raw_request(client, "post", f"{url}/{one.id}", metadata={"a": "1"}).metadata.to_dict() == {"a": "1"}
        if collection == "bank_accounts":
            assert raw_request(client, "post", f"{url}/{one.id}/verify", amounts=[32, 45]).status == "verified"
        page = raw_request(client, "get", url, limit=1)
        assert [each.id for each in page.auto_paging_iter()] == [two.id, one.id]
        back = raw_request(client, "get", url, limit=1, ending_before=one.id)
        assert [each.id for each in back.auto_paging_iter()] == [two.id]
        assert raw_request(client, "delete", f"{url}/{one.id}").deleted
        with pytest.raises(stripe.InvalidRequestError) as refused:
            raw_request(client, "get", f"{url}/{one.id}")
        assert (refused.value.http_status, refused.value.code, refused.value.param) == (404, "resource_missing", "id")

    await run_script(api, script)


@pytest.mark.parametrize(
    ("wrong", "error", "status", "code", "param"),
    [
        (lambda c: c.v1.customers.create({"source": "tok_chargeDeclined"}), stripe.CardError, 402, "card_declined",
         None),
        (lambda c: c.v1.customers.create({"source": "tok_x"}), stripe.InvalidRequestError, 400, "resource_missing",
         "source"),
        (lambda c: c.v1.customers.payment_sources.retrieve(c.v1.customers.create({}).id, "card_x"),
         stripe.InvalidRequestError, 404, "resource_missing", "id"),
        (lambda c: c.v1.customers.payment_sources.create("cus_x", {"source": "tok_visa"}), stripe.InvalidRequestError,
         404, "resource_missing", "id"),
        (lambda c: c.v1.customers.update(c.v1.customers.create({}).id, {"default_source": "card_x"}),
         stripe.InvalidRequestError, 400, "resource_missing", "default_source"),
    ],
)  # fmt: skip
async def test_refusals_are_the_clients_own_errors(
    api: Api, wrong: Script, error: type[stripe.StripeError], status: int, code: str | None, param: str | None
) -> None:
    with pytest.raises(error) as raised:
        await run_script(api, wrong)
    assert raised.value.http_status == status
    body = raised.value.error
    assert body is not None
    assert (body.code, body.param) == (code, param)
