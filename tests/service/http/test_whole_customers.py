"""A customer with everything it can have: one request, one commit, and all published in order; and its deletion."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

import asyncpg
import pytest

from tests.projections.rebuilding import rebuild_customers
from tests.service.serving import Api

EVERYTHING = {
    "address[country]": "DE",
    "balance": "-500",
    "cash_balance[settings][reconciliation_mode]": "manual",
    "coupon": "SALE",
    "email": "jenny@example.com",
    "metadata[tier]": "gold",
    "payment_method": "pm_card_visa",
    "shipping[address][country]": "FR",
    "shipping[name]": "Jenny",
    "source": "tok_mastercard",
    "tax[ip_address]": "203.0.113.7",
    "tax_exempt": "reverse",
    "tax_id_data[0][type]": "us_ein",
    "tax_id_data[0][value]": "12-3456789",
    "tax_id_data[1][type]": "eu_vat",
    "tax_id_data[1][value]": "DE123456789",
}
EXPANDED = (
    "cash_balance",
    "default_source",
    "discount.source.coupon",
    "invoice_credit_balance",
    "sources.data.customer",
    "subscriptions",
    "tax",
    "tax_ids.data.customer.default_source",
)
RETRY = "invoice.payment_retry_requested"
DEFAULT = "invoice_settings[default_payment_method]"
STATE = """
SELECT (SELECT position FROM events.head), (SELECT count(*) FROM projections.customer),
    (SELECT count(*) FROM projections.resource), (SELECT sequence FROM projections.notice_head),
    (SELECT count(*) FROM projections.due)
