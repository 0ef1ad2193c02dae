"""Pages of customers: order, cursors in both directions, filters, counts."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import orjson
import pytest

from events.clock import FrozenClock
from tests.service.serving import Api, Serve

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
T = int(NOON.timestamp())


@pytest.fixture
def clock() -> FrozenClock:
    """The time that requests are answered at, to be moved by hand."""
    return FrozenClock(NOON)


@pytest.fixture
async def api(serve: Serve, clock: FrozenClock) -> Api:
    """One application, by that clock."""
    return await serve(clock=clock)


async def seven(api: Api, clock: FrozenClock) -> list[str]:
    """The ids of seven customers, newest first: three of one second, then three of the next, then one."""
    made = []
    for n in range(7):
        made.append((await api.customer(f"name=c{n}"))["id"])
        if n % 3 == 2:
            clock.advance(timedelta(seconds=1))
    return made[::-1]


async def page(api: Api, query: str) -> tuple[list[str], bool]:
    shown = (await api.get("/v1/customers?" + query)).json
    return [item["id"] for item in shown["data"]], shown["has_more"]


async def test_an_empty_list_is_a_list_object(api: Api) -> None:
    answer = await api.get("/v1/customers")
    assert list(answer.json) == ["object", "data", "has_more", "url"]
    assert answer.json == {"object": "list", "data": [], "has_more": False, "url": "/v1/customers"}
    assert answer.body.startswith(b'{\n  "object": "list",\n  "data": []')


async def test_the_items_of_a_list_are_the_objects_themselves(api: Api) -> None:
    made = [await api.customer("name=a"), await api.customer("name=b")]
    shown = (await api.get("/v1/customers?limit=2")).json
    assert shown == {"object": "list", "data": made[::-1], "has_more": False, "url": "/v1/customers"}


async def test_ten_are_shown_unless_another_number_is_asked_for(api: Api) -> None:
    for _ in range(11):
        await api.customer()
    ids, more = await page(api, "")
    assert (len(ids), more) == (10, True)
    assert [len((await page(api, f"limit={n}"))[0]) for n in (1, 11, 100)] == [1, 11, 11]


@pytest.mark.parametrize("step", [1, 2, 3, 6, 7, 8])
async def test_walks_in_both_directions_meet_every_customer_once_in_order(
    api: Api, clock: FrozenClock, step: int
) -> None:
    newest_first = await seven(api, clock)
    walked, (ids, more) = [], await page(api, f"limit={step}")
    walked += ids
    while more:
        ids, more = await page(api, f"limit={step}&starting_after={walked[-1]}")
        assert ids, "has_more promises a page that is not empty"
        walked += ids
    assert walked == newest_first
    oldest = newest_first[-1]
    back, more = [oldest], True
    while more:
        ids, more = await page(api, f"limit={step}&ending_before={back[0]}")
        assert ids
        assert len(ids) <= step
        back = ids + back
    assert back == newest_first
    assert await page(api, f"ending_before={newest_first[0]}") == ([], False)
    assert await page(api, f"starting_after={oldest}") == ([], False)


async def test_a_page_before_a_cursor_ends_at_it_and_stays_in_list_order(api: Api, clock: FrozenClock) -> None:
    ids = await seven(api, clock)
    assert await page(api, f"limit=2&ending_before={ids[4]}") == (ids[2:4], True)
    assert await page(api, f"limit=4&ending_before={ids[4]}") == (ids[:4], False)


async def test_a_deleted_customer_is_still_a_cursor(api: Api, clock: FrozenClock) -> None:
    ids = await seven(api, clock)
    await api.delete(f"/v1/customers/{ids[2]}")
    assert await page(api, f"limit=2&starting_after={ids[2]}") == (ids[3:5], True)
    assert await page(api, f"limit=2&ending_before={ids[2]}") == (ids[:2], False)


async def test_a_walk_is_not_disturbed_by_what_is_created_meanwhile(api: Api) -> None:
    ids = [(await api.customer())["id"] for _ in range(4)][::-1]
    first, _ = await page(api, "limit=2")
    await api.customer()
    second, more = await page(api, f"limit=2&starting_after={first[-1]}")
    assert (first + second, more) == (ids, False)


async def test_cursors_exclude_each_other_and_must_name_something(api: Api) -> None:
    id = (await api.customer())["id"]
    both = f"/v1/customers?starting_after={id}&ending_before={id}"
    assert (await api.refused("GET", both))[0] == "parameters_exclusive"
    for cursor in ("starting_after", "ending_before"):
        assert await api.refused("GET", f"/v1/customers?{cursor}=cus_x") == (
            "resource_missing", cursor, "No such customer: 'cus_x'",
        )  # fmt: skip
        assert (await api.refused("GET", f"/v1/customers?{cursor}="))[:2] == ("parameter_invalid_empty", cursor)


NO_LIMITS = ["0", "101", "-1", "10.0", "1e1", "x", "", "9" * 30]


async def test_a_limit_is_an_integer_from_1_to_100(api: Api) -> None:
    for limit in NO_LIMITS:
        code, param, _ = await api.refused("GET", f"/v1/customers?limit={limit}")
        integer = limit in ("0", "101", "-1")
        assert (code, param) == (None if integer else "parameter_invalid_integer", "limit")


async def test_created_filters_by_a_second_or_by_bounds_that_all_apply(api: Api, clock: FrozenClock) -> None:
    ids = await seven(api, clock)
    newest, middle, oldest = ids[:1], ids[1:4], ids[4:]
    for query, found in {
        f"created={T}": oldest,
        f"created={T + 9}": [],
        f"created[gt]={T}": newest + middle,
        f"created[gte]={T + 1}": newest + middle,
        f"created[lt]={T + 1}": oldest,
        f"created[lte]={T + 1}": middle + oldest,
        f"created[gt]={T}&created[lt]={T + 2}": middle,
        f"created%5Bgte%5D={T + 1}&created%5Blte%5D={T + 1}": middle,
        f"created[gt]={T + 1}&created[lt]={T + 1}": [],
        f"created[gte]={T + 2}&created[gt]={T}": newest,
        f"created[gt]={'9' * 18}": [],
        f"created[gt]=-{'9' * 18}": ids,
    }.items():
        assert (query, await page(api, query)) == (query, (found, False))
    assert await page(api, f"created={T + 1}&limit=2&starting_after={ids[0]}") == (middle[:2], True)
    assert await page(api, f"created={T + 1}&limit=2&ending_before={oldest[0]}") == (middle[1:], True)
    assert await page(api, f"created={T + 1}&starting_after={ids[-1]}") == ([], False)


SENSELESS_FILTERS = [
    ("created=x", "parameter_invalid_integer", "created"),
    ("created=", "parameter_invalid_integer", "created"),
    ("created[gt]=1.5", "parameter_invalid_integer", "created[gt]"),
    ("created[than]=1", "parameter_unknown", "created[than]"),
    ("created[]=1", None, "created"),
    ("email=", "parameter_invalid_empty", "email"),
    ("email=" + "x" * 513, None, "email"),
    ("email[a]=x", None, "email"),
    ("name=x", "parameter_unknown", "name"),
]


async def test_filters_that_make_no_sense_are_refused(api: Api) -> None:
    for query, code, param in SENSELESS_FILTERS:
        assert (await api.refused("GET", f"/v1/customers?{query}"))[:2] == (code, param)


async def test_the_email_filter_is_exact_and_follows_changes(api: Api) -> None:
    first = await api.customer("email=ada@example.com")
    second = await api.customer("email=ada@example.com")
    other = await api.customer("email=Ada@example.com")
    await api.customer()

    async def found(email: str) -> list[str]:
        return (await page(api, f"email={quote(email)}"))[0]

    assert await found("ada@example.com") == [second["id"], first["id"]]
    assert await found("Ada@example.com") == [other["id"]]
    assert await found("ada@example") == []
    assert await page(api, f"email=ada@example.com&limit=1&starting_after={second['id']}") == ([first["id"]], False)
    assert await page(api, f"email=ada@example.com&limit=1&ending_before={first['id']}") == ([second["id"]], False)
    await api.update(first["id"], "email=new%2B1@example.com")
    await api.delete(f"/v1/customers/{second['id']}")
    assert await found("ada@example.com") == []
    assert await found("new+1@example.com") == [first["id"]]


async def test_the_total_count_is_shown_when_it_is_asked_for(api: Api) -> None:
    gone = await api.customer()
    for n in range(4):
        await api.customer(f"email=a{n % 2}@b.co")
    await api.delete(f"/v1/customers/{gone['id']}")
    shown: Any = (await api.get("/v1/customers?limit=1&expand[]=total_count")).json
    assert list(shown) == ["object", "data", "has_more", "total_count", "url"]
    assert shown["total_count"] == 4
    cursor = shown["data"][0]["id"]
    for query, count in ((f"starting_after={cursor}", 4), ("email=a0@b.co", 2), ("created[lt]=1", 0)):
        shown = (await api.get(f"/v1/customers?{query}&expand[0]=total_count")).json
        assert shown["total_count"] == count


# Expansion


async def test_what_a_customer_is_shown_without_is_added_when_asked_for(api: Api) -> None:
    made = await api.customer()
    path = f"/v1/customers/{made['id']}"
    for name in ("sources", "subscriptions", "tax_ids"):
        shown = (await api.get(f"{path}?expand[]={name}")).json
        assert shown == {
            **made, name: {"object": "list", "data": [], "has_more": False, "url": f"{path}/{name}"},
        }  # fmt: skip
        assert list(shown) == ["id", "object", *sorted(shown.keys() - {"id", "object"})]
        assert (await api.update(made["id"], f"expand[]={name}"))[name]["data"] == []
        listed = (await api.get(f"/v1/customers?expand[]=data.{name}")).json
        assert listed["data"][0] == shown
    balances = (await api.get(f"{path}?expand[]=cash_balance&expand[]=invoice_credit_balance")).json
    assert balances == {**made, "cash_balance": None, "invoice_credit_balance": {}}
    assert "sources" in await api.customer("expand[0]=sources&expand[1]=tax_ids")
    assert (await api.get(path)).json == made


PATHS_THROUGH_NULL = [
    "default_source",
    "default_source.customer.test_clock",
    "discount.customer",
    "discount.promotion_code",
    "discount.source.coupon",
    "invoice_settings.default_payment_method",
    "sources.data",
    "subscriptions.data.items.data",
    "tax_ids.data.customer",
    "test_clock",
]


async def test_a_path_through_null_stops_there_in_silence(api: Api) -> None:
    made = await api.customer()
    for path in PATHS_THROUGH_NULL:
        shown = (await api.get(f"/v1/customers/{made['id']}?expand[]={path}")).json
        assert {key: shown[key] for key in made} == made
        if path.count(".") < 3:
            assert (await api.get(f"/v1/customers?expand[]=data.{path}")).status == 200


NOT_EXPANDABLE = [
    ("nothing", "nothing"),
    ("email", "email"),
    ("address", "address"),
    ("metadata.a", "metadata"),
    ("invoice_settings", "invoice_settings"),
    ("invoice_settings.footer", "footer"),
    ("sources.nothing", "nothing"),
    ("total_count", "total_count"),
    ("", ""),
    ("a.b.c.d.e", "more than 4 levels"),
]


async def test_what_cannot_be_expanded_is_named(api: Api) -> None:
    own = f"/v1/customers/{(await api.customer())['id']}"
    for asked, named in NOT_EXPANDABLE:
        for method, path, body in (
            ("GET", f"{own}?expand[]={asked}", ""),
            ("DELETE", f"{own}?expand[]={asked}", ""),
            ("POST", own, f"expand[]={asked}"),
            ("POST", "/v1/customers", f"expand[]={asked}"),
        ):
            code, param, message = await api.refused(method, path, body)
            assert (code, param) == (None, "expand")
            assert named in message
    assert len((await api.get("/v1/customers")).json["data"]) == 1


NOT_EXPANDABLE_IN_LISTS = ["sources", "data", "url", "data.nothing", "data.sources.data.customer.x", "data."]


async def test_paths_in_a_list_start_with_data_and_lead_somewhere(api: Api) -> None:
    for asked in NOT_EXPANDABLE_IN_LISTS:
        code, param, message = await api.refused("GET", f"/v1/customers?expand[]={asked}")
        assert (code, param) == (None, "expand")
        if asked == "sources":
            assert "'data.sources'" in message


async def test_a_list_is_indented_whole(api: Api) -> None:
    """As `json.dumps(..., indent=2)` does it, items and what is within them too."""
    tax_id = "tax_id_data[0][type]=eu_vat&tax_id_data[0][value]=DE123456789"
    customer = (await api.customer(f"name=a%0Ab&metadata[k]=v&{tax_id}"))["id"]
    await api.customer()
    await api.post("/v1/coupons", "percent_off=5&duration=once")
    for path in ("/v1/customers", "/v1/customers?limit=1&expand[]=data.tax_ids&expand[]=total_count", "/v1/coupons",
                 f"/v1/customers/{customer}/tax_ids", f"/v1/customers/{customer}/sources", "/v1/events",
                 "/v1/customers/search?query=name:'a'", f"/v1/customers/{customer}?expand[]=tax_ids"):  # fmt: skip
        body = (await api.get(path)).body
        assert body == orjson.dumps(orjson.loads(body), option=orjson.OPT_INDENT_2), path
