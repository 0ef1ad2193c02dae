"""What a search finds is what looking at every customer would find, in the same order, a page at a time."""

import random
from collections.abc import Iterator
from typing import Any, assert_never

import asyncpg
import orjson

from events import customer
from events.scope import Scope
from projections.runner import Touched
from projections.search.find import Cursor, Finder, finder
from projections.search.query import TEXTS, Clause, Created, Metadata, Query, Text
from projections.search.rows import SearchProjection
from tests.projections.conftest import ReadableCustomerStore

CUSTOMERS = 2_500  # more than are looked at first
QUERIES = 150
PAGES_MAX = 3
ACCOUNT = "acct_1"
SYLLABLES = ("an", "na", "Ab", "ß", "É", "%", "_", "o'", "\\", '"', " ")
KEYS = ("tier", "order", "Ümlaut", "a b")
SINCE = 1_700_000_000

Shown = dict[str, Any]


def word(chance: random.Random) -> str:
    return "".join(chance.choices(SYLLABLES, k=chance.randint(2, 5)))


def customers(chance: random.Random) -> Iterator[tuple[Shown, tuple[Any, ...]]]:
    """Customers as the API shows them, and their rows; the later half has no key of the metadata but the first."""
    for n in range(1, CUSTOMERS + 1):
        keys = KEYS if n < CUSTOMERS / 2 else KEYS[:1]
        metadata = {key: chance.choice("xyz") for key in keys if chance.random() < 0.4}
        shown: Shown = {"id": f"cus_{n}", "created": SINCE + n // 7, "metadata": metadata}
        shown |= {field: word(chance) if chance.random() < 0.8 else None for field in TEXTS}
        account = ACCOUNT if n % 10 else "acct_2"
        deleted, clock = n % 50 == 7, "clock_1" if n % 50 == 8 else None
        row = (account, n % 25 == 3, shown["id"], shown["created"], n, 1, deleted, clock, orjson.dumps(shown))
        yield shown, row


def clause(chance: random.Random, shown: Shown) -> Clause:
    """A clause that is likely to match a customer."""
    negated = chance.random() < 0.3
    match chance.randrange(4):
        case 0:
            return Created(chance.choice(["=", "<", ">", "<=", ">="]), shown["created"], negated)
        case 1:
            return Metadata(chance.choice(KEYS), chance.choice([None, "x", "y", "X"]), negated)
        case _:
            field, within = chance.choice(TEXTS), chance.random() < 0.6
            text = chance.choice([shown[field] or "ana", word(chance)]).swapcase()
            start = chance.randrange(max(len(text) - 2, 1)) if within else 0
            return Text(field, within and len(text) >= 3, text[start : start + 4] if within else text, negated)


def matches(clause: Clause, shown: Shown) -> bool:
    """Whether a clause matches a customer, by the plainest reading."""
    match clause:
        case Text():
            value = None if shown[clause.field] is None else shown[clause.field].casefold()
            sought = clause.text.casefold()
            matched = value is not None and (sought in value if clause.within else sought == value)
        case Metadata():
            value = shown["metadata"].get(clause.key)
            matched = value is not None if clause.value is None else value == clause.value
        case Created():
            by = clause.at - shown["created"]
            matched = {"=": by == 0, "<": by > 0, ">": by < 0, "<=": by >= 0, ">=": by <= 0}[clause.operator]
        case _:
            assert_never(clause)
    return matched is not clause.negated


async def walked(search: Finder, query: Query, limit: int) -> list[Shown]:
    """The customers of the first pages."""
    found: list[Shown] = []
    page = await search.page(Scope(ACCOUNT, False), query, limit)
    for _ in range(PAGES_MAX):
        assert page.next is None or len(page.bodies) == limit
        found += map(orjson.loads, page.bodies)
        if page.next is None:
            break
        page = await search.page(Scope(ACCOUNT, False), query, limit, page.next)
    return found


async def test_a_search_finds_what_looking_at_every_customer_finds(
    store: ReadableCustomerStore, owner: asyncpg.Connection, database: str
) -> None:
    chance = random.Random(7)
    all = list(customers(chance))
    await owner.copy_records_to_table(
        "customer",
        schema_name="projections",
        records=[row for _, row in all],
        columns=("account", "livemode", "id", "created", "position", "version", "deleted", "test_clock", "body"),
    )
    async with store.pool.acquire() as connection:
        touched = [Touched(row[0], row[1], customer.stream(shown["id"])) for shown, row in all]
        await SearchProjection().apply(connection, touched)
    positions = {shown["id"]: row[4] for shown, row in all}
    mine = [shown for shown, row in all if row[:2] == (ACCOUNT, False) and not row[6] and row[7] is None][::-1]
    search = await finder(database)
    sizes = set()
    for _ in range(QUERIES):
        clauses = tuple(clause(chance, chance.choice(mine)) for _ in range(chance.randint(1, 3)))
        query = Query(clauses, "AND" if len(clauses) == 1 else chance.choice(["AND", "OR"]))
        judged = min if query.joined_by == "AND" else max
        expected = [shown for shown in mine if judged(matches(one, shown) for one in clauses)]
        limit = chance.choice([1, 3, 10, 100])
        assert await walked(search, query, limit) == expected[: PAGES_MAX * limit], query
        assert await search.count(Scope(ACCOUNT, False), query) == len(expected), query
        if expected:
            last = chance.randrange(len(expected))
            cursor = Cursor(expected[last]["created"], positions[expected[last]["id"]])
            page = await search.page(Scope(ACCOUNT, False), query, limit, cursor)
            assert [*map(orjson.loads, page.bodies)] == expected[last + 1 : last + 1 + limit], query
        sizes.add(len(expected))
    await search.close()
    assert min(sizes) == 0
    assert max(sizes) > 1_500
    assert len(sizes) > QUERIES / 4
