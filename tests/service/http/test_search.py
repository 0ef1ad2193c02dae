"""Searching customers over the wire, by an application beside which search follows the log."""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import asyncpg
import pytest
import stripe

from tests.projections.rebuilding import rebuild_search
from tests.service.http import node_client
from tests.service.http.python_client import run_script
from tests.service.http.search_follower import caught_up, following
from tests.service.serving import Api

PATH = "/v1/customers/search"


@pytest.fixture
async def followed(api: Api) -> AsyncIterator[Api]:
    """One application, beside the follower for search."""
    async with following(api):
        yield api


async def found(api: Api, query: str, more: str = "", **headers: Any) -> Any:
    answer = await api.get(f"{PATH}?query={quote(query)}{more}", **headers)
    assert answer.status == 200, answer.body
    return answer.json


async def names(api: Api, query: str) -> list[str]:
    await caught_up(api)
    return [one["name"] for one in (await found(api, query, "&limit=100"))["data"]]


async def test_customers_are_found_by_each_operator(followed: Api) -> None:
    ada = await followed.customer("name=Ada Lovelace&email=Ada@Example.com&phone=%2B1 555 0100&metadata[tier]=gold")
    bob = await followed.customer("name=Bob&email=bob@sample.org&metadata[tier]=silver&metadata[Ümlaut]=ß")
    eve = await followed.customer("name=ÉVE")
    for query, who in (
        ("email:'ada@example.COM'", ["Ada Lovelace"]),
        ("email~'SAMPLE'", ["Bob"]),
        ("name~'lovelace'", ["Ada Lovelace"]),
        ("name:'éve'", ["ÉVE"]),
        ("phone~'555'", ["Ada Lovelace"]),
        ("metadata['tier']:'gold'", ["Ada Lovelace"]),
        ("metadata['tier']:'Gold'", []),
        ("metadata['Ümlaut']:'ß'", ["Bob"]),
        ("metadata['tier']:null", ["ÉVE"]),
        ("-metadata['tier']:null", ["Bob", "Ada Lovelace"]),
        ("-metadata['tier']:'gold'", ["ÉVE", "Bob"]),
        ("-name~'bob'", ["ÉVE", "Ada Lovelace"]),
        ("-email:'bob@sample.org'", ["ÉVE", "Ada Lovelace"]),
        (f"created>={eve['created']}", ["ÉVE", "Bob", "Ada Lovelace"]),
        (f"created<{ada['created']}", []),
        (f"-created:{bob['created'] + 9} name:'bob'", ["Bob"]),
        ("name~'ada' OR email~'sample'", ["Bob", "Ada Lovelace"]),
        ("name~'ada' email~'sample'", []),
        ("name:'100%' OR name~'a_b'", []),
    ):
        assert await names(followed, query) == who, query


async def test_an_answer_is_a_search_result(followed: Api) -> None:
    made = await followed.customer("name=Ada")
    await caught_up(followed)
    answer = await found(followed, "name:'ada'")
    assert list(answer) == ["object", "data", "has_more", "next_page", "url"]
    assert answer == {"object": "search_result", "data": [made], "has_more": False, "next_page": None, "url": PATH}
    assert (await found(followed, "name:'nobody'", "&expand[]=total_count"))["total_count"] == 0


async def test_pages_turn_by_a_token_that_goes_with_its_query(followed: Api) -> None:
    ids = [(await followed.customer(f"name=Page {n}"))["id"] for n in range(7)]
    await caught_up(followed)
    walked, more = [], ""
    while True:
        page = await found(followed, "name~'page'", f"&limit=3&expand[]=total_count{more}")
        assert page["total_count"] == 7
        walked += [one["id"] for one in page["data"]]
        assert page["has_more"] == (page["next_page"] is not None)
        if not page["has_more"]:
            break
        token = page["next_page"]
        more = f"&page={token}"
    assert walked == ids[::-1]
    live = await followed.issue(livemode=True)
    for query, key in (("name~'pages'", None), ("name~'page'", live)):
        path = f"{PATH}?query={quote(query)}&page={token}"
        assert (await followed.refused("GET", path, key=key))[:2] == (None, "page")
    for bad in ("x", "%C3%A9", token[:-3], "A" * 48, token + "AAAA"):
        assert (await followed.refused("GET", f"{PATH}?query=name~'page'&page={bad}"))[:2] == (None, "page")


@pytest.mark.parametrize(
    ("query", "code", "param"),
    [
        ("", "parameter_missing", "query"),
        ("query=", "parameter_invalid_empty", "query"),
        ("query=city:'x'", None, "query"),
        ("query=name:'a' AND email:'b' OR phone:'c'", None, "query"),
        ("query=" + "x" * 5001, None, "query"),
        ("query=name:'a'&limit=101", None, "limit"),
        ("query=name:'a'&starting_after=cus_1", "parameter_unknown", "starting_after"),
        ("query=name:'a'&expand[]=sources", None, "expand"),
    ],
)
async def test_a_search_that_cannot_be_is_refused(api: Api, query: str, code: str | None, param: str) -> None:
    assert (await api.refused("GET", f"{PATH}?{query}"))[:2] == (code, param)


