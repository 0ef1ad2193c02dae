"""Subscriptions over the wire: what a billing service reports of them, and what customers' readers see."""

import asyncio
import re
from typing import Any

import pytest
import stripe

from events.customer import CUSTOMER
from events.customer.subscription import RequestRetries
from events.record import Origin
from events.unit_of_work import UnitOfWork
from tests.projections.rebuilding import rebuild_customers
from tests.service.http.python_client import raw_request, run_script
from tests.service.http.subscriptions import ACTIVE, INVOICE, OURS, PERIOD, past_due, put, report
from tests.service.serving import ACCOUNT, Api

WHOLE = {
    "billing_cycle_anchor": 1_700_000_001,
    "cancel_at": 1_800_000_000,
    "cancel_at_period_end": True,
    "collection_method": "send_invoice",
    "created": 1_700_000_002,
    "currency": "EUR",
    "current_period_end": 1_702_592_000,
    "current_period_start": 1_700_000_000,
    "days_until_due": 30,
    "default_payment_method": "pm_1",
    "default_source": "card_1",
    "description": "Gold",
    "items": [
        {
            "id": "si_1",
            "created": 1_700_000_003,
            "price": {
                "id": "price_1",
                "created": 1_600_000_000,
                "nickname": "Yearly",
                "product": "prod_1",
                "recurring": {"interval": "year", "interval_count": 2},
                "unit_amount": 2000,
            },
            "quantity": 3,
        },
        {"id": "si_2", "price": "price_2"},
    ],
    "latest_invoice": {"id": "in_1", "status": "open", "auto_advance": False},
    "metadata": {"seat": 12, "paid": True, "empty": ""},
    "start_date": 1_700_000_004,
    "status": "trialing",
    "trial_end": 1_700_100_000,
    "trial_start": 1_700_000_005,
}


async def listed(api: Api, customer: str, query: str = "") -> list[str]:
    shown = (await api.get(f"/v1/customers/{customer}/subscriptions?{query}")).json
    assert shown["url"] == f"/v1/customers/{customer}/subscriptions"
    return [one["id"] for one in shown["data"]]


@pytest.fixture
async def customer(api: Api) -> str:
    made: str = (await api.customer())["id"]
    return made


async def test_what_is_reported_is_shown_as_the_reference_shows_it(api: Api, customer: str) -> None:
    shown = await report(api, customer, "sub_1", WHOLE)
    assert (await api.get(f"/v1/customers/{customer}/subscriptions/sub_1")).json == shown
    assert list(shown) == ["id", "object", *sorted(list(shown)[2:])]
    said = {**WHOLE, "currency": "eur", "latest_invoice": "in_1", "metadata": {"paid": "true", "seat": "12"}}
    for name in said.keys() - {"items", "current_period_end", "current_period_start"}:
        assert shown[name] == said[name], name
    assert (shown["customer"], shown["livemode"], shown["test_clock"]) == (customer, False, None)
    first, second = shown["items"]["data"]
    assert (first["id"], first["object"], first["quantity"], first["subscription"]) == (
        "si_1", "subscription_item", 3, "sub_1",
    )  # fmt: skip
    assert (first["current_period_start"], first["current_period_end"]) == (1_700_000_000, 1_702_592_000)
    price = first["price"]
    assert (price["id"], price["product"], price["unit_amount"], price["currency"]) == (
        "price_1",
        "prod_1",
        2000,
        "eur",
    )
    assert (price["recurring"]["interval"], price["recurring"]["interval_count"]) == ("year", 2)
    assert (first["plan"]["id"], first["plan"]["amount"], first["plan"]["interval"]) == ("price_1", 2000, "year")
    assert (second["price"]["id"], second["quantity"], second["created"]) == ("price_2", 1, WHOLE["created"])


