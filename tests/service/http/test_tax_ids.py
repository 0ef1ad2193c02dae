"""Tax ids over the wire, customers' and the account's own: created, shown, listed, verified, deleted, published."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlencode

import asyncpg
import pytest
import stripe

from events.customer.tax_id import COUNT_MAX
from events.errors import Missing
from projections import tax_ids
from projections.due import Due
from service.jobs import handlers, scheduler
from tests.projections.rebuilding import rebuild_customers
from tests.service.http import node_client
from tests.service.http.python_client import run_script
from tests.service.http.tax_id_samples import SAMPLES
from tests.service.serving import ACCOUNT, Api
from tests.waiting import until

KEYS = [
    "id", "object", "country", "created", "customer", "customer_account", "livemode", "owner", "type", "value",
    "verification",
]  # fmt: skip
PENDING = {"status": "pending", "verified_address": None, "verified_name": None}
UNAVAILABLE = {**PENDING, "status": "unavailable"}
EU = "type=eu_vat&value=DE123456789"
MISSING = "resource_missing"


@pytest.fixture
async def kept(api: Api) -> AsyncIterator[Api]:
    """One application, and beside it whoever does what is due."""
    stop = asyncio.Event()
    keeping = asyncio.create_task(scheduler.run(api.core, stop))
    yield api
    stop.set()
    await keeping


async def made(api: Api, customer: str, body: str = EU, **headers: Any) -> Any:
    answer = await api.post(f"/v1/customers/{customer}/tax_ids", body, **headers)
    assert answer.status == 200, answer.body
    return answer.json


async def own(api: Api, body: str = EU, **headers: Any) -> Any:
    answer = await api.post("/v1/tax_ids", body, **headers)
    assert answer.status == 200, answer.body
    return answer.json


async def test_a_customers_tax_id_is_shown_with_exactly_its_keys(api: Api) -> None:
    customer = (await api.customer())["id"]
    shown = await made(api, customer)
    assert list(shown) == KEYS
    assert list(shown["owner"]) == ["customer", "customer_account", "type"]
    assert list(shown["verification"]) == ["status", "verified_address", "verified_name"]
    assert shown["id"].startswith("txi_")
    assert len(shown["id"]) == len("txi_") + 14
    assert {key: shown[key] for key in KEYS if key not in ("id", "created")} == {
        "object": "tax_id",
        "country": "DE",
        "customer": customer,
        "customer_account": None,
        "livemode": False,
        "owner": {"customer": customer, "customer_account": None, "type": "customer"},
        "type": "eu_vat",
        "value": "DE123456789",
        "verification": PENDING,
    }
    for path in (f"/v1/customers/{customer}/tax_ids/{shown['id']}", f"/v1/tax_ids/{shown['id']}"):
        assert (await api.get(path)).json == shown
    page = {"object": "list", "data": [shown], "has_more": False}
    url = f"/v1/customers/{customer}/tax_ids"
    assert (await api.get(url)).json == {**page, "url": url}
    query = f"owner[type]=customer&owner[customer]={customer}"
    assert (await api.get(f"/v1/tax_ids?{query}")).json == {**page, "url": "/v1/tax_ids"}
    assert (await api.get("/v1/tax_ids")).json["data"] == []
    events = (await api.events())[1:]
    assert [(event["type"], event["data"]) for event in events] == [("customer.tax_id.created", {"object": shown})]


async def test_the_accounts_own_is_shown_with_exactly_its_keys_and_verified_by_nobody(kept: Api) -> None:
    shown = await own(kept)
    assert list(shown) == KEYS
    assert {key: shown[key] for key in KEYS if key not in ("id", "created")} == {
        "object": "tax_id",
        "country": "DE",
        "customer": None,
        "customer_account": None,
        "livemode": False,
        "owner": {"customer_account": None, "type": "self"},
        "type": "eu_vat",
        "value": "DE123456789",
        "verification": None,
    }
    second = await own(kept, "type=us_ein&value=12-3456789&owner[type]=self")
    for query in ("", "?owner[type]=self"):
        answer = await kept.get(f"/v1/tax_ids{query}")
        assert answer.json == {"object": "list", "data": [second, shown], "has_more": False, "url": "/v1/tax_ids"}
    assert (await kept.get(f"/v1/tax_ids/{shown['id']}")).json == shown
    deleted = {"id": shown["id"], "object": "tax_id", "deleted": True}
    assert (await kept.delete(f"/v1/tax_ids/{shown['id']}")).json == deleted
    for method in ("GET", "DELETE"):
        refused = await kept.refused(method, f"/v1/tax_ids/{shown['id']}", status=404)
        assert refused[:2] == (MISSING, "id")
    assert (await kept.get("/v1/tax_ids")).json["data"] == [second]
    assert await kept.events() == [], "the API has no events of those"


async def test_one_of_each_of_the_135_types_is_created(api: Api) -> None:
    customers = [(await api.customer())["id"] for _ in range(len(SAMPLES) // COUNT_MAX + 1)]
    for number, (type, country, value) in enumerate(SAMPLES):
        shown = await made(api, customers[number // COUNT_MAX], urlencode({"type": type, "value": value}))
        assert (shown["type"], shown["country"], shown["value"]) == (type, country, value)
        status = "pending" if type in ("au_abn", "eu_vat", "gb_vat") else "unavailable"
        assert shown["verification"] == {**UNAVAILABLE, "status": status}
        assert await api.refused("POST", "/v1/tax_ids", urlencode({"type": type, "value": "?\n?"})) == (
            "tax_id_invalid", "value", f"Invalid value for {type}.",
        )  # fmt: skip


REFUSED = [
    ("", "parameter_missing", "type"),
    ("type=eu_vat", "parameter_missing", "value"),
    ("value=DE123456789", "parameter_missing", "type"),
    ("type=&value=DE123456789", "parameter_invalid_empty", "type"),
    ("type=eu_vat&value=", "parameter_invalid_empty", "value"),
    ("type=eu_vat&value=+", "parameter_invalid_string_blank", "value"),
    ("type=vat&value=DE123456789", None, "type"),
    ("type=unknown&value=DE123456789", None, "type"),
    ("type=eu_vat&value=DE12345678", "tax_id_invalid", "value"),
    ("type=eu_vat&value=GB123456789", "tax_id_invalid", "value"),
    ("type=gb_vat&value=123456789", "tax_id_invalid", "value"),
    (f"type=eu_vat&value={'1' * 5001}", None, "value"),
    ("type[]=eu_vat&value=DE123456789", None, "type"),
    (f"{EU}&country=DE", "parameter_unknown", "country"),
    (f"{EU}&expand[]=owner", None, "expand"),
]


@pytest.mark.parametrize(("body", "code", "param"), REFUSED)
async def test_what_is_no_tax_id_is_refused(api: Api, body: str, code: str | None, param: str) -> None:
    customer = (await api.customer())["id"]
    for path in (f"/v1/customers/{customer}/tax_ids", "/v1/tax_ids"):
        assert (await api.refused("POST", path, body))[:2] == (code, param)
    assert (await api.get(f"/v1/customers/{customer}/tax_ids")).json["data"] == []
    assert (await api.get("/v1/tax_ids")).json["data"] == []


async def test_an_unknown_type_is_answered_with_all_there_are(api: Api) -> None:
    _, _, message = await api.refused("POST", "/v1/tax_ids", "type=vat&value=1")
    assert "ad_nrt, ae_trn" in message
    assert "zw_tin" in message


async def test_what_is_not_there_is_missing(api: Api) -> None:
    customer, other = (await api.customer())["id"], (await api.customer())["id"]
    elsewhere, mine = await made(api, other), await own(api)
    for id in ("txi_x", elsewhere["id"], mine["id"]):
        for method in ("GET", "DELETE"):
            path = f"/v1/customers/{customer}/tax_ids/{id}"
            assert (await api.refused(method, path, status=404))[:2] == (MISSING, "id")
    for method in ("GET", "DELETE"):
        assert (await api.refused(method, "/v1/tax_ids/txi_x", status=404))[:2] == (MISSING, "id")
    assert (await api.refused("GET", "/v1/tax_ids?starting_after=txi_x"))[:2] == (MISSING, "starting_after")
    for id in (mine["id"], elsewhere["id"]):
        assert (await api.get(f"/v1/tax_ids/{id}")).status == 200
    await api.delete(f"/v1/customers/{other}")
    for gone in ("cus_x", other):
        for method, rest, body in (("POST", "", EU), ("GET", "", ""), ("GET", "/txi_x", ""), ("DELETE", "/txi_x", "")):
            path = f"/v1/customers/{gone}/tax_ids{rest}"
            assert (await api.refused(method, path, body, status=404))[:2] == (MISSING, "id")
    assert (await api.post(f"/v1/customers/{customer}/tax_ids/txi_x", "value=1")).status == 404, "there is no update"


async def test_live_and_test_mode_and_accounts_never_meet(api: Api) -> None:
    live, stranger = await api.issue(livemode=True), await api.issue(account="acct_other")
    customer = (await api.customer())["id"]
    shown, mine = await made(api, customer), await own(api)
    for key in (live, stranger):
        for path in (f"/v1/tax_ids/{shown['id']}", f"/v1/tax_ids/{mine['id']}"):
            assert (await api.refused("GET", path, status=404, key=key))[:2] == (MISSING, "id")
            assert (await api.refused("DELETE", path, status=404, key=key))[:2] == (MISSING, "id")
        assert (await api.get("/v1/tax_ids", key=key)).json["data"] == []
        path = f"/v1/customers/{customer}/tax_ids"
        assert (await api.refused("POST", path, EU, status=404, key=key))[:2] == (MISSING, "id")
        assert (await api.refused("GET", path, status=404, key=key))[:2] == (MISSING, "id")
    _, _, message = await api.refused("GET", f"/v1/tax_ids/{mine['id']}", status=404, key=live)
    assert "similar object exists in test mode" in message
    theirs = await made(api, (await api.customer(key=live))["id"], key=live)
    assert theirs["livemode"] is True


OWNERS = [
    ("owner[type]=customer", "parameter_missing", "owner[customer]"),
    ("owner[customer]=cus_1", "parameter_missing", "owner[type]"),
    ("owner[type]=customer&owner[customer]=cus_x", MISSING, "owner[customer]"),
    ("owner[type]=customer&owner[customer]=", "parameter_invalid_empty", "owner[customer]"),
    ("owner[type]=self&owner[customer]=cus_1", None, "owner[customer]"),
    ("owner[type]=application", None, "owner[type]"),
    ("owner[type]=account&owner[account]=acct_1", None, "owner[type]"),
    ("owner[type]=self&owner[account]=acct_1", None, "owner[account]"),
    ("owner[type]=customer&owner[customer_account]=cusacct_1", None, "owner[customer_account]"),
    ("owner[type]=nobody", None, "owner[type]"),
    ("owner[type]=", "parameter_invalid_empty", "owner[type]"),
    ("owner=self", None, "owner"),
    ("owner=", "parameter_invalid_empty", "owner"),
    ("owner[type]=self&owner[name]=1", "parameter_unknown", "owner[name]"),
]


@pytest.mark.parametrize(("owner", "code", "param"), OWNERS)
async def test_owners_that_there_cannot_be_are_refused(api: Api, owner: str, code: str | None, param: str) -> None:
    assert (await api.refused("POST", "/v1/tax_ids", f"{EU}&{owner}"))[:2] == (code, param)
    assert (await api.refused("GET", f"/v1/tax_ids?{owner}"))[:2] == (code, param)


async def test_a_customers_tax_id_may_be_created_and_deleted_without_its_path(api: Api) -> None:
    customer = (await api.customer())["id"]
    owner = f"owner[type]=customer&owner[customer]={customer}"
    shown = await own(api, f"{EU}&{owner}&expand[]=customer&expand[]=owner.customer")
    assert shown["customer"]["id"] == shown["owner"]["customer"]["id"] == customer
    plain = (await api.get(f"/v1/customers/{customer}/tax_ids/{shown['id']}")).json
    assert (plain["customer"], plain["verification"]) == (customer, PENDING)
    deleted = {"id": shown["id"], "object": "tax_id", "deleted": True}
    assert (await api.delete(f"/v1/tax_ids/{shown['id']}")).json == deleted
    assert (await api.refused("GET", f"/v1/tax_ids/{shown['id']}", status=404))[:2] == (MISSING, "id")
    await api.delete(f"/v1/customers/{customer}")
    assert (await api.refused("POST", "/v1/tax_ids", f"{EU}&{owner}"))[:2] == (MISSING, "owner[customer]")
    assert (await api.refused("GET", f"/v1/tax_ids?{owner}"))[:2] == (MISSING, "owner[customer]")


async def test_a_deleted_one_is_published_and_gone(api: Api) -> None:
    customer = (await api.customer())["id"]
    first, second = await made(api, customer), await made(api, customer)
    path = f"/v1/customers/{customer}/tax_ids"
    answer = await api.delete(f"{path}/{first['id']}")
    assert answer.json == {"id": first["id"], "object": "tax_id", "deleted": True}
    assert (await api.get(path)).json["data"] == [second]
    for method in ("GET", "DELETE"):
        assert (await api.refused(method, f"{path}/{first['id']}", status=404))[:2] == (MISSING, "id")
    event = (await api.events())[-1]
    assert (event["type"], event["data"]) == ("customer.tax_id.deleted", {"object": first})
    assert (await api.get(f"{path}?starting_after={first['id']}")).json["data"] == [], "it is still a cursor"


async def test_they_end_with_their_customer(api: Api) -> None:
    customer = await api.customer("tax_id_data[0][type]=eu_vat&tax_id_data[0][value]=DE123456789")
    [shown] = (await api.get(f"/v1/customers/{customer['id']}/tax_ids")).json["data"]
    await api.delete(f"/v1/customers/{customer['id']}")
    assert [event["type"] for event in await api.events()][2:] == ["customer.tax_id.deleted", "customer.deleted"]
    assert (await api.refused("GET", f"/v1/tax_ids/{shown['id']}", status=404))[:2] == (MISSING, "id")


async def test_pages_go_from_the_newest_to_the_oldest_and_back(api: Api) -> None:
    data = "&".join(
        f"tax_id_data[{index}][type]=us_ein&tax_id_data[{index}][value]=12-345678{index}" for index in range(7)
    )
    customer = (await api.customer(data))["id"]
    path = f"/v1/customers/{customer}/tax_ids"
    everything = (await api.get(path)).json["data"]
    assert [one["value"][-1] for one in everything] == list("6543210")
    page = (await api.get(f"{path}?limit=3&starting_after={everything[1]['id']}")).json
    assert (page["data"], page["has_more"]) == (everything[2:5], True)
    page = (await api.get(f"{path}?limit=3&ending_before={everything[5]['id']}&expand[]=total_count")).json
    assert (page["data"], page["has_more"], page["total_count"]) == (everything[2:5], True, 7)
    for query in ("limit=0", "limit=101", "limit=x", "created=1", "expand[]=customer"):
        assert (await api.get(f"{path}?{query}")).status == 400


async def test_a_customer_has_fifty_at_most(api: Api) -> None:
    def data(count: int) -> str:
        names = (f"tax_id_data[{index}]" for index in range(count))
        return "&".join(f"{name}[type]=us_ein&{name}[value]=12-3456789" for name in names)

    customer = (await api.customer(data(COUNT_MAX)))["id"]
    refused = await api.refused("POST", f"/v1/customers/{customer}/tax_ids", EU)
    assert refused == (None, None, "A customer can have up to 50 tax IDs.")
    assert (await api.refused("POST", "/v1/customers", data(COUNT_MAX + 1)))[:2] == (None, "tax_id_data")


async def test_however_many_come_at_once_there_are_fifty_at_most(api: Api) -> None:
    path = f"/v1/customers/{(await api.customer())['id']}/tax_ids"
    answers = await asyncio.gather(*(api.post(path, EU) for _ in range(COUNT_MAX + 5)))
    assert sorted(answer.status for answer in answers) == [200] * COUNT_MAX + [400] * 5
    listed = (await api.get(f"{path}?limit=100")).json["data"]
    assert {one["id"] for one in listed} == {answer.json["id"] for answer in answers if answer.status == 200}


async def test_a_customer_comes_with_its_tax_ids_and_they_are_published_after_it(api: Api) -> None:
    data = "tax_id_data[0][type]=eu_vat&tax_id_data[0][value]=de123456789"
    more = "tax_id_data[1][type]=us_ein&tax_id_data[1][value]=12-3456789"
    customer = await api.customer(f"{data}&{more}&expand[]=tax_ids&expand[]=tax_ids.data.customer")
    listed = customer["tax_ids"]
    assert [(one["type"], one["value"]) for one in listed["data"]] == [
        ("us_ein", "12-3456789"),
        ("eu_vat", "DE123456789"),
    ]
    assert (listed["url"], listed["has_more"]) == (f"/v1/customers/{customer['id']}/tax_ids", False)
    assert {one["customer"]["id"] for one in listed["data"]} == {customer["id"]}
    events = await api.events()
    assert [event["type"] for event in events] == ["customer.created", *["customer.tax_id.created"] * 2]
    assert [event["data"]["object"]["type"] for event in events[1:]] == ["eu_vat", "us_ein"]
    assert len({event["request"]["id"] for event in events}) == 1
    shown = (await api.get(f"/v1/customers/{customer['id']}")).json
    assert "tax_ids" not in shown
    page = (await api.get("/v1/customers?expand[]=data.tax_ids")).json["data"]
    assert [one["id"] for one in page[0]["tax_ids"]["data"]] == [one["id"] for one in listed["data"]]


DATA = "tax_id_data[0][type]=us_ein&tax_id_data[0][value]=12-3456789"


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        (f"{DATA}&tax_id_data[1][type]=eu_vat&tax_id_data[1][value]=1", "tax_id_invalid", "tax_id_data[1][value]"),
        ("tax_id_data[][type]=eu_vat&tax_id_data[][value]=1", "tax_id_invalid", "tax_id_data[0][value]"),
        (f"{DATA}&tax_id_data[1][value]=1", "parameter_missing", "tax_id_data[1][type]"),
        ("tax_id_data[0][type]=us_ein", "parameter_missing", "tax_id_data[0][value]"),
        ("tax_id_data[0][type]=vat&tax_id_data[0][value]=1", None, "tax_id_data[0][type]"),
        (f"{DATA}&tax_id_data[0][country]=US", "parameter_unknown", "tax_id_data[0][country]"),
        ("tax_id_data[0]=us_ein", None, "tax_id_data[0]"),
        ("tax_id_data=us_ein", None, "tax_id_data"),
        ("tax_id_data=", "parameter_invalid_empty", "tax_id_data"),
        (f"{DATA}&promotion_code=promo_x", MISSING, "promotion_code"),
    ],
)
async def test_a_customer_comes_with_all_of_its_tax_ids_or_not_at_all(
    api: Api, body: str, code: str | None, param: str
) -> None:
    assert (await api.refused("POST", "/v1/customers", body))[:2] == (code, param)
    assert (await api.get("/v1/customers")).json["data"] == []
    assert await api.events() == []


async def test_tax_ids_are_not_given_with_an_update(api: Api) -> None:
    customer = (await api.customer())["id"]
    assert (await api.refused("POST", f"/v1/customers/{customer}", DATA))[:2] == ("parameter_unknown", "tax_id_data")


async def test_a_repeated_request_adds_one(api: Api) -> None:
    customer = (await api.customer())["id"]
    for path in (f"/v1/customers/{customer}/tax_ids", "/v1/tax_ids"):
        first = await api.post(path, EU, Idempotency_Key=f"key{path}")
        again = await api.post(path, EU, Idempotency_Key=f"key{path}")
        assert (again.status, again.body, again.headers["Idempotent-Replayed"]) == (200, first.body, "true")
        assert len((await api.get(path)).json["data"]) == 1


async def test_restricted_keys_need_the_right(api: Api) -> None:
    reader = await api.issue(key_type="restricted", permissions=("tax_ids:read",))
    assert (await api.get("/v1/tax_ids", key=reader)).status == 200
    assert (await api.post("/v1/tax_ids", EU, key=reader)).status == 403
    customer = (await api.customer())["id"]
    assert (await api.get(f"/v1/customers/{customer}/tax_ids", key=reader)).status == 403


# Verification


@pytest.mark.parametrize(
    ("type", "value", "status", "published"),
    [
        ("eu_vat", "DE000000000", "verified", True),
        ("eu_vat", "ATU00000000", "verified", True),
        ("gb_vat", "GB000000000", "verified", True),
        ("au_abn", "00000000000", "verified", True),
        ("eu_vat", "DE111111111", "unverified", True),
        ("gb_vat", "GB111111111", "unverified", True),
        ("eu_vat", "DE222222222", "pending", False),
        ("eu_vat", "DE123456789", "unavailable", True),
        ("eu_vat", "FRAB123456789", "unavailable", True),
        ("us_ein", "00-0000000", "unavailable", False),
    ],
)
async def test_a_pending_number_is_verified_later(
    kept: Api, type: str, value: str, status: str, published: bool
) -> None:
    customer = (await kept.customer())["id"]
    shown = await made(kept, customer, f"type={type}&value={value}")
    await until(lambda: nothing_due(kept))
    later = (await kept.get(f"/v1/tax_ids/{shown['id']}")).json
    verified = {"status": "verified", "verified_address": "1 Test Street, Test Town", "verified_name": "Test Company"}
    expected = verified if status == "verified" else {**PENDING, "status": status}
    assert later == {**shown, "verification": expected}
    updates = [event for event in await kept.events() if event["type"] == "customer.tax_id.updated"]
    assert len(updates) == published
    for event in updates:
        before = {name: value for name, value in PENDING.items() if value != expected[name]}
        assert event["data"] == {"object": later, "previous_attributes": {"verification": before}}
        assert event["request"] is None, "the system did it"
    assert "customer.updated" not in [event["type"] for event in await kept.events()]


async def test_in_live_mode_no_number_stands_for_an_outcome(kept: Api) -> None:
    live = await kept.issue(livemode=True)
    shown = await made(kept, (await kept.customer(key=live))["id"], "type=eu_vat&value=DE000000000", key=live)
    await until(lambda: nothing_due(kept))
    later = (await kept.get(f"/v1/tax_ids/{shown['id']}", key=live)).json
    assert later["verification"] == UNAVAILABLE


async def test_a_customer_on_a_clocks_time_is_verified_too(kept: Api) -> None:
    clock = (await kept.post("/v1/test_helpers/test_clocks", "frozen_time=1577836800")).json["id"]
    customer = (await kept.customer(f"test_clock={clock}"))["id"]
    shown = await made(kept, customer, "type=eu_vat&value=DE000000000")
    assert shown["created"] == 1_577_836_800
    await until(lambda: nothing_due(kept))
    assert (await kept.get(f"/v1/tax_ids/{shown['id']}")).json["verification"]["status"] == "verified"


async def test_while_its_clock_moves_a_customers_tax_ids_stay_as_they_are(api: Api) -> None:
    clock = (await api.post("/v1/test_helpers/test_clocks", "frozen_time=1577836800")).json["id"]
    customer = (await api.customer(f"test_clock={clock}"))["id"]
    path = f"/v1/customers/{customer}/tax_ids"
    shown = await made(api, customer)
    await api.post(f"/v1/test_helpers/test_clocks/{clock}/advance", "frozen_time=1577923200")
    for method, rest, body in (("POST", "", EU), ("DELETE", f"/{shown['id']}", "")):
        assert (await api.refused(method, path + rest, body, status=429))[:2] == ("lock_timeout", None)
    assert (await api.get(path)).json["data"] == [shown]


async def test_what_is_deleted_before_it_is_verified_is_left_alone(api: Api) -> None:
    first, second = (await api.customer())["id"], (await api.customer())["id"]
    one, other = await made(api, first), await made(api, second)
    assert await due_rows(api) == {("customer", first, one["id"]), ("customer", second, other["id"])}
    await api.delete(f"/v1/customers/{first}/tax_ids/{one['id']}")
    await api.delete(f"/v1/customers/{second}")
    assert await due_rows(api) == set()
    for customer, shown in ((first, one), (second, other)):
        due = Due(ACCOUNT, False, "customer", customer, tax_ids.VERIFY, shown["id"], 0, None, 1)
        with pytest.raises(Missing):
            await handlers.verify_tax_id(api.core, due)


async def test_verifying_twice_publishes_once(api: Api) -> None:
    customer = (await api.customer())["id"]
    shown = await made(api, customer, "type=eu_vat&value=DE000000000")
    due = Due(ACCOUNT, False, "customer", customer, tax_ids.VERIFY, shown["id"], 0, None, 1)
    for _ in range(2):
        await handlers.verify_tax_id(api.core, due)
    assert [event["type"] for event in await api.events()].count("customer.tax_id.updated") == 1


async def due_rows(api: Api) -> set[tuple[str, str, str]]:
    rows = await api.core.pool.fetch("SELECT kind, id, subject FROM projections.due WHERE task = 'tax_id.verify'")
    return {(row["kind"], row["id"], row["subject"]) for row in rows}


async def nothing_due(api: Api) -> bool:
    return not await due_rows(api)


async def test_replaying_the_log_gives_the_same_rows(kept: Api, database: str) -> None:
    body = "address[country]=DE&tax[ip_address]=203.0.113.7&tax_id_data[0][type]=eu_vat&tax_id_data[0][value]="
    first, second = (await kept.customer(f"{body}DE000000000"))["id"], (await kept.customer(f"{body}DE222222222"))["id"]
    extra = await made(kept, first, "type=us_ein&value=12-3456789")
    await made(kept, first)
    await own(kept)
    await kept.delete(f"/v1/customers/{first}/tax_ids/{extra['id']}")
    await until(lambda: nothing_due(kept))
    await kept.delete(f"/v1/customers/{second}")
    owner = await asyncpg.connect(database)
    try:
        query = "SELECT * FROM projections.resource WHERE kind IN ('tax', 'tax_id') ORDER BY kind, id"
        before = list(map(tuple, await owner.fetch(query)))
        assert len(before) == 7
        await rebuild_customers(database, kept.core.folds)
        assert list(map(tuple, await owner.fetch(query))) == before
    finally:
        await owner.close()


# Stripe's own clients


async def test_tax_ids_live_their_lives_through_the_client_for_python(api: Api) -> None:
    def script(client: Any) -> None:
        customer = client.v1.customers.create(
            {
                "tax_id_data": [{"type": "eu_vat", "value": "DE123456789"}],
                "tax": {"ip_address": "203.0.113.7", "validate_location": "deferred"},
                "address": {"country": "DE"},
                "expand": ["tax_ids", "tax"],
            }
        )
        assert customer.tax.location.country == "DE"
        assert customer.tax.automatic_tax == "not_collecting"
        [first] = customer.tax_ids.data
        assert type(first).__name__ == "TaxId"
        nested = client.v1.customers.tax_ids
        second = nested.create(customer.id, {"type": "gb_vat", "value": "GB123456789", "expand": ["customer"]})
        assert second.customer.id == customer.id
        assert second.verification.status == "pending"
        assert nested.retrieve(customer.id, second.id).value == "GB123456789"
        listed = nested.list(customer.id, {"limit": 1})
        assert [one.id for one in listed.auto_paging_iter()] == [second.id, first.id]
        assert nested.delete(customer.id, second.id).deleted is True
        with pytest.raises(stripe.InvalidRequestError) as missing:
            nested.retrieve(customer.id, second.id)
        assert (missing.value.http_status, missing.value.code, missing.value.param) == (404, MISSING, "id")
        with pytest.raises(stripe.InvalidRequestError) as invalid:
            nested.create(customer.id, {"type": "eu_vat", "value": "DE1"})
        assert (invalid.value.http_status, invalid.value.code, invalid.value.param) == (400, "tax_id_invalid", "value")
        with pytest.raises(stripe.InvalidRequestError) as unlocated:
            client.v1.customers.update(customer.id, {"address": "", "tax": {"validate_location": "immediately"}})
        assert unlocated.value.code == "customer_tax_location_invalid"

        all_of_them = client.v1.tax_ids
        mine = all_of_them.create({"type": "us_ein", "value": "12-3456789"})
        assert (mine.customer, mine.owner.type, mine.verification) == (None, "self", None)
        theirs = all_of_them.create(
            {"type": "us_ein", "value": "12-3456789", "owner": {"type": "customer", "customer": customer.id}}
        )
        assert all_of_them.retrieve(theirs.id, {"expand": ["owner.customer"]}).owner.customer.id == customer.id
        assert [one.id for one in all_of_them.list().auto_paging_iter()] == [mine.id]
        owner = {"owner": {"type": "customer", "customer": customer.id}, "limit": 1}
        assert [one.id for one in all_of_them.list(owner).auto_paging_iter()] == [theirs.id, first.id]
        for one in (mine, theirs):
            assert all_of_them.delete(one.id).deleted is True

    await run_script(api, script)


@pytest.mark.node
async def test_tax_ids_serve_the_client_for_node(api: Api, node: Any) -> None:
    await node_client.run_script(node, "tax_ids.mjs", str(api.port), api.key)