"""


@pytest.fixture
async def owner(database: str) -> Any:
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


async def with_everything(api: Api, **headers: Any) -> Any:
    """A customer made with everything at once, expanded in every direction."""
    await api.post("/v1/coupons", "id=SALE&percent_off=25&duration=repeating&duration_in_months=3")
    asked = EVERYTHING | {f"expand[{index}]": path for index, path in enumerate(EXPANDED)}
    return await api.customer(urlencode(asked), **headers)


async def published(api: Api) -> list[Any]:
    """Every published event, in order."""
    return list(reversed((await api.get("/v1/events?limit=100")).json["data"]))


async def rows(owner: asyncpg.Connection) -> list[Any]:
    """The read models of customers and of what they have."""
    customers = await owner.fetch("SELECT * FROM projections.customer ORDER BY id")
    resources = await owner.fetch("SELECT * FROM projections.resource ORDER BY kind, id")
    return [tuple(row) for row in (*customers, *resources)]


async def test_one_request_makes_all_of_it_and_shows_it_as_it_will_be_read(api: Api) -> None:
    made = await with_everything(api)
    query = "&".join(f"expand[]={path}" for path in EXPANDED)
    assert (await api.get(f"/v1/customers/{made['id']}?{query}")).json == made
    assert made["default_source"]["brand"] == "MasterCard"
    assert made["sources"]["data"][0]["customer"]["default_source"] == made["default_source"]["id"]
    assert made["discount"]["source"]["coupon"]["times_redeemed"] == 1
    assert [one["type"] for one in made["tax_ids"]["data"]] == ["eu_vat", "us_ein"]
    assert made["tax_ids"]["data"][0]["customer"]["default_source"] == made["default_source"]
    assert (made["balance"], made["currency"], made["invoice_credit_balance"]) == (-500, "usd", {"usd": 500})
    assert made["cash_balance"]["settings"]["reconciliation_mode"] == "manual"
    assert made["tax"]["location"] == {"country": "FR", "source": "shipping_destination", "state": None}
    assert made["subscriptions"]["data"] == []
    [method] = (await api.get(f"/v1/customers/{made['id']}/payment_methods")).json["data"]
    assert (method["card"]["brand"], method["customer"]) == ("visa", made["id"])


async def test_all_of_it_is_published_in_one_order_under_one_request(api: Api) -> None:
    made = await with_everything(api)
    events = [event for event in await published(api) if event["type"] != "coupon.created"]
    assert [event["type"] for event in events] == [
        "customer.created",
        "customer.source.created",
        "payment_method.attached",
        "customer.discount.created",
        "customer.tax_id.created",
        "customer.tax_id.created",
    ]
    assert len({event["request"]["id"] for event in events}) == 1
    plain = (await api.get(f"/v1/customers/{made['id']}")).json
    assert events[0]["data"]["object"] == plain


async def test_it_is_one_commit(api: Api, owner: asyncpg.Connection) -> None:
    await with_everything(api)
    query = "SELECT count(DISTINCT xmin::text), count(*) FROM events.log WHERE type NOT LIKE 'coupon.created'"
    commits, events = await owner.fetchrow(f"{query} AND type NOT LIKE 'api_key%'")
    assert commits == 1
    assert events >= 10


@pytest.mark.parametrize(
    ("wrong", "status", "code", "param"),
    [
        ({"coupon": "NONE"}, 400, "resource_missing", "coupon"),
        ({"source": "tok_none"}, 400, "resource_missing", "source"),
        ({"source": "tok_chargeDeclined"}, 402, "card_declined", None),
        ({"payment_method": "pm_none"}, 400, "resource_missing", "payment_method"),
        ({"payment_method": "pm_card_chargeDeclined"}, 402, "card_declined", None),
        ({"tax_id_data[1][value]": "1"}, 400, "tax_id_invalid", "tax_id_data[1][value]"),
        ({"test_clock": "clock_none"}, 400, "resource_missing", "test_clock"),
        ({"balance": "9999999999999"}, 400, None, "balance"),
        (
            {"invoice_settings[default_payment_method]": "pm_none"},
            400,
            None,
            "invoice_settings[default_payment_method]",
        ),
    ],
)
async def test_one_thing_that_cannot_be_refuses_all_of_it_and_leaves_nothing(
    api: Api, owner: asyncpg.Connection, wrong: dict[str, str], status: int, code: str | None, param: str | None
) -> None:
    await api.post("/v1/coupons", "id=SALE&percent_off=25")
    before = tuple(await owner.fetchrow(STATE))
    answer = await api.post("/v1/customers", urlencode(EVERYTHING | wrong))
    assert answer.status == status, answer.body
    assert answer.error.get("code") == (code or answer.error.get("code"))
    assert answer.error.get("param") == (param or answer.error.get("param"))
    assert tuple(await owner.fetchrow(STATE)) == before
    assert (await api.get("/v1/coupons/SALE")).json["times_redeemed"] == 0


async def test_under_one_key_it_is_made_once_and_answered_the_same(api: Api) -> None:
    first = await with_everything(api, Idempotency_Key="again")
    assert await with_everything(api, Idempotency_Key="again") == first
    assert (await api.get("/v1/coupons/SALE")).json["times_redeemed"] == 1
    assert len((await api.get("/v1/customers")).json["data"]) == 1


async def test_what_it_has_ends_with_it_in_order_and_in_one_commit(api: Api, owner: asyncpg.Connection) -> None:
    await api.post("/v1/coupons", "id=SALE&percent_off=25")
    without_cash = {name: value for name, value in EVERYTHING.items() if not name.startswith("cash_balance")}
    made = await api.customer(urlencode(without_cash))
    id = made["id"]
    report = "status=active&collection_method=charge_automatically&current_period_start=1&current_period_end=2"
    answer = await api.ask("PUT", f"/v1/rollbook/customers/{id}/subscriptions/sub_1", f"{report}&currency=usd")
    assert answer.status == 200, answer.body
    [method] = (await api.get(f"/v1/customers/{id}/payment_methods")).json["data"]
    before = len(await published(api))
    assert (await api.delete(f"/v1/customers/{id}")).json == {"id": id, "object": "customer", "deleted": True}
    events = (await published(api))[before:]
    assert [event["type"] for event in events] == [
        "customer.source.deleted",
        "payment_method.detached",
        "customer.discount.deleted",
        "customer.tax_id.deleted",
        "customer.tax_id.deleted",
        "customer.subscription.deleted",
        "customer.deleted",
    ]
    assert len({event["request"]["id"] for event in events}) == 1
    assert events[-1]["data"]["object"]["email"] == "jenny@example.com"
    for path in (
        "",
        "/sources",
        "/payment_methods",
        "/tax_ids",
        "/discount",
        "/subscriptions",
        "/balance_transactions",
    ):
        answer = await api.get(f"/v1/customers/{id}{path}")
        assert answer.status == (404 if path else 200), path
    assert (await api.get(f"/v1/payment_methods/{method['id']}")).json["customer"] is None
    left = await owner.fetchval("SELECT count(*) FROM projections.due WHERE id = $1", id)
    assert left == 0


async def test_one_update_that_changes_much_publishes_the_customer_once(api: Api) -> None:
    made = await with_everything(api)
    before = len(await published(api))
    await api.post("/v1/coupons", "id=OTHER&percent_off=5")
    await api.update(made["id"], "source=tok_visa&coupon=OTHER&balance=100&name=Jen")
    events = (await published(api))[before + 1 :]
    assert [event["type"] for event in events] == [
        "customer.updated",
        "customer.source.created",
        "customer.source.deleted",
        "customer.discount.updated",
    ]
    previous = events[0]["data"]["previous_attributes"]
    assert set(previous) == {"balance", "default_source", "discount", "name"}
    assert previous["balance"] == -500
    assert set(previous["discount"]) >= {"id", "source"}


async def test_a_rebuild_leads_to_the_same_rows(api: Api, owner: asyncpg.Connection, database: str) -> None:
    await with_everything(api)
    made = await api.customer("source=tok_visa")
    await api.update(made["id"], "source=tok_mastercard&balance=7")
    before = await rows(owner)
    await rebuild_customers(database, api.core.folds)
    assert await rows(owner) == before


async def test_a_page_is_expanded_by_so_many_queries_whatever_its_length(api: Api, owner: asyncpg.Connection) -> None:
    await api.post("/v1/coupons", "id=SALE&percent_off=25")
    body = urlencode(EVERYTHING | {"expand[0]": "sources"})
    asked = "&".join(f"expand[]=data.{path}" for path in EXPANDED if path.count(".") < 3)
    queries: list[int] = []
    for count in (2, 12):
        have = len((await api.get("/v1/customers?limit=100")).json["data"])
        await asyncio.gather(*(api.customer(body) for _ in range(count - have)))
        with counting(api) as counted:
            page = await api.get(f"/v1/customers?limit=100&{asked}")
        assert len(page.json["data"]) == count
        queries.append(len(counted))
    assert queries[0] == queries[1]
    assert queries[1] <= 14


@contextmanager
def counting(api: Api) -> Iterator[list[str]]:
    """The queries that the application's reader asks meanwhile."""
    reader, asked = api.core.reader, []

    def noted(fetch: Any) -> Any:
        def note(query: str, *arguments: object) -> Any:
            asked.append(query)
            return fetch(query, *arguments)

        return note

    with pytest.MonkeyPatch.context() as patch:
        for part in (reader, reader._connection, reader._resource_connection):
            name = "_fetch" if part is reader else "fetch"
            patch.setattr(part, name, noted(getattr(part, name)))
        yield asked