async def test_forms_and_json_say_the_same(api: Api, customer: str) -> None:
    form = await report(
        api, customer, "sub_1",
        f"{ACTIVE}&items[0][id]=si_1&items[0][price][id]=price_1&items[0][quantity]=2&cancel_at_period_end=true"
        "&latest_invoice[id]=in_1&latest_invoice[status]=paid&metadata[a]=1&description=",
    )  # fmt: skip
    body = {
        "status": "active",
        "currency": "usd",
        "current_period_start": 1_700_000_000,
        "current_period_end": 1_702_592_000,
        "items": [{"id": "si_1", "price": {"id": "price_1"}, "quantity": 2}],
        "cancel_at_period_end": True,
        "latest_invoice": {"id": "in_1", "status": "paid"},
        "metadata": {"a": 1},
        "description": None,
    }
    assert await report(api, customer, "sub_1", body) == form
    assert len(await api.events("customer.subscription.*")) == 1


async def test_a_report_is_published_once_and_again_only_for_what_changed(api: Api, customer: str) -> None:
    made = await report(api, customer)
    await report(api, customer)
    await report(api, customer, body=ACTIVE + "&description=Gold")
    shown = await report(api, customer, body=f"status=past_due&currency=usd&{PERIOD}")
    events = await api.events("customer.subscription.*")
    assert [event["type"].rpartition(".")[2] for event in events] == ["created", "updated", "updated"]
    assert events[0]["data"] == {"object": made}
    assert events[1]["data"]["previous_attributes"] == {"description": None}
    assert events[2]["data"] == {
        "object": shown,
        "previous_attributes": {"description": "Gold", "status": "active"},
    }
    assert shown["created"] == made["created"]


async def test_reports_that_come_together_are_taken_one_by_one(api: Api, customer: str) -> None:
    answers = await asyncio.gather(
        *(put(api, customer, f"sub_{number % 5}", f"{ACTIVE}&description={number}") for number in range(25))
    )
    assert {answer.status for answer in answers} == {200}
    assert sorted(await listed(api, customer)) == [f"sub_{number}" for number in range(5)]
    types = [event["type"].rpartition(".")[2] for event in await api.events("customer.subscription.*")]
    assert (types.count("created"), types.count("updated")) == (5, 20)


async def test_the_first_subscription_sets_the_customers_currency(api: Api, customer: str) -> None:
    assert (await api.get(f"/v1/customers/{customer}")).json["currency"] is None
    await report(api, customer, "sub_1", f"status=active&currency=EUR&{PERIOD}")
    await report(api, customer, "sub_2", ACTIVE)
    assert (await api.get(f"/v1/customers/{customer}")).json["currency"] == "eur"
    [event] = await api.events("customer.updated")
    assert event["data"]["previous_attributes"] == {"currency": None}


async def test_a_customer_is_delinquent_for_as_long_as_it_owes(api: Api, customer: str) -> None:
    async def owes() -> bool:
        return bool((await api.get(f"/v1/customers/{customer}")).json["delinquent"])

    await report(api, customer)
    assert not await owes()
    await past_due(api, customer)
    assert await owes()
    await report(api, customer)
    assert not await owes()
    changes = [event["data"]["previous_attributes"] for event in await api.events("customer.updated")]
    assert changes == [{"currency": None}, {"delinquent": False}, {"delinquent": True}]


async def test_lists_leave_out_what_was_canceled_unless_it_is_asked_for(api: Api, customer: str) -> None:
    for number, status in enumerate(("active", "past_due", "canceled", "incomplete_expired", "active")):
        await report(api, customer, f"sub_{number}", f"status={status}&currency=usd&{PERIOD}")
    await report(api, (await api.customer())["id"], "sub_other")
    assert await listed(api, customer) == ["sub_4", "sub_3", "sub_1", "sub_0"]
    assert await listed(api, customer, "status=all") == ["sub_4", "sub_3", "sub_2", "sub_1", "sub_0"]
    assert await listed(api, customer, "status=canceled") == ["sub_2"]
    assert await listed(api, customer, "status=ended") == ["sub_3", "sub_2"]
    assert await listed(api, customer, "status=active&limit=1") == ["sub_4"]
    assert await listed(api, customer, "limit=2&starting_after=sub_4") == ["sub_3", "sub_1"]
    assert await listed(api, customer, "limit=2&ending_before=sub_0") == ["sub_3", "sub_1"]
    assert (await api.get(f"/v1/customers/{customer}/subscriptions/sub_2")).json["status"] == "canceled"
    total = (await api.get(f"/v1/customers/{customer}/subscriptions?limit=1&expand[]=total_count")).json
    assert (total["total_count"], total["has_more"]) == (4, True)


