"""Pages end early where they would be larger than allowed, in both directions, and paging on misses nothing."""

import asyncio
from urllib.parse import quote

import pytest
from stripe import StripeClient

from tests.service.http.search_follower import caught_up, following
from tests.service.serving import Api, Serve

LARGE = "%C3%A9" * 500  # a thousand bytes
BYTES_MAX = 12_000


@pytest.fixture
async def api(serve: Serve) -> Api:
    """One application whose pages are small."""
    return await serve(page_bytes_max=BYTES_MAX)


async def large(api: Api, count: int) -> list[str]:
    """The ids of so many customers of 4 KB each, newest first."""
    metadata = "&".join(f"metadata[k{n}]={LARGE[: 6 * 250]}" for n in range(6))
    return [(await api.customer(f"email=a@example.com&{metadata}"))["id"] for _ in range(count)][::-1]


def joined(pages: list[list[str]]) -> list[str]:
    return [id for page in pages for id in page]


async def searched(api: Api, expanded: str) -> list[list[str]]:
    """The ids of every page of a search, by its token."""
    pages, token = [], ""
    query = quote('email:"a@example.com"')
    while True:
        path = f"/v1/customers/search?query={query}&limit=100{expanded}{token}"
        shown = (await api.get(path)).json
        pages.append([item["id"] for item in shown["data"]])
        if shown["next_page"] is None:
            return pages
        token = f"&page={shown['next_page']}"


async def walk(api: Api, path: str, cursor: str = "", *, backwards: bool = False) -> list[list[str]]:
    """The ids of every page, by its last id or, `backwards`, by its first."""
    pages: list[list[str]] = []
    while True:
        at = f"&{'ending_before' if backwards else 'starting_after'}={cursor}" if cursor else ""
        answer = await api.get(f"{path}{at}")
        assert answer.status == 200, answer.body
        assert len(answer.body) < BYTES_MAX + 300 or len(answer.json["data"]) == 1
        pages.append([item["id"] for item in answer.json["data"]])
        if not answer.json["has_more"]:
            return pages
        cursor = pages[-1][0 if backwards else -1]


@pytest.mark.parametrize("filter", ["", "&email=a@example.com"])
async def test_a_page_of_large_customers_ends_early_and_paging_on_meets_each_once(api: Api, filter: str) -> None:
    ids = await large(api, 7)
    path = f"/v1/customers?limit=100{filter}"
    pages = await walk(api, path)
    assert [len(page) for page in pages] == [3, 3, 1], "as many as fit"
    assert joined(pages) == ids
    back = await walk(api, path, ids[-1], backwards=True)
    assert back == [ids[3:6], ids[0:3]], "those nearest to the cursor are kept"


async def test_the_first_object_of_a_page_is_shown_however_large_it_is(serve: Serve) -> None:
    api = await serve(page_bytes_max=100)
    ids = await large(api, 3)
    assert await walk(api, "/v1/customers?limit=2") == [[id] for id in ids]


async def test_the_limit_is_the_end_of_a_page_that_has_bytes_left(api: Api) -> None:
    ids = [(await api.customer())["id"] for _ in range(4)][::-1]
    assert await walk(api, "/v1/customers?limit=1") == [[id] for id in ids]
    assert await walk(api, "/v1/customers?limit=3") == [ids[:3], ids[3:]]


async def test_official_auto_paging_meets_each_once_in_both_directions(api: Api) -> None:
    ids = await large(api, 5)

    def met() -> tuple[list[str], list[str]]:
        client = StripeClient(api.key, base_addresses={"api": api.url})
        forwards = [one.id for one in client.v1.customers.list({"limit": 100}).auto_paging_iter()]
        before = client.v1.customers.list({"limit": 100, "ending_before": ids[-1]})
        return forwards, [one.id for one in before.auto_paging_iter()]

    forwards, before = await asyncio.to_thread(met)
    assert forwards == ids
    assert before == ids[-2::-1], "each nearest to the cursor first"


async def test_events_end_early_too(api: Api) -> None:
    ids = await large(api, 5)
    pages = await walk(api, "/v1/events?limit=100")
    assert [len(page) for page in pages] == [2, 2, 1]
    events = joined(pages)
    back = await walk(api, "/v1/events?limit=100", events[-1], backwards=True)
    assert back == [events[2:4], events[0:2]]
    assert len(events) == len(ids)