async def test_a_new_source_asks_for_what_is_past_due_to_be_tried_again_and_another_default_alone_does_not(
    api: Api,
) -> None:
    id = (await api.customer("source=tok_visa"))["id"]
    second = (await api.post(f"/v1/customers/{id}/sources", "source=tok_mastercard")).json["id"]
    report = {
        "collection_method": "charge_automatically",
        "currency": "usd",
        "current_period_end": "2",
        "current_period_start": "1",
        "latest_invoice[auto_advance]": "true",
        "latest_invoice[id]": "in_1",
        "latest_invoice[status]": "open",
        "status": "past_due",
    }
    path = f"/v1/rollbook/customers/{id}/subscriptions"
    assert (await api.ask("PUT", f"{path}/sub_1", urlencode(report))).status == 200
    active = urlencode(report | {"status": "active", "latest_invoice[id]": "in_2", "latest_invoice[status]": "paid"})
    assert (await api.ask("PUT", f"{path}/sub_2", active)).status == 200

    async def asked() -> list[tuple[str, str, str]]:
        shown = [event["data"]["object"] for event in await published(api) if event["type"] == RETRY]
        return [(one["customer"], one["subscription"], one["invoice"]) for one in shown]

    await api.update(id, f"default_source={second}")
    assert (await api.post(f"/v1/customers/{id}", "source=tok_chargeDeclined")).status == 402
    assert await asked() == []
    await api.update(id, "source=tok_amex", Idempotency_Key="again")
    await api.update(id, "source=tok_amex", Idempotency_Key="again")
    assert await asked() == [(id, "sub_1", "in_1")]