async def test_customers_show_their_subscriptions_when_asked(api: Api, customer: str) -> None:
    shown = [await report(api, customer, f"sub_{number}") for number in range(3)]
    await report(api, customer, "sub_3", f"status=canceled&currency=usd&{PERIOD}")
    expanded = {
        "object": "list",
        "data": shown[::-1],
        "has_more": False,
        "url": f"/v1/customers/{customer}/subscriptions",
    }
    assert "subscriptions" not in (await api.get(f"/v1/customers/{customer}")).json
    assert (await api.get(f"/v1/customers/{customer}?expand[]=subscriptions")).json["subscriptions"] == expanded
    [item] = (await api.get("/v1/customers?expand[]=data.subscriptions")).json["data"]
    assert item["subscriptions"] == expanded
    within = (await api.get(f"/v1/customers/{customer}?expand[]=subscriptions.data.customer")).json
    assert within["subscriptions"]["data"][0]["customer"]["id"] == customer
    one = (await api.get(f"/v1/customers/{customer}/subscriptions/sub_0?expand[]=customer")).json
    assert one["customer"]["id"] == customer
    await api.get(f"/v1/customers/{customer}?expand[]=subscriptions.data.items.data")


async def test_a_cancellation_is_published_as_in_the_reference(api: Api, customer: str) -> None:
    await report(api, customer)
    canceled = await report(api, customer, body=f"status=canceled&currency=usd&{PERIOD}")
    assert canceled["canceled_at"] == canceled["ended_at"] is not None
    await report(api, customer, body=f"status=canceled&currency=usd&{PERIOD}")
    assert [event["data"] for event in await api.events("customer.subscription.deleted")] == [{"object": canceled}]
    assert await api.events("customer.subscription.updated") == []


async def test_what_is_removed_is_gone_and_its_end_is_published_once(api: Api, customer: str) -> None:
    path = OURS.format(customer, "sub_1")
    await report(api, customer)
    gone = await api.delete(path)
    assert (gone.status, gone.json) == (200, {"id": "sub_1", "object": "subscription", "deleted": True})
    assert await listed(api, customer, "status=all") == []
    missing = ("resource_missing", "id", "No such subscription: 'sub_1'")
    assert await api.refused("DELETE", path, status=404) == missing
    assert await api.refused("GET", f"/v1/customers/{customer}/subscriptions/sub_1", status=404) == missing
    [event] = await api.events("customer.subscription.deleted")
    assert event["data"]["object"]["status"] == "canceled"
    again = await report(api, customer)
    assert await listed(api, customer) == [again["id"]]
    await report(api, customer, body=f"status=canceled&currency=usd&{PERIOD}")
    await api.delete(path)
    assert len(await api.events("customer.subscription.deleted")) == 2


async def test_with_the_customer_end_its_subscriptions(api: Api, customer: str) -> None:
    await report(api, customer, "sub_1")
    await report(api, customer, "sub_2", f"status=canceled&currency=usd&{PERIOD}")
    await api.delete(f"/v1/customers/{customer}")
    [event] = await api.events("customer.subscription.deleted")
    shown = event["data"]["object"]
    assert (shown["id"], shown["status"]) == ("sub_1", "canceled")
    assert shown["ended_at"] is not None
    for method, path in (
        ("GET", f"/v1/customers/{customer}/subscriptions"),
        ("GET", f"/v1/customers/{customer}/subscriptions/sub_1"),
        ("PUT", OURS.format(customer, "sub_1")),
        ("DELETE", OURS.format(customer, "sub_1")),
    ):
        refused = await api.refused(method, path, ACTIVE if method == "PUT" else "", status=404)
        assert refused[:2] == ("resource_missing", "id")