async def test_what_is_changed_or_deleted_is_found_so(followed: Api) -> None:
    made = await followed.customer("name=Before")
    assert await names(followed, "name:'before'") == ["Before"]
    await followed.update(made["id"], "name=After&metadata[a]=b")
    assert await names(followed, "name:'before'") == []
    assert await names(followed, "metadata['a']:'b'") == ["After"]
    await followed.delete(f"/v1/customers/{made['id']}")
    assert (await found(followed, "name:'after'"))["data"] == []
    assert await names(followed, "name:'after'") == []


async def test_customers_under_a_clock_are_not_found(followed: Api) -> None:
    clock = (await followed.post("/v1/test_helpers/test_clocks", "frozen_time=1700000000")).json["id"]
    await followed.customer(f"name=Clocked&test_clock={clock}")
    assert await names(followed, "name:'clocked'") == []


async def test_accounts_and_modes_never_meet(followed: Api) -> None:
    await followed.customer("name=Mine&email=a@b.co&metadata[k]=v")
    await caught_up(followed)
    for key in (await followed.issue(livemode=True), await followed.issue(account="acct_other")):
        for query in (
            "name:'mine'",
            "name~'min'",
            "metadata['k']:'v'",
            "-metadata['k']:null",
            "created>0",
            "-name:'x'",
        ):
            assert (await found(followed, query, key=key))["data"] == []


async def test_what_is_asked_for_is_expanded(followed: Api) -> None:
    await followed.customer("name=Ada&tax_id_data[0][type]=us_ein&tax_id_data[0][value]=12-3456789")
    await caught_up(followed)
    shown = await found(followed, "name:'ada'", "&expand[]=data.tax_ids")
    assert shown["data"][0]["tax_ids"]["data"][0]["value"] == "12-3456789"


async def test_older_versions_are_rendered_so(followed: Api) -> None:
    await followed.customer("name=Ada&business_name=B")
    await caught_up(followed)
    shown = await found(followed, "name:'ada'", Stripe_Version="2024-06-20")
    assert "business_name" not in shown["data"][0]


async def test_the_log_alone_leads_to_the_same_rows(followed: Api, database: str) -> None:
    for n in range(30):
        made = await followed.customer(f"name=Number {n}&email=n{n}@example.com&metadata[n]={n}")
        if n % 3 == 0:
            await followed.update(made["id"], "phone=555")
        if n % 5 == 0:
            await followed.delete(f"/v1/customers/{made['id']}")
    await caught_up(followed)
    owner = await asyncpg.connect(database)
    select = "SELECT * FROM projections.search ORDER BY id"
    before = [tuple(row) for row in await owner.fetch(select)]
    await owner.execute("UPDATE projections.search SET terms = '{}' WHERE id > 'cus_M'")
    await rebuild_search(database)
    assert [tuple(row) for row in await owner.fetch(select)] == before
    assert len(before) == 24
    await owner.close()


async def test_searches_serve_the_client_for_python(followed: Api) -> None:
    for n in range(12):
        await followed.customer(f"name=fakename&metadata[foo]=bar&metadata[n]={n}")
    await caught_up(followed)

    def script(client: Any) -> None:
        query = "name:'fakename' AND metadata['foo']:'bar'"
        result = client.v1.customers.search({"query": query, "limit": 5, "expand": ["total_count"]})
        assert (type(result).__name__, result.total_count) == ("SearchResultObject", 12)
        walked = [one.metadata["n"] for one in result.auto_paging_iter()]
        assert walked == [str(n) for n in range(11, -1, -1)]
        with pytest.raises(stripe.InvalidRequestError) as caught:
            client.v1.customers.search({"query": "name:'a' AND (name:'b')"})
        assert (caught.value.http_status, caught.value.code, caught.value.param) == (400, None, "query")

    await run_script(followed, script)


@pytest.mark.node
async def test_searches_serve_the_client_for_node(followed: Api, node: Any) -> None:
    for n in range(12):
        await followed.customer(f"name=fakename&metadata[foo]=bar&metadata[n]={n}")
    await caught_up(followed)
    await node_client.run_script(node, "search.mjs", str(followed.port), followed.key)


COMPOSED, DECOMPOSED = "M\u00fcnch\u00e9n", "Mu\u0308nche\u0301n"


@pytest.mark.parametrize("kept", [COMPOSED, DECOMPOSED])
async def test_letters_are_the_same_composed_or_not(followed: Api, kept: str) -> None:
    made = await followed.customer(f"name={quote(kept)}&metadata[{quote(kept)}]={quote(kept)}")
    other = await followed.customer("name=Munchen&metadata[Munchen]=Munchen")
    await caught_up(followed)
    assert made["name"] == kept, "it is shown as it was sent"
    for asked in (COMPOSED, DECOMPOSED):
        for query in (
            f'name:"{asked}"',
            f'name:"{asked.swapcase()}"',
            f'name~"{asked[:4]}"',
            f'metadata["{asked}"]:"{asked}"',
            f'-metadata["{asked}"]:null',
        ):
            assert [each["id"] for each in (await found(followed, query))["data"]] == [made["id"]], query
        rest = (await found(followed, f'-name:"{asked}"'))["data"]
        assert [each["id"] for each in rest] == [other["id"]]
    short = "u\u0308n"  # two letters, however many characters they are written in
    assert (await followed.refused("GET", f"{PATH}?query={quote(f'name~{short!r}')}"))[1] == "query"
