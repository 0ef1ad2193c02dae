"""A filtered list has what the filter means, page by page, whichever index it goes by."""

from collections.abc import Mapping
from typing import Any

import asyncpg
import orjson
import pytest

from events import payment_method, promotion_code
from events.scope import Scope
from projections import filters
from projections.read import Page, PageOf
from tests.projections.conftest import ReadableCustomerStore

OBJECTS = 60


def facts_of(kind: str, n: int) -> dict[str, object]:
    """What is known of the object of that number."""
    if kind == payment_method.KIND:
        return {"allow_redisplay": filters.REDISPLAYS[n % 3], "type": "card" if n % 5 else "sepa_debit"}
    return {"active": n % 3 == 0, "coupon": f"C{n % 2}", "customer": f"cus_{n % 5}" if n % 4 == 0 else None}


INSERT = (
    "INSERT INTO projections.resource"
    " (account, livemode, id, kind, parent, created, position, version, deleted, lookup, body, facts)"
    " VALUES ('acct_1', false, $1, $2, $8, $3, $4, 1, $5, NULL, $6, $7)"
)
OWNERS = ("cus_1", "cus_1", "cus_2", "")  # in turn


@pytest.mark.parametrize(
    ("kind", "facts", "parent"),
    [
        (payment_method.KIND, {"type": "card"}, None),
        (payment_method.KIND, {"type": "sepa_debit", "allow_redisplay": "always"}, None),
        (payment_method.KIND, {"type": "us_bank_account"}, None),
        (payment_method.KIND, {"allow_redisplay": "limited"}, None),
        (payment_method.KIND, {"type": "card"}, "cus_1"),
        (payment_method.KIND, {"type": "sepa_debit", "allow_redisplay": "always"}, "cus_1"),
        (payment_method.KIND, {"allow_redisplay": "limited"}, "cus_1"),
        (payment_method.KIND, {"type": "card"}, "cus_3"),
        (promotion_code.KIND, {"coupon": "C1"}, None),
        (promotion_code.KIND, {"coupon": "C0", "active": True}, None),
        (promotion_code.KIND, {"coupon": "C0", "active": False, "customer": "cus_1"}, None),
        (promotion_code.KIND, {"customer": "cus_3"}, None),
        (promotion_code.KIND, {"customer": "cus_3", "active": True}, None),
        (promotion_code.KIND, {"active": True}, None),
        (promotion_code.KIND, {"active": False}, None),
        (promotion_code.KIND, {}, None),
    ],
)
async def test_a_filter_finds_what_has_its_facts_in_both_directions(
    store: ReadableCustomerStore,
    owner: asyncpg.Connection,
    kind: str,
    facts: Mapping[str, object],
    parent: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    statements = set()
    page_by = store.reader._page

    async def noted(statement: str, *arguments: Any) -> Page:
        statements.add(statement)
        return await page_by(statement, *arguments)

    monkeypatch.setattr(store.reader, "_page", noted)
    expected: list[str] = []
    for n in range(OBJECTS):
        of_object, deleted, id = facts_of(kind, n), n % 11 == 5, f"id_{n}"
        stored = (orjson.dumps({"id": id}), orjson.dumps(of_object).decode(), OWNERS[n % 4])
        await owner.execute(INSERT, id, kind, 1_700_000_000 + n // 4, n, deleted, *stored)
        if not deleted and facts.items() <= of_object.items() and parent in (None, OWNERS[n % 4]):
            expected.insert(0, id)

    async def page(after: str | None = None, before: str | None = None) -> tuple[list[str], bool]:
        asked = PageOf(limit=3, starting_after=after, ending_before=before)
        found = await store.reader.resources(Scope("acct_1", False), kind, asked, parent, facts)
        return [orjson.loads(body)["id"] for body in found.bodies], found.has_more

    ids, more = await page()
    while more:
        further, more = await page(after=ids[-1])
        ids += further
    assert ids == expected
    ids, more = await page(before="id_0")
    while more:
        further, more = await page(before=ids[0])
        ids = further + ids
    assert ids == [id for id in expected if id != "id_0"]
    assert await store.reader.count_resources(Scope("acct_1", False), kind, PageOf(limit=3), parent, facts) == len(
        expected
    )
    found = filters.statement(kind, facts, parent)
    assert statements == {"list_resources_of_kind" if found is None else found[0]}