async def test_a_subscription_stays_with_its_customer(api: Api, customer: str) -> None:
    other = (await api.customer())["id"]
    await report(api, customer)
    for _ in range(2):
        answer = await put(api, other, "sub_1", ACTIVE)
        assert (answer.status, answer.error["param"]) == (400, "subscription")
    await api.delete(OURS.format(customer, "sub_1"))
    assert (await put(api, other, "sub_1", ACTIVE)).status == 400, "not even afterwards"
    path = f"/v1/customers/{other}/subscriptions/sub_1"
    await report(api, customer)
    assert (await api.refused("GET", path, status=404))[0] == "resource_missing"
    assert (await api.refused("DELETE", OURS.format(other, "sub_1"), status=404))[0] == "resource_missing"
    assert await listed(api, other) == []
    elsewhere = await api.issue(account="acct_other")
    theirs = (await api.customer(key=elsewhere))["id"]
    assert (await put(api, theirs, "sub_1", ACTIVE, key=elsewhere)).status == 200
    assert await listed(api, customer) == ["sub_1"]


async def test_of_two_customers_who_claim_it_at_once_one_has_it(api: Api) -> None:
    customers = [(await api.customer())["id"] for _ in range(6)]
    answers = await asyncio.gather(*(put(api, customer, "sub_1", ACTIVE) for customer in customers))
    assert sorted(answer.status for answer in answers) == [200, 400, 400, 400, 400, 400]
    having = [customer for customer in customers if await listed(api, customer)]
    assert [answer.status for answer in answers].index(200) == customers.index(having[0])
    assert len(having) == 1


async def test_customers_under_a_clock_have_subscriptions_of_its_time(api: Api) -> None:
    clock = (await api.post("/v1/test_helpers/test_clocks", "frozen_time=1577836800")).json["id"]
    customer = (await api.customer(f"test_clock={clock}"))["id"]
    shown = await report(api, customer)
    assert (shown["created"], shown["test_clock"]) == (1_577_836_800, clock)


IMPOSSIBLE: list[tuple[Any, str | None, str | None]] = [
    ("", "parameter_missing", "currency"),
    (f"status=active&{PERIOD}", "parameter_missing", "currency"),
    (f"currency=usd&{PERIOD}", "parameter_missing", "status"),
    ("status=active&currency=usd&current_period_end=2", "parameter_missing", "current_period_start"),
    (f"status=late&currency=usd&{PERIOD}", None, "status"),
    (f"status=active&currency=dollars&{PERIOD}", None, "currency"),
    (f"{ACTIVE}&currency=", "parameter_invalid_empty", "currency"),
    (f"{ACTIVE}&current_period_end=soon", "parameter_invalid_integer", "current_period_end"),
    (f"{ACTIVE}&collection_method=cash", None, "collection_method"),
    (f"{ACTIVE}&days_until_due=-1", None, "days_until_due"),
    (f"{ACTIVE}&description={'x' * 501}", None, "description"),
    (f"{ACTIVE}&items[0][id]=si_1", "parameter_missing", "items[0][price]"),
    (f"{ACTIVE}&items[0][price]=price_1", "parameter_missing", "items[0][id]"),
    (f"{ACTIVE}&items[0][id]=si_1&items[0][price]=", "parameter_invalid_empty", "items[0][price][id]"),
    (f"{ACTIVE}&items[0][id]=si_1&items[0][price]=price_1&items[0][quantity]=x", "parameter_invalid_integer",
     "items[0][quantity]"),
    (f"{ACTIVE}&items=si_1", None, "items"),
    (f"{ACTIVE}&latest_invoice[id]=in_1", "parameter_missing", "latest_invoice[status]"),
    (f"{ACTIVE}&latest_invoice[id]=in_1&latest_invoice[status]=lost", None, "latest_invoice[status]"),
    (f"{ACTIVE}&latest_invoice=in_1", None, "latest_invoice"),
    (f"{ACTIVE}&cancel_at_period_end=perhaps", None, "cancel_at_period_end"),
    (f"{ACTIVE}&customer=cus_1", "parameter_unknown", "customer"),
    (f"{ACTIVE}&expand[]=customer", "parameter_unknown", "expand"),
    ({"status": "active", "currency": "usd", "current_period_start": 1.5, "current_period_end": 2},
     "parameter_invalid_integer", "current_period_start"),
    ({"status": "active", "currency": None, "current_period_start": 1, "current_period_end": 2},
     "parameter_invalid_empty", "currency"),
    ({"status": "active", "currency": "usd", "current_period_start": 1, "current_period_end": 2, "items": {"a": 1}},
     None, "items"),
    ({"status": "active", "nul": "\0"}, None, None),
    ({"a": {"b": {"c": {"d": {"e": {"f": {"g": {"h": {"i": {"j": {}}}}}}}}}}}, None, "j"),
    ([], None, None),
]  # fmt: skip


