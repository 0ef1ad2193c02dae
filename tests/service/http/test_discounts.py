"""Customers' discounts over the wire: given by coupons and promotion codes, counted, shown in every version, ended."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
import stripe

from events import coupon
from events.coupon import COUPON
from events.decider import Change, Decider
from events.promotion_code import PROMOTION_CODE
from events.record import Loaded
from events.scope import Scope
from events.snapshots import fold
from projections.coupons import CouponProjection
from projections.promotion_codes import PromotionCodeProjection
from service.health import Health
from service.jobs import scheduler
from service.roles import delivery
from tests.projections.rebuilding import rebuild_customers
from tests.servers.receiver import Receiver
from tests.service.http.objects import create_coupon, stored_rows
from tests.service.http.python_client import Script, raw_request, run_script
from tests.service.serving import Answer, Api, Serve
from tests.waiting import until

PATH = "/v1/customers"
OLD = {"Stripe_Version": "2025-08-27.basil"}
KEYS = [
    "id", "object", "checkout_session", "customer", "customer_account", "end", "invoice", "invoice_item",
    "promotion_code", "source", "start", "subscription", "subscription_item",
]  # fmt: skip
OLD_KEYS = [
    "id", "object", "checkout_session", "coupon", "customer", "end", "invoice", "invoice_item", "promotion_code",
    "start", "subscription", "subscription_item",
]  # fmt: skip


async def code(api: Api, body: str = "coupon=SALE") -> Any:
    answer = await api.post("/v1/promotion_codes", body)
    assert answer.status == 200, answer.body
    return answer.json


async def redeemed(api: Api, id: str = "SALE") -> int:
    shown = (await api.get(f"/v1/coupons/{id}")).json
    times: int = shown["times_redeemed"]
    return times


@pytest.fixture
async def kept(api: Api) -> AsyncIterator[Api]:
    """One application, and beside it whoever does what is due."""
    stop = asyncio.Event()
    keeping = asyncio.create_task(scheduler.run(api.core, stop))
    yield api
    stop.set()
    await keeping


async def test_a_coupon_gives_a_discount_and_counts_that(api: Api) -> None:
    await create_coupon(api, "percent_off=10&id=SALE&max_redemptions=1")
    customer = await api.customer("coupon=SALE")
    discount = customer["discount"]
    assert list(discount) == KEYS
    assert discount["id"].startswith("di_")
    assert {key: discount[key] for key in KEYS if key not in ("id", "start")} == {
        "object": "discount",
        "checkout_session": None,
        "customer": customer["id"],
        "customer_account": None,
        "end": None,
        "invoice": None,
        "invoice_item": None,
        "promotion_code": None,
        "source": {"coupon": "SALE", "type": "coupon"},
        "subscription": None,
        "subscription_item": None,
    }
    assert discount["start"] == customer["created"]
    shown = (await api.get("/v1/coupons/SALE")).json
    assert (shown["times_redeemed"], shown["valid"]) == (1, False)
    assert (await api.get(f"{PATH}/{customer['id']}")).json == customer
    assert (await api.get(f"{PATH}/{customer['id']}/discount")).json == discount
    assert [event["type"] for event in await api.events()] == [
        "coupon.created", "customer.created", "customer.discount.created",
    ]  # fmt: skip
    assert (await api.events("customer.*"))[-1]["data"] == {"object": discount}


async def test_a_promotion_code_gives_one_and_both_are_counted(api: Api) -> None:
    await create_coupon(api, "percent_off=10&id=SALE")
    promotion = (await code(api))["id"]
    customer = await api.customer(f"promotion_code={promotion}&expand[]=discount.promotion_code")
    assert customer["discount"]["promotion_code"]["times_redeemed"] == 1
    assert customer["discount"]["source"]["coupon"] == "SALE"
    assert (await api.get(f"/v1/promotion_codes/{promotion}")).json["times_redeemed"] == 1
    assert await redeemed(api) == 1


async def test_a_repeating_one_ends_after_its_months_and_others_do_not(api: Api) -> None:
    for duration, months in (("once", ""), ("forever", ""), ("repeating", "&duration_in_months=3")):
        await create_coupon(api, f"percent_off=10&id={duration}&duration={duration}{months}")
        discount = (await api.customer(f"coupon={duration}"))["discount"]
        if duration == "repeating":
            start, end = (datetime.fromtimestamp(discount[key], UTC) for key in ("start", "end"))
            assert (end.year * 12 + end.month) - (start.year * 12 + start.month) == 3
            assert end.time() == start.time()
        else:
            assert discount["end"] is None


async def test_a_second_one_replaces_the_first_and_shows_what_was_before(api: Api) -> None:
    await create_coupon(api, "percent_off=10&id=SALE")
    await create_coupon(api, "percent_off=20&id=MORE&duration=repeating&duration_in_months=1")
    customer = await api.customer("coupon=SALE")
    before = customer["discount"]
    after = (await api.update(customer["id"], "coupon=MORE&name=Jenny"))["discount"]
    assert after["id"] != before["id"]
    updated, discount = (await api.events("customer.*"))[-2:]
    assert (updated["type"], discount["type"]) == ("customer.updated", "customer.discount.updated")
    assert discount["data"]["object"] == after
    previous = {"end": None, "id": before["id"], "source": {"coupon": "SALE"}}
    if before["start"] != after["start"]:
        previous["start"] = before["start"]
    assert discount["data"]["previous_attributes"] == previous
    assert updated["data"]["previous_attributes"] == {"discount": previous, "name": None}
    assert await redeemed(api, "SALE") == await redeemed(api, "MORE") == 1


@pytest.mark.parametrize("way", ["update", "delete"])
async def test_a_discount_is_taken_away(api: Api, way: str) -> None:
    await create_coupon(api, "percent_off=10&id=SALE")
    customer = await api.customer("coupon=SALE")
    own = f"{PATH}/{customer['id']}/discount"
    if way == "update":
        assert (await api.update(customer["id"], "coupon="))["discount"] is None
        assert (await api.update(customer["id"], "coupon="))["discount"] is None, "and again"
    else:
        removed = await api.delete(own)
        assert removed.status == 200
        expected = {key: value for key, value in customer["discount"].items() if key != "end"} | {"deleted": True}
        assert removed.json == expected
        assert list(removed.json) == ["id", "object", *sorted(expected.keys() - {"id", "object"})]
    assert (await api.get(f"{PATH}/{customer['id']}")).json["discount"] is None
    for method in ("GET", "DELETE"):
        assert await api.refused(method, own, status=404) == (
            "resource_missing", "id", f"No active discount for customer: {customer['id']}",
        )  # fmt: skip
    updated, deleted = (await api.events("customer.*"))[-2:]
    assert (updated["type"], deleted["type"]) == ("customer.updated", "customer.discount.deleted")
    assert deleted["data"] == {"object": customer["discount"]}
    assert await redeemed(api) == 1, "what was redeemed stays redeemed"


async def test_it_goes_with_the_customer(api: Api) -> None:
    await create_coupon(api, "percent_off=10&id=SALE&duration=repeating&duration_in_months=1")
    customer = await api.customer("coupon=SALE")
    await api.delete(f"{PATH}/{customer['id']}")
    events = (await api.events("customer.*"))[-2:]
    assert [event["type"] for event in events] == ["customer.discount.deleted", "customer.deleted"]
    assert events[1]["data"]["object"]["discount"] == customer["discount"], "as it last was"
    for method in ("GET", "DELETE"):
        assert (await api.refused(method, f"{PATH}/{customer['id']}/discount", status=404))[0] == "resource_missing"
    assert await api.core.pool.fetchval("SELECT count(*) FROM projections.due") == 0


async def test_one_given_stays_when_its_coupon_is_deleted_and_still_shows_it(api: Api) -> None:
    await create_coupon(api, "percent_off=10&id=SALE&name=Summer")
    id = (await api.customer("coupon=SALE"))["id"]
    await api.delete("/v1/coupons/SALE")
    shown = (await api.get(f"{PATH}/{id}?expand[]=discount.source.coupon")).json["discount"]["source"]["coupon"]
    assert (shown["id"], shown["name"], shown["valid"]) == ("SALE", "Summer", False)
    assert (await api.get(f"{PATH}/{id}", **OLD)).json["discount"]["coupon"] == shown


async def test_what_is_asked_for_is_expanded(api: Api) -> None:
    await create_coupon(api, "percent_off=10&id=SALE")
    promotion = await code(api)
    id = (await api.customer(f"promotion_code={promotion['id']}"))["id"]
    own = f"{PATH}/{id}/discount?expand[]=customer&expand[]=source.coupon&expand[]=promotion_code.promotion.coupon"
    shown = (await api.get(own)).json
    assert (shown["customer"]["id"], shown["source"]["coupon"]["id"]) == (id, "SALE")
    assert shown["promotion_code"]["promotion"]["coupon"] == shown["source"]["coupon"]
    listed = (await api.get(f"{PATH}?expand[]=data.discount.source.coupon")).json["data"]
    assert listed[0]["discount"]["source"]["coupon"]["times_redeemed"] == 1
    assert (await api.refused("GET", f"{PATH}/{id}/discount?expand[]=coupon"))[:2] == (None, "expand")
    removed = (await api.delete(own)).json
    assert (removed["deleted"], removed["customer"]["discount"]) == (True, None)
    assert removed["promotion_code"] == shown["promotion_code"]
    assert removed["source"]["coupon"] == shown["source"]["coupon"]


async def refusals(api: Api) -> list[tuple[str, str | None, str]]:
    """Parameters that give no discount, and how they are refused."""
    await create_coupon(api, "percent_off=10&id=SALE")
    await create_coupon(api, "percent_off=10&id=USED&max_redemptions=1")
    used_code = (await code(api, "coupon=SALE&max_redemptions=1"))["id"]
    of_used = (await code(api, "coupon=USED"))["id"]
    await api.customer("coupon=USED")
    await api.customer(f"promotion_code={used_code}")
    await create_coupon(api, "percent_off=10&id=GONE")
    of_gone = (await code(api, "coupon=GONE"))["id"]
    await api.delete("/v1/coupons/GONE")
    inactive = (await code(api, "coupon=SALE&active=false"))["id"]
    somebody = (await api.customer())["id"]
    anothers = (await code(api, f"coupon=SALE&customer={somebody}"))["id"]
    return [
        ("coupon=NONE", "resource_missing", "coupon"),
        ("coupon=GONE", "resource_missing", "coupon"),
        ("coupon=USED", "coupon_expired", "coupon"),
        ("promotion_code=promo_x", "resource_missing", "promotion_code"),
        ("promotion_code=SALE", "resource_missing", "promotion_code"),
        (f"promotion_code={used_code}", "coupon_expired", "promotion_code"),
        (f"promotion_code={of_used}", "coupon_expired", "promotion_code"),
        (f"promotion_code={of_gone}", "coupon_expired", "promotion_code"),
        (f"promotion_code={inactive}", None, "promotion_code"),
        (f"promotion_code={anothers}", None, "promotion_code"),
        ("promotion_code=", "parameter_invalid_empty", "promotion_code"),
        (f"coupon=SALE&promotion_code={anothers}", "parameters_exclusive", "promotion_code"),
        (f"promotion_code={anothers}&coupon=SALE", "parameters_exclusive", "promotion_code"),
        ("discount=SALE", "parameter_unknown", "discount"),
    ]


async def test_one_that_cannot_be_given_refuses_the_whole_request_and_leaves_nothing(api: Api) -> None:
    impossible = await refusals(api)
    customer = await api.customer("name=Before&coupon=SALE")
    before = await stored_rows(api)
    for body, error, param in [*impossible, ("coupon=", "parameter_invalid_empty", "coupon")]:
        assert (await api.refused("POST", PATH, f"name=x&{body}"))[:2] == (error, param), body
    for body, error, param in [
        *impossible,
        ("coupon=&promotion_code=promo_x", "parameters_exclusive", "promotion_code"),
    ]:
        assert (await api.refused("POST", f"{PATH}/{customer['id']}", f"name=x&{body}"))[:2] == (error, param), body
    assert await stored_rows(api) == before
    assert (await api.refused("POST", f"{PATH}/cus_x", "coupon=SALE", status=404))[:2] == ("resource_missing", "id")


async def test_a_code_for_one_customer_is_theirs(api: Api) -> None:
    await create_coupon(api, "percent_off=10&id=SALE")
    id = (await api.customer())["id"]
    promotion = (await code(api, f"coupon=SALE&customer={id}&restrictions[first_time_transaction]=true"))["id"]
    assert (await api.update(id, f"promotion_code={promotion}"))["discount"]["promotion_code"] == promotion


async def test_a_code_for_first_purchases_is_not_for_who_has_paid_before(api: Api) -> None:
    await create_coupon(api, "percent_off=10&id=SALE")
    first = (await code(api, "coupon=SALE&restrictions[first_time_transaction]=true"))["id"]
    id = (await api.customer())["id"]
    path = f"/v1/rollbook/customers/{id}/subscriptions/sub_1"
    report = "status=active&currency=usd&current_period_start=1&current_period_end=2&latest_invoice[auto_advance]=true"
    for invoice in (
        "latest_invoice[id]=in_1&latest_invoice[status]=paid",
        "latest_invoice[id]=in_2&latest_invoice[status]=open",
    ):
        assert (await api.ask("PUT", path, f"{report}&{invoice}")).status == 200
    await api.ask("DELETE", path)
    assert (await api.refused("POST", f"{PATH}/{id}", f"promotion_code={first}"))[:2] == (None, "promotion_code")
    assert (await api.get(f"/v1/promotion_codes/{first}")).json["times_redeemed"] == 0
    await api.customer(f"promotion_code={first}")


async def test_another_accounts_coupons_are_nobodys_here(api: Api) -> None:
    for key in (await api.issue(account="acct_other"), await api.issue(livemode=True)):
        await create_coupon(api, "percent_off=10&id=SALE", key=key)
        answer = await api.post("/v1/promotion_codes", "coupon=SALE", key=key)
        assert (await api.refused("POST", PATH, "coupon=SALE"))[:2] == ("resource_missing", "coupon")
        refusal = await api.refused("POST", PATH, f"promotion_code={answer.json['id']}")
        assert refusal[:2] == ("resource_missing", "promotion_code")


@pytest.mark.parametrize("way", ["coupon", "promotion_code", "codes"])
async def test_fifty_at_once_over_two_processes_redeem_it_exactly_as_often_as_it_allows(serve: Serve, way: str) -> None:
    one, other = await serve(), await serve()
    await create_coupon(one, "percent_off=10&id=SALE&max_redemptions=10")
    codes = [(await code(one))["id"] for _ in range(5)]
    named = {
        "coupon": ["coupon=SALE"],
        "promotion_code": [f"promotion_code={codes[0]}"],
        "codes": [f"promotion_code={id}" for id in codes],
    }[way]
    customers = [(await one.customer())["id"] for _ in range(25)]

    async def redeem(number: int) -> Answer:
        api = (one, other)[number % 2]
        path = f"{PATH}/{customers[number // 2]}" if number % 2 else PATH
        return await api.post(path, named[number % len(named)])

    answers = await asyncio.gather(*(redeem(number) for number in range(50)))
    given = [answer.json for answer in answers if answer.status == 200]
    refused = Counter((answer.status, answer.error["code"]) for answer in answers if answer.status != 200)
    assert len(given) == 10
    assert refused == {(400, "coupon_expired"): 40}
    assert len({customer["discount"]["id"] for customer in given}) == 10
    shown = (await other.get("/v1/coupons/SALE")).json
    assert (shown["times_redeemed"], shown["valid"]) == (10, False)
    counts = [(await one.get(f"/v1/promotion_codes/{id}")).json["times_redeemed"] for id in codes]
    assert sum(counts) == (0 if way == "coupon" else 10)
    listed = (await one.get(f"{PATH}?limit=100")).json["data"]
    assert sum(customer["discount"] is not None for customer in listed) == 10
    assert len(await one.events("customer.discount.created")) == 10
    assert len(listed) == 25 + sum(answer.status == 200 for answer in answers[::2])


async def test_who_asks_again_under_one_key_has_redeemed_it_once(api: Api) -> None:
    await create_coupon(api, "percent_off=10&id=SALE&max_redemptions=1")
    for headers in ({}, OLD):
        key = {"Idempotency_Key": f"k{len(headers)}", **headers}
        if headers:
            await create_coupon(api, "percent_off=10&id=OTHER&max_redemptions=2")
        name = "OTHER" if headers else "SALE"
        first = await api.post(PATH, f"coupon={name}", **key)
        assert first.status == 200
        if headers:
            await api.customer("coupon=OTHER")  # counts on meanwhile
        again = await api.post(PATH, f"coupon={name}", **key)
        assert (again.status, again.body) == (200, first.body)
        assert again.headers["Idempotent-Replayed"] == "true"
    refused = await api.post(PATH, "coupon=SALE", Idempotency_Key="other")
    assert (refused.status, refused.error["code"]) == (400, "coupon_expired")
    assert await redeemed(api) == 1


async def test_older_versions_show_the_coupon_whole(api: Api) -> None:
    await create_coupon(api, "percent_off=10&id=SALE")
    promotion = await code(api)
    created = await api.post(PATH, f"promotion_code={promotion['id']}&business_name=Rosen", **OLD)
    customer = created.json
    assert list(customer["discount"]) == OLD_KEYS
    assert customer["discount"]["coupon"] == (await api.get("/v1/coupons/SALE")).json
    assert customer["discount"]["coupon"]["times_redeemed"] == 1, "as this request left it"
    assert "business_name" not in customer
    assert created.headers["Stripe-Version"] == OLD["Stripe_Version"]
    id = customer["id"]
    for answer in (
        await api.get(f"{PATH}/{id}", **OLD),
        await api.post(f"{PATH}/{id}", "business_name=Rosen", **OLD),
    ):
        assert answer.json == customer
    assert (await api.get(PATH, **OLD)).json["data"] == [customer]
    assert (await api.get(f"{PATH}/{id}/discount", **OLD)).json == customer["discount"]
    shown = (await api.get(f"/v1/promotion_codes/{promotion['id']}", **OLD)).json
    assert (shown["coupon"]["id"], "promotion" in shown, "customer_account" in shown) == ("SALE", False, False)
    expanded = (await api.get(f"{PATH}/{id}?expand[]=discount.promotion_code", **OLD)).json
    assert expanded["discount"]["promotion_code"] == shown
    within = (await api.get(f"{PATH}/{id}?expand[]=discount.coupon.currency_options", **OLD)).json
    assert within["discount"]["coupon"] == customer["discount"]["coupon"] | {"currency_options": {}}
    listed = (await api.get("/v1/promotion_codes?expand[]=data.coupon.currency_options", **OLD)).json["data"]
    assert listed[0]["coupon"] == within["discount"]["coupon"]
    for path in ("discount.coupon", "discount.coupon.id", "discount.coupon.x.currency_options"):
        refused = await api.get(f"{PATH}/{id}?expand[]={path}", **OLD)
        assert (refused.status, refused.error["param"]) == (400, "expand")
    newest = (await api.get(f"{PATH}/{id}")).json
    assert (list(newest["discount"]), newest["business_name"]) == (KEYS, "Rosen")
    between = (await api.get(f"{PATH}/{id}", Stripe_Version="2025-09-30.clover")).json
    assert between["discount"].keys() == set(KEYS) - {"customer_account"}
    assert between["business_name"] == "Rosen"
    removed = (await api.delete(f"{PATH}/{id}/discount", **OLD)).json
    assert (removed["coupon"]["id"], removed["deleted"], "end" in removed) == ("SALE", True, False)
    assert (await api.post(f"{PATH}/{id}", "coupon=NONE", **OLD)).error["code"] == "resource_missing"
    [first, *_] = (await api.get("/v1/events?type=customer.created", **OLD)).json["data"]
    assert first["api_version"] == "2026-10-28.endive", "a published event is frozen"
    assert list(first["data"]["object"]["discount"]) == KEYS


async def test_a_page_in_an_older_version_asks_for_its_coupons_at_once(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(6):
        await create_coupon(api, f"percent_off=10&id=C{number}")
        await api.customer(f"coupon=C{number}")
    asked: list[Sequence[str]] = []
    pool = api.core.reader._pool
    fetch = pool.fetch

    async def counting(query: str, *arguments: Any) -> Any:
        if query.startswith("-- get_many_resources:"):
            asked.append(arguments[3])
        return await fetch(query, *arguments)

    monkeypatch.setattr(pool, "fetch", counting)
    shown = (await api.get(PATH, **OLD)).json["data"]
    assert [customer["discount"]["coupon"]["id"] for customer in shown] == [f"C{number}" for number in range(5, -1, -1)]
    assert asked == [[f"C{number}" for number in range(6)]], "not one by one"
    asked.clear()
    await api.get(PATH)
    assert asked == [], "the newest version asks for nothing"


async def test_an_account_of_an_older_version_gets_answers_and_events_in_that(serve: Serve, receiver: Receiver) -> None:
    api = await serve(api_version="2025-08-27.basil")
    await create_coupon(api, "percent_off=10&id=SALE")
    customer = await api.customer("coupon=SALE")
    assert customer["discount"]["coupon"]["id"] == "SALE"
    [event] = await api.events("customer.discount.created")
    assert (event["api_version"], list(event["data"]["object"])) == ("2025-08-27.basil", OLD_KEYS)
    assert (await api.get(f"/v1/events/{event['id']}")).json == event


async def test_receivers_get_events_in_the_version_of_their_endpoint(api: Api, receiver: Receiver) -> None:
    for path, version in (("/new", ""), ("/old", "&api_version=2025-08-27.basil")):
        body = f"url={receiver.url(path)}&enabled_events[]=customer.discount.created{version}"
        assert (await api.post("/v1/webhook_endpoints", body)).status == 200
    await create_coupon(api, "percent_off=10&id=SALE")
    customer = await api.customer("coupon=SALE")
    stop = asyncio.Event()
    working = asyncio.create_task(delivery.worker(api.core, Health(api.core, prepared=True), stop))
    await receiver.wait_for(2)
    stop.set()
    await working
    [new], [old] = receiver.received("/new"), receiver.received("/old")
    assert orjson.loads(new.body)["data"]["object"] == customer["discount"]
    event = orjson.loads(old.body)
    assert (event["api_version"], list(event["data"]["object"])) == ("2025-08-27.basil", OLD_KEYS)
    assert event["data"]["object"]["coupon"]["percent_off"] == 10


async def test_it_ends_by_itself_when_its_months_are_over(kept: Api) -> None:
    clock = (await kept.post("/v1/test_helpers/test_clocks", "frozen_time=1769862600")).json  # 2026-01-31
    await create_coupon(kept, "percent_off=10&id=SALE&duration=repeating&duration_in_months=1")
    customer = await kept.customer(f"coupon=SALE&test_clock={clock['id']}")
    id, end = customer["id"], customer["discount"]["end"]
    assert (customer["discount"]["start"], end) == (1769862600, 1772281800)  # 2026-02-28, the same time of day

    async def advance(time: int) -> None:
        own = f"/v1/test_helpers/test_clocks/{clock['id']}"
        assert (await kept.post(f"{own}/advance", f"frozen_time={time}")).status == 200

        async def arrived() -> bool:
            shown = (await kept.get(own)).json
            return bool(shown["status"] == "ready" and shown["frozen_time"] == time)

        await until(arrived)

    await advance(end - 1)
    assert (await kept.get(f"{PATH}/{id}")).json["discount"] == customer["discount"]
    await advance(end)
    assert (await kept.get(f"{PATH}/{id}")).json["discount"] is None
    updated, deleted = (await kept.events("customer.*"))[-2:]
    assert (updated["type"], deleted["type"]) == ("customer.updated", "customer.discount.deleted")
    assert deleted["data"] == {"object": customer["discount"]}
    assert (updated["request"], deleted["request"]) == (None, None)


async def test_of_one_that_was_replaced_or_taken_away_nothing_is_due(api: Api) -> None:
    await create_coupon(api, "percent_off=10&id=MONTH&duration=repeating&duration_in_months=1")
    await create_coupon(api, "percent_off=10&id=SALE")
    due = "SELECT array_agg(subject) FROM projections.due WHERE task = 'discount.end'"
    customer = await api.customer("coupon=MONTH")
    assert await api.core.pool.fetchval(due) == [customer["discount"]["id"]]
    again = await api.update(customer["id"], "coupon=MONTH")
    assert await api.core.pool.fetchval(due) == [again["discount"]["id"]]
    await api.update(customer["id"], "coupon=SALE")
    assert await api.core.pool.fetchval(due) is None
    await api.update(customer["id"], "coupon=MONTH")
    await api.delete(f"{PATH}/{customer['id']}/discount")
    assert await api.core.pool.fetchval(due) is None


async def test_the_log_alone_leads_to_the_same_rows(api: Api) -> None:
    await create_coupon(api, "percent_off=10&id=SALE&max_redemptions=3&name=Summer&metadata[a]=1&redeem_by=99999999999")
    promotion = (await code(api, "coupon=SALE&metadata[b]=2"))["id"]
    await api.customer("coupon=SALE")
    id = (await api.customer(f"promotion_code={promotion}"))["id"]
    await api.post("/v1/coupons/SALE", "name=Winter")
    await api.post(f"/v1/promotion_codes/{promotion}", "active=false")
    await api.delete(f"{PATH}/{id}/discount")
    await create_coupon(api, "amount_off=5&currency=usd&id=GONE")
    await api.delete("/v1/coupons/GONE")
    core = api.core
    rows = await core.pool.fetch("SELECT * FROM projections.resource WHERE kind IN ('coupon', 'promotion_code')")
    assert len(rows) == 3
    projections: dict[str, tuple[Decider[Any, Any, Any], Any]] = {
        "coupon": (COUPON, CouponProjection("v").rows),
        "promotion_code": (PROMOTION_CODE, PromotionCodeProjection("v").rows),
    }
    for row in rows:
        decider, project = projections[row["kind"]]
        name = (
            coupon.key(Scope(row["account"], row["livemode"]), row["id"]) if row["kind"] == coupon.KIND else row["id"]
        )
        stream = decider.stream(name)
        loaded: Loaded = await core.log.load(stream)
        cached = fold(decider, core.codec, core.master_keys, stream, loaded)
        assert cached is not None
        last = loaded.records[-1]
        change = Change(
            kind=decider.kind,
            stream=stream,
            before=decider.initial,
            after=cached.state,
            version=cached.version,
            steps=[(core.codec.decode(last, key=cached.key), cached.state)],
            origin=last.origin,
        )
        again = project(change).resources[0]
        shown = {name: row[name] for name in ("id", "created", "version", "deleted", "lookup", "body")}
        assert {name: getattr(again, name) for name in shown} == shown
        assert orjson.loads(again.facts) == orjson.loads(row["facts"])
    customers = await core.pool.fetch("SELECT * FROM projections.customer ORDER BY id")
    await rebuild_customers(core.dsn, core.folds)
    assert await core.pool.fetch("SELECT * FROM projections.customer ORDER BY id") == customers


@pytest.mark.parametrize("version", [None, "2025-08-27.basil"])
async def test_the_client_for_python_gives_reads_and_removes_them(api: Api, version: str | None) -> None:
    def script(client: Any) -> None:
        customers = client.v1.customers
        client.v1.coupons.create({"percent_off": 25, "id": "SALE"})
        code = client.v1.promotion_codes.create({"promotion": {"type": "coupon", "coupon": "SALE"}})
        customer = customers.create({"coupon": "SALE"})
        discount = customer.discount
        assert type(discount).__name__ == "Discount"
        if version:
            assert (type(discount.coupon).__name__, discount.coupon.percent_off) == ("Coupon", 25)
        else:
            assert (discount.source.type, discount.source.coupon) == ("coupon", "SALE")
        changed = customers.update(customer.id, {"promotion_code": code.id, "expand": ["discount.promotion_code"]})
        assert changed.discount.promotion_code.code == code.code
        assert raw_request(client, "get", f"{PATH}/{customer.id}/discount").id == changed.discount.id
        gone = customers.delete_discount(customer.id)
        assert (gone.id, gone.deleted) == (changed.discount.id, True)
        assert customers.retrieve(customer.id).discount is None
        again = customers.update(customer.id, {"coupon": "SALE"})
        assert again.discount.id != discount.id
        assert customers.update(customer.id, {"coupon": ""}).discount is None

    options = {"stripe_version": version} if version else {}
    await run_script(api, script, **options)


@pytest.mark.parametrize(
    ("wrong", "status", "code", "param"),
    [
        (lambda c: c.v1.customers.create({"coupon": "X"}), 400, "resource_missing", "coupon"),
        (lambda c: c.v1.customers.create({"promotion_code": "promo_x"}), 400, "resource_missing", "promotion_code"),
        (lambda c: c.v1.customers.create({"coupon": "X", "promotion_code": "promo_x"}), 400, "parameters_exclusive",
         "promotion_code"),
        (lambda c: c.v1.customers.delete_discount("cus_x"), 404, "resource_missing", "id"),
        (lambda c: c.v1.customers.delete_discount(c.v1.customers.create({}).id), 404, "resource_missing", "id"),
        (lambda c: [c.v1.coupons.create({"id": "X", "percent_off": 1, "max_redemptions": 1}),
                    [c.v1.customers.create({"coupon": "X"}) for _ in range(2)]], 400, "coupon_expired", "coupon"),
    ],
)  # fmt: skip
async def test_refusals_are_the_clients_own_errors(
    api: Api, wrong: Script, status: int, code: str | None, param: str | None
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as raised:
        await run_script(api, wrong)
    error = raised.value.error
    assert error is not None
    assert (raised.value.http_status, error.code, error.param) == (status, code, param)