async def test_lists_of_other_objects_end_early_too(api: Api) -> None:
    metadata = "&".join(f"metadata[k{n}]={LARGE[: 6 * 250]}" for n in range(6))
    for n in range(4):
        assert (await api.post("/v1/coupons", f"id=c{n}&percent_off=5&duration=once&{metadata}")).status == 200
    assert await walk(api, "/v1/coupons?limit=100") == [["c3", "c2", "c1"], ["c0"]]
    assert await walk(api, "/v1/coupons?limit=100", "c0", backwards=True) == [["c3", "c2", "c1"]]


async def test_a_search_ends_early_too(api: Api) -> None:
    ids = await large(api, 5)
    async with following(api):
        await caught_up(api)
        for expanded in ("", "&expand[]=data.tax_ids"):
            pages = await searched(api, expanded)
            assert joined(pages) == ids
            assert [len(page) for page in pages] == [3, 2]


async def test_a_search_that_is_cut_for_what_it_expands_goes_on_after_the_last_shown(api: Api) -> None:
    made = await large(api, 3)
    for id in made:
        await api.post(f"/v1/customers/{id}/tax_ids", "type=eu_vat&value=DE123456780")
    async with following(api):
        await caught_up(api)
        assert await searched(api, "&expand[]=data.tax_ids.data.customer") == [[id] for id in made]


async def test_what_is_expanded_makes_pages_shorter(api: Api) -> None:
    [id] = await large(api, 1)
    made = []
    for n in range(5):
        answer = await api.post(
            "/v1/tax_ids", f"type=eu_vat&value=DE12345678{n}&owner[type]=customer&owner[customer]={id}"
        )
        assert answer.status == 200, answer.body
        made.append(answer.json["id"])
    made.reverse()
    path = "/v1/tax_ids?limit=100&expand[]=data.customer&owner[type]=customer&owner[customer]=" + id
    pages = await walk(api, path)
    assert joined(pages) == made
    assert max(len(page) for page in pages) == 2, "a customer of 4 KB is counted as often as it is shown"
    assert await walk(api, path, made[-1], backwards=True) == [made[2:4], made[0:2]]


async def test_one_object_with_more_expanded_than_a_page_is_refused(api: Api) -> None:
    [id] = await large(api, 1)
    for n in range(5):
        await api.post(f"/v1/customers/{id}/tax_ids", f"type=eu_vat&value=DE12345678{n}")
    expanded = "expand[]=tax_ids.data.customer"
    for path in (f"/v1/customers/{id}?{expanded}", "/v1/customers?expand[]=data.tax_ids.data.customer"):
        answer = await api.get(path)
        assert answer.status == 400, answer.body
        assert answer.error["param"] == "expand"
        assert answer.error["message"].startswith(f"The response would be larger than {BYTES_MAX} bytes")
    assert (await api.get(f"/v1/customers/{id}?expand[]=tax_ids")).status == 200
    before = (await api.get(f"/v1/customers/{id}")).json
    answer = await api.post(f"/v1/customers/{id}", f"name=changed&{expanded}")
    assert (answer.status, answer.error["param"]) == (400, "expand")
    assert (await api.get(f"/v1/customers/{id}")).json == before, "nothing was done"


@pytest.mark.parametrize("expanded", ["", "&expand[]=data.customer"])
async def test_coupons_that_an_older_version_shows_count_as_bytes_of_the_page(api: Api, expanded: str) -> None:
    metadata = "&".join(f"metadata[k{n}]={LARGE[: 6 * 250]}" for n in range(6))
    made = await api.post("/v1/coupons", f"id=SALE&percent_off=5&duration=once&{metadata}")
    assert made.status == 200, made.body
    ids: list[str] = []
    for n in range(7):
        code = await api.post("/v1/promotion_codes", f"promotion[type]=coupon&promotion[coupon]=SALE&code=CODE{n}")
        assert code.status == 200, code.body
        ids.insert(0, code.json["id"])
    path = f"/v1/promotion_codes?limit=100{expanded}"
    newest = (await api.get(path)).json
    assert [code["id"] for code in newest["data"]] == ids
    pages, cursor = [], ""
    while True:
        answer = await api.get(f"{path}{cursor}", Stripe_Version="2024-06-20")
        assert answer.status == 200, answer.body
        assert len(answer.body) < 1.5 * BYTES_MAX  # the indentation of what is shown deeper is not counted
        assert {code["coupon"]["id"] for code in answer.json["data"]} == {"SALE"}
        pages.append([code["id"] for code in answer.json["data"]])
        if not answer.json["has_more"]:
            break
        cursor = f"&starting_after={pages[-1][-1]}"
    assert joined(pages) == ids
    assert len(pages) > 1