async def test_what_no_report_can_say_is_refused(api: Api, customer: str) -> None:
    for body, code, param in IMPOSSIBLE:
        answer = await put(api, customer, "sub_1", body)
        error = answer.error
        assert (answer.status, error.get("code"), error.get("param")) == (400, code, param), body
    assert await listed(api, customer, "status=all") == []
    broken = await api.ask("PUT", OURS.format(customer, "sub_1"), "{", Content_Type="application/json")
    assert (broken.status, "Invalid JSON" in broken.error["message"]) == (400, True)
    assert (await api.refused("GET", f"/v1/customers/{customer}/subscriptions?status=late"))[:2] == (None, "status")
    unknown = await api.refused("GET", f"/v1/customers/{customer}/subscriptions?starting_after=sub_x")
    assert unknown == ("resource_missing", "starting_after", "No such subscription: 'sub_x'")
    for method, path in (("GET", "/v1/customers/cus_x/subscriptions"), ("PUT", OURS.format("cus_x", "sub_1"))):
        body = ACTIVE if method == "PUT" else ""
        refused = await api.refused(method, path, body, status=404)
        assert refused == ("resource_missing", "id", "No such customer: 'cus_x'")


async def test_json_is_for_our_own_routes_only(api: Api, customer: str) -> None:
    answer = await api.post("/v1/customers", '{"name": "Ada"}', Content_Type="application/json")
    assert (answer.status, "application/x-www-form-urlencoded" in answer.error["message"]) == (400, True)
    for method, path in (
        ("PUT", f"/v1/customers/{customer}"),
        ("POST", f"/v1/customers/{customer}/subscriptions"),
        ("POST", OURS.format(customer, "sub_1")),
        ("DELETE", f"/v1/customers/{customer}/subscriptions/sub_1"),
    ):
        assert "Unrecognized request URL" in (await api.refused(method, path, "", status=404))[2]


async def test_reports_take_a_key_that_may_make_them(api: Api, customer: str) -> None:
    reader = await api.issue(key_type="restricted", permissions=("subscriptions:read",))
    writer = await api.issue(key_type="restricted", permissions=("subscriptions:write",))
    publishable = await api.issue(key_type="publishable")
    assert (await put(api, customer, "sub_1", ACTIVE, key=reader)).status == 403
    assert (await put(api, customer, "sub_1", ACTIVE, key=publishable)).status == 403
    assert (await put(api, customer, "sub_1", ACTIVE, key=writer)).status == 200
    assert (await api.get(f"/v1/customers/{customer}/subscriptions", key=reader)).status == 200
    live = await api.issue(livemode=True)
    assert (await put(api, customer, "sub_1", ACTIVE, key=live)).status == 404


