"""Payment methods over the wire: made, attached, changed, detached for good, and listed; by name for tests too."""

import asyncio
from collections import Counter
from typing import Any

import pytest
import stripe

from events.decider import Change
from events.payment_method import PAYMENT_METHOD
from events.snapshots import fold
from projections.payment_methods import PaymentMethodProjection
from tests.service.http.objects import SOON, card, stored_rows
from tests.service.http.payment_methods import CUSTOMERS, PATH, UNEXPECTED, attached, listed, made
from tests.service.http.python_client import Script, run_script
from tests.service.serving import Answer, Api, Serve


async def test_it_is_attached_to_a_customer(api: Api) -> None:
    method = await made(api, f"type=card&{card()}")
    customer = (await api.customer())["id"]
    shown = await attached(api, customer, method["id"])
    checks = {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"}
    assert shown == {**method, "customer": customer, "card": {**method["card"], "checks": checks}}
    assert (await api.get(f"{PATH}/{method['id']}")).json == shown
    assert (await api.get(f"{CUSTOMERS}/{customer}/payment_methods/{method['id']}")).json == shown
    [event] = await api.events("payment_method.*")
    assert (event["type"], event["data"]) == ("payment_method.attached", {"object": shown})
    before = await stored_rows(api)
    assert await attached(api, customer, method["id"]) == shown, "and again changes nothing"
    assert await stored_rows(api) == before
    expanded = await api.post(f"{PATH}/{method['id']}/attach", f"customer={customer}&expand[]=customer")
    assert expanded.json["customer"]["id"] == customer


async def test_it_is_nobody_elses(api: Api) -> None:
    customer, other = (await api.customer())["id"], (await api.customer())["id"]
    method = (await attached(api, customer))["id"]
    assert (await api.refused("POST", f"{PATH}/{method}/attach", f"customer={other}"))[0] == UNEXPECTED
    body = f"payment_method={method}"
    assert (await api.refused("POST", CUSTOMERS, body))[:2] == (UNEXPECTED, "payment_method")
    assert (await api.refused("GET", f"{CUSTOMERS}/{other}/payment_methods/{method}", status=404))[1] == "id"


async def test_once_detached_it_may_never_be_used_again(api: Api) -> None:
    customer = (await api.customer())["id"]
    shown = await attached(api, customer)
    path = f"{PATH}/{shown['id']}"
    detached = await api.post(f"{path}/detach")
    assert (detached.status, detached.json) == (200, {**shown, "customer": None})
    event = (await api.events("payment_method.*"))[-1]
    assert event["type"] == "payment_method.detached"
    assert event["data"] == {"object": detached.json, "previous_attributes": {"customer": customer}}
    for action, body in (("attach", f"customer={customer}"), ("detach", "")):
        assert (await api.refused("POST", f"{path}/{action}", body))[0] == UNEXPECTED
    assert (await api.refused("POST", path, "metadata[a]=1"))[0] == UNEXPECTED
    assert (await api.refused("POST", CUSTOMERS, f"payment_method={shown['id']}"))[:2] == (UNEXPECTED, "payment_method")
    assert await listed(api, f"{CUSTOMERS}/{customer}/payment_methods") == []
    assert (await api.get(path)).json == detached.json, "it can still be seen"


async def test_one_that_is_not_attached_is_not_detached_or_changed(api: Api) -> None:
    path = f"{PATH}/{(await made(api))['id']}"
    assert (await api.refused("POST", f"{path}/detach"))[0] == UNEXPECTED
    assert (await api.refused("POST", path, "metadata[a]=1"))[0] == UNEXPECTED


async def test_what_is_known_of_it_is_changed(api: Api) -> None:
    customer = (await api.customer())["id"]
    method = await made(api, f"type=card&{card()}&billing_details[name]=Jenny&billing_details[phone]=1&metadata[a]=1")
    await attached(api, customer, method["id"])
    path = f"{PATH}/{method['id']}"
    body = (
        "billing_details[name]=&billing_details[address][city]=Bern&metadata[b]=2&allow_redisplay=limited"
        f"&card[exp_year]={SOON + 1}&card[networks][preferred]=visa"
    )
    changed = (await api.post(path, body)).json
    assert changed["billing_details"]["name"] is None
    assert (changed["billing_details"]["phone"], changed["billing_details"]["address"]["city"]) == ("1", "Bern")
    assert (changed["card"]["exp_year"], changed["card"]["exp_month"]) == (SOON + 1, 12)
    assert (changed["card"]["networks"]["preferred"], changed["allow_redisplay"]) == ("visa", "limited")
    assert changed["metadata"] == {"a": "1", "b": "2"}
    event = (await api.events("payment_method.*"))[-1]
    assert (event["type"], event["data"]["object"]) == ("payment_method.updated", changed)
    assert event["data"]["previous_attributes"] == {
        "allow_redisplay": "unspecified",
        "billing_details": {"address": {"city": None}, "name": "Jenny"},
        "card": {"exp_year": SOON, "networks": {"preferred": None}},
        "metadata": {"b": None},
    }
    before = await stored_rows(api)
    assert (await api.post(path, body)).json == changed
    assert await stored_rows(api) == before
    answer = await api.post(path, "card[exp_year]=1999")
    assert (answer.status, answer.error["code"], answer.error["param"]) == (402, "invalid_expiry_year", "exp_year")
    for wrong, code, param in (
        ("us_bank_account[account_type]=savings", None, "us_bank_account"),
        ("card[number]=4242424242424242", "parameter_unknown", "card[number]"),
        ("type=link", "parameter_unknown", "type"),
    ):
        assert (await api.refused("POST", path, wrong))[:2] == (code, param)
    bank = await attached(api, customer, "pm_usBankAccount")
    savings = await api.post(f"{PATH}/{bank['id']}", "us_bank_account[account_type]=savings")
    assert savings.json["us_bank_account"]["account_type"] == "savings"


async def test_a_customers_default_is_attached_and_cleared_when_it_is_detached(api: Api) -> None:
    customer = (await api.customer())["id"]
    method = (await attached(api, customer))["id"]
    own = f"{CUSTOMERS}/{customer}"
    param = "invoice_settings[default_payment_method]"
    for other in ("pm_x", (await made(api))["id"]):
        code, blamed, message = await api.refused("POST", own, f"{param}={other}")
        assert (code, blamed) == ("resource_missing", param)
        assert f"does not have a payment method with the ID {other}" in message
    shown = await api.update(customer, f"{param}={method}&expand[]={param.replace('[', '.').rstrip(']')}")
    assert shown["invoice_settings"]["default_payment_method"]["id"] == method
    await api.post(f"{PATH}/{method}/detach")
    assert (await api.get(own)).json["invoice_settings"]["default_payment_method"] is None
    updated, detached = (await api.events())[-2:]
    assert (updated["type"], detached["type"]) == ("customer.updated", "payment_method.detached")
    assert updated["data"]["previous_attributes"] == {"invoice_settings": {"default_payment_method": method}}
    assert updated["request"]["id"] == detached["request"]["id"]


async def test_a_customer_is_created_with_one(api: Api) -> None:
    method = (await made(api))["id"]
    param = "invoice_settings[default_payment_method]"
    customer = await api.customer(f"payment_method={method}&{param}={method}")
    assert customer["invoice_settings"]["default_payment_method"] == method
    assert await listed(api, f"{CUSTOMERS}/{customer['id']}/payment_methods") == [method]
    fresh = await api.customer("payment_method=pm_card_mastercard")
    assert len(await listed(api, f"{CUSTOMERS}/{fresh['id']}/payment_methods")) == 1
    named = await api.customer(f"payment_method=pm_card_visa&{param}=pm_card_visa")
    default = named["invoice_settings"]["default_payment_method"]
    assert await listed(api, f"{CUSTOMERS}/{named['id']}/payment_methods") == [default]
    assert [event["type"] for event in await api.events()][:2] == ["customer.created", "payment_method.attached"]
    before = await stored_rows(api)
    for body, error, blamed in (
        ("payment_method=pm_x", "resource_missing", "payment_method"),
        ("payment_method=", "parameter_invalid_empty", "payment_method"),
        (f"{param}=pm_x", "resource_missing", param),
        (f"payment_method=pm_card_visa&{param}=pm_card_mastercard", "resource_missing", param),
    ):
        assert (await api.refused("POST", CUSTOMERS, body))[:2] == (error, blamed)
    declined = await api.post(CUSTOMERS, "payment_method=pm_card_chargeDeclined")
    assert (declined.status, declined.error["decline_code"]) == (402, "generic_decline")
    assert await stored_rows(api) == before
    refused = await api.refused("POST", f"{CUSTOMERS}/{customer['id']}", f"payment_method={method}")
    assert refused[:2] == ("parameter_unknown", "payment_method")


@pytest.mark.parametrize(
    ("name", "code", "decline_code"),
    [
        ("chargeDeclined", "card_declined", "generic_decline"),
        ("visa_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("visa_chargeDeclinedLostCard", "card_declined", "lost_card"),
        ("chargeDeclinedExpiredCard", "expired_card", None),
        ("chargeDeclinedIncorrectCvc", "incorrect_cvc", None),
        ("chargeDeclinedProcessingError", "processing_error", None),
    ],
)
async def test_a_card_that_is_declined_is_made_and_not_attached(
    api: Api, name: str, code: str, decline_code: str | None
) -> None:
    customer = (await api.customer())["id"]
    method = await made(api, f"type=card&card[token]=tok_{name}")
    before = await stored_rows(api)
    for id in (method["id"], f"pm_card_{name}"):
        answer = await api.post(f"{PATH}/{id}/attach", f"customer={customer}")
        assert (answer.status, answer.error["type"], answer.error["code"]) == (402, "card_error", code)
        assert answer.error.get("decline_code") == decline_code
    assert await stored_rows(api) == before


async def test_lists_are_newest_first_and_of_one_customer_or_type(api: Api) -> None:
    customer, other = (await api.customer())["id"], (await api.customer())["id"]
    names = ("pm_card_visa", "pm_usBankAccount", "pm_card_amex")
    mine = [(await attached(api, customer, name))["id"] for name in names][::-1]
    theirs = (await attached(api, other))["id"]
    loose = (await made(api, "type=link&allow_redisplay=always"))["id"]
    own = f"{CUSTOMERS}/{customer}/payment_methods"
    for path in (own, f"{PATH}?customer={customer}"):
        mark = "&" if "?" in path else "?"
        assert await listed(api, path) == mine
        assert await listed(api, f"{path}{mark}type=card") == [mine[0], mine[2]]
        assert await listed(api, f"{path}{mark}type=us_bank_account") == [mine[1]]
        assert await listed(api, f"{path}{mark}allow_redisplay=always") == []
        assert await listed(api, f"{path}{mark}starting_after={mine[0]}") == mine[1:]
        assert await listed(api, f"{path}{mark}ending_before={mine[2]}&limit=1") == [mine[1]]
        assert (await api.refused("GET", f"{path}{mark}type=x"))[1] == "type"
    assert await listed(api, PATH) == [loose, theirs, *mine]
    assert await listed(api, f"{PATH}?allow_redisplay=always") == [loose]
    page = (await api.get(f"{own}?limit=1&expand[]=data.customer")).json
    assert (page["url"], page["has_more"], page["data"][0]["customer"]["id"]) == (own, True, customer)
    assert (await api.get(f"{PATH}?limit=1")).json["url"] == PATH


async def test_what_is_not_there_is_missing(api: Api) -> None:
    customer = (await api.customer())["id"]
    for method, path, body in (
        ("GET", f"{PATH}/pm_x", ""),
        ("GET", f"{PATH}/pm_card_x", ""),
        ("POST", f"{PATH}/pm_x", "metadata[a]=1"),
        ("POST", f"{PATH}/pm_x/attach", f"customer={customer}"),
        ("POST", f"{PATH}/pm_x/detach", ""),
        ("GET", f"{CUSTOMERS}/{customer}/payment_methods/pm_x", ""),
        ("GET", f"{CUSTOMERS}/cus_x/payment_methods", ""),
        ("GET", f"{CUSTOMERS}/cus_x/payment_methods/pm_x", ""),
    ):
        assert (await api.refused(method, path, body, status=404))[:2] == ("resource_missing", "id"), path
    for body, code in (("customer=cus_x", "resource_missing"), ("", "parameter_missing"),
                       ("customer=", "parameter_invalid_empty")):  # fmt: skip
        assert (await api.refused("POST", f"{PATH}/pm_card_visa/attach", body))[:2] == (code, "customer")
    assert (await api.refused("GET", f"{PATH}?customer=cus_x"))[:2] == ("resource_missing", "customer")
    method = (await made(api))["id"]
    for key in (await api.issue(account="acct_other"), await api.issue(livemode=True)):
        assert (await api.refused("GET", f"{PATH}/{method}", key=key, status=404))[0] == "resource_missing"
        assert await listed_with(api, key) == []


async def listed_with(api: Api, key: str) -> list[Any]:
    data: list[Any] = (await api.get(PATH, key=key)).json["data"]
    return data


async def test_they_are_detached_when_the_customer_is_deleted(api: Api) -> None:
    customer = (await api.customer("source=tok_visa"))["id"]
    methods = [(await attached(api, customer))["id"] for _ in range(3)]
    await api.delete(f"{CUSTOMERS}/{customer}")
    events = (await api.events())[-5:]
    assert [event["type"] for event in events] == [
        "customer.source.deleted", *["payment_method.detached"] * 3, "customer.deleted",
    ]  # fmt: skip
    assert {event["data"]["object"]["id"] for event in events[1:4]} == set(methods)
    for method in methods:
        shown = (await api.get(f"{PATH}/{method}")).json
        assert shown["customer"] is None
        other = (await api.customer())["id"]
        assert (await api.refused("POST", f"{PATH}/{method}/attach", f"customer={other}"))[0] == UNEXPECTED
    refused = await api.refused("POST", f"{PATH}/pm_card_visa/attach", f"customer={customer}")
    assert refused[:2] == ("resource_missing", "customer")


async def test_of_many_customers_at_once_one_has_it(serve: Serve) -> None:
    one, other = await serve(), await serve()
    method = (await made(one))["id"]
    customers = [(await one.customer())["id"] for _ in range(12)]

    async def attach(number: int) -> Answer:
        api = (one, other)[number % 2]
        if number % 4 == 3:
            return await api.post(CUSTOMERS, f"payment_method={method}")
        return await api.post(f"{PATH}/{method}/attach", f"customer={customers[number]}")

    answers = await asyncio.gather(*(attach(number) for number in range(12)))
    statuses = Counter((answer.status, None if answer.status == 200 else answer.error["code"]) for answer in answers)
    assert statuses == {(200, None): 1, (400, UNEXPECTED): 11}
    owner = (await one.get(f"{PATH}/{method}")).json["customer"]
    assert await listed(other, f"{CUSTOMERS}/{owner}/payment_methods") == [method]
    assert len(await one.events("payment_method.attached")) == 1


async def test_who_asks_again_under_one_key_has_one(api: Api) -> None:
    customer = (await api.customer())["id"]
    path = f"{PATH}/pm_card_visa/attach"
    first, again = [await api.post(path, f"customer={customer}", Idempotency_Key="k") for _ in range(2)]
    assert (again.body, again.headers["Idempotent-Replayed"]) == (first.body, "true")
    assert len(await listed(api, f"{CUSTOMERS}/{customer}/payment_methods")) == 1


async def test_the_log_alone_leads_to_the_same_rows(api: Api) -> None:
    customer = (await api.customer())["id"]
    kept, gone = [(await attached(api, customer, name))["id"] for name in ("pm_card_visa", "pm_usBankAccount")]
    await api.post(f"{PATH}/{kept}", "billing_details[name]=Ada&metadata[a]=1")
    await api.post(f"{PATH}/{gone}/detach")
    core = api.core
    rows = await core.pool.fetch("SELECT * FROM projections.resource WHERE kind = 'payment_method'")
    assert len(rows) == 2
    for row in rows:
        stream = PAYMENT_METHOD.stream(row["id"])
        loaded = await core.log.load(stream)
        cached = fold(PAYMENT_METHOD, core.codec, core.master_keys, stream, loaded)
        assert cached is not None
        last = loaded.records[-1]
        change = Change(
            kind=PAYMENT_METHOD.kind,
            stream=stream,
            before=PAYMENT_METHOD.initial,
            after=cached.state,
            version=cached.version,
            steps=[(core.codec.decode(last, key=cached.key), cached.state)],
            origin=last.origin,
        )
        again = PaymentMethodProjection("v").rows(change).resources[0]
        shown = {name: row[name] for name in ("id", "created", "version", "deleted", "parent", "body")}
        assert {name: getattr(again, name) for name in shown} == shown


async def test_the_client_for_python_has_them_live_their_lives(api: Api) -> None:
    def script(client: Any) -> None:
        methods, customers = client.v1.payment_methods, client.v1.customers
        made = methods.create({"type": "card", "card": {"token": "tok_visa"}, "billing_details": {"name": "Ada"}})
        assert type(made).__name__ == "PaymentMethod"
        customer = customers.create({"payment_method": made.id})
        assert methods.retrieve(made.id).customer == customer.id
        other = methods.attach("pm_card_mastercard", {"customer": customer.id})
        own = customers.payment_methods
        assert [one.id for one in own.list(customer.id).auto_paging_iter()] == [other.id, made.id]
        assert [one.id for one in methods.list({"customer": customer.id, "type": "card"}).data] == [other.id, made.id]
        assert own.retrieve(customer.id, other.id).card.brand == "mastercard"
        changed = methods.update(made.id, {"metadata": {"a": "1"}, "card": {"exp_month": 3, "exp_year": SOON + 1}})
        assert (changed.metadata.to_dict(), changed.card.exp_month) == ({"a": "1"}, 3)
        customers.update(customer.id, {"invoice_settings": {"default_payment_method": other.id}})
        assert methods.detach(other.id).customer is None
        assert customers.retrieve(customer.id).invoice_settings.default_payment_method is None

    await run_script(api, script)


@pytest.mark.parametrize(
    ("wrong", "error", "status", "code", "param"),
    [
        (lambda c: c.v1.payment_methods.retrieve("pm_x"), stripe.InvalidRequestError, 404, "resource_missing", "id"),
        (lambda c: c.v1.payment_methods.attach("pm_card_visa", {"customer": "cus_x"}), stripe.InvalidRequestError, 400,
         "resource_missing", "customer"),
        (lambda c: c.v1.payment_methods.attach("pm_card_chargeDeclined",
                                               {"customer": c.v1.customers.create({}).id}),
         stripe.CardError, 402, "card_declined", None),
        (lambda c: c.v1.payment_methods.detach(c.v1.payment_methods.create({"type": "link"}).id),
         stripe.InvalidRequestError, 400, UNEXPECTED, None),
        (lambda c: c.v1.customers.create({"payment_method": "pm_x"}), stripe.InvalidRequestError, 400,
         "resource_missing", "payment_method"),
        (lambda c: c.v1.payment_methods.create({"type": "card"}), stripe.InvalidRequestError, 400,
         "parameter_missing", "card"),
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


async def test_messages_name_a_payment_method_in_one_way(api: Api) -> None:
    customer = (await api.customer())["id"]
    for method, path, body, status in (
        ("GET", f"{PATH}/pm_none", "", 404),
        ("POST", f"{PATH}/pm_none", "", 404),
        ("POST", f"{PATH}/pm_none/attach", f"customer={customer}", 404),
        ("POST", f"{PATH}/pm_none/detach", "", 404),
        ("GET", f"{PATH}?starting_after=pm_none", "", 400),
        ("GET", f"/v1/customers/{customer}/payment_methods/pm_none", "", 404),
        ("POST", "/v1/customers", "payment_method=pm_none", 400),
    ):
        _, _, message = await api.refused(method, path, body, status=status)
        assert message.startswith("No such PaymentMethod: 'pm_none'"), path