async def test_a_new_way_to_pay_asks_once_for_another_try_of_what_is_past_due(api: Api, customer: str) -> None:
    await past_due(api, customer, "sub_1")
    await past_due(api, customer, "sub_2", latest_invoice={**INVOICE, "id": "in_2"})
    await past_due(api, customer, "sub_3", latest_invoice={**INVOICE, "id": "in_3", "auto_advance": False})
    await past_due(api, customer, "sub_4", latest_invoice={**INVOICE, "id": "in_4"}, collection_method="send_invoice")
    before = len(await api.events("customer.updated"))

    async def request(unit: UnitOfWork) -> None:
        await unit.load(CUSTOMER, customer)
        unit.do(CUSTOMER, customer, RequestRetries(at=1_700_000_000))

    origin = Origin(account=ACCOUNT, livemode=False, at=api.core.clock.now(), actor="key_1", request_id="req_1")
    await api.core.executor.transact(request, origin)
    events = await api.events("invoice.payment_retry_requested")
    assert [
        (event["data"]["object"]["subscription"], event["data"]["object"]["invoice"], event["request"]["id"])
        for event in events
    ] == [("sub_1", "in_1", "req_1"), ("sub_2", "in_2", "req_1")]
    shown = events[0]["data"]["object"]
    assert re.fullmatch(r"prr_[0-9A-Za-z]{24}", shown.pop("id"))
    assert shown == {
        "object": "payment_retry_request",
        "automatic": False,
        "created": 1_700_000_000,
        "customer": customer,
        "invoice": "in_1",
        "livemode": False,
        "subscription": "sub_1",
    }
    assert len(await api.events("customer.updated")) == before, "nothing of the customer changed"
    await api.core.executor.transact(request, origin)
    assert len(await api.events("invoice.payment_retry_requested")) == 4, "each new way to pay asks once"


async def test_webhooks_may_ask_for_requests_to_try_again(api: Api) -> None:
    body = "url=https://example.com&enabled_events[]=invoice.payment_retry_requested"
    answer = await api.post("/v1/webhook_endpoints", body)
    assert answer.json["enabled_events"] == ["invoice.payment_retry_requested"]


async def test_the_read_model_rebuilt_is_the_one_that_stood(api: Api, customer: str) -> None:
    await report(api, customer, "sub_1", WHOLE)
    await report(api, customer, "sub_1", ACTIVE)
    await report(api, customer, "sub_2", f"{ACTIVE}&created=1600000000")
    await report(api, customer, "sub_2", f"{ACTIVE}&created=1600000001")
    await past_due(api, customer, "sub_3")
    await report(api, customer, "sub_4")
    await api.delete(OURS.format(customer, "sub_4"))
    await report(api, customer, "sub_6")
    await api.delete(OURS.format(customer, "sub_6"))
    await report(api, customer, "sub_7")
    await report(api, customer, "sub_6")
    await report(api, customer, "sub_6", f"status=paused&currency=usd&{PERIOD}")
    gone = (await api.customer())["id"]
    await report(api, gone, "sub_5")
    await api.delete(f"/v1/customers/{gone}")

    async def rows() -> list[Any]:
        return [
            tuple(row)
            for table in ("customer", "resource")
            for row in await api.core.pool.fetch(f"SELECT * FROM projections.{table} ORDER BY id")
        ]

    before = await rows()
    await rebuild_customers(api.core.dsn, api.core.folds)
    assert await rows() == before


async def test_subscriptions_serve_the_client_for_python(api: Api, customer: str) -> None:
    price = {"id": "price_1", "unit_amount": 2000}
    await past_due(api, customer, items=[{"id": "si_1", "price": price, "quantity": 1}])
    await report(api, customer, "sub_2")

    def script(client: Any) -> None:
        shown = client.v1.customers.retrieve(customer, {"expand": ["subscriptions"]})
        _, one = shown.subscriptions.data
        assert type(one).__name__ == "Subscription"
        assert (one.id, one.status, one.latest_invoice) == ("sub_1", "past_due", "in_1")
        assert one["items"].data[0].price.unit_amount == 2000
        assert (shown.delinquent, shown.currency) == (True, "usd")
        assert [each.id for each in shown.subscriptions.auto_paging_iter()] == ["sub_2", "sub_1"]
        created = client.v1.events.list({"type": "customer.subscription.created"}).data
        assert created[-1].data.object == one
        own = f"/v1/customers/{customer}/subscriptions"
        assert raw_request(client, "get", f"{own}/sub_1") == one
        assert [each.id for each in raw_request(client, "get", own, limit=1).auto_paging_iter()] == ["sub_2", "sub_1"]
        assert raw_request(client, "delete", OURS.format(customer, "sub_1")).deleted
        with pytest.raises(stripe.InvalidRequestError) as refused:
            raw_request(client, "delete", OURS.format(customer, "sub_1"))
        assert (refused.value.http_status, refused.value.code, refused.value.param) == (404, "resource_missing", "id")

    await run_script(api, script)
