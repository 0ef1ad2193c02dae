"""Reading the read models: what was written is read back by who may, page by page."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import orjson
import pytest

from events.api_key import API_KEY, IssueKey, RevokeKey
from events.customer import CreateCustomer
from events.errors import ConstraintBroken
from events.record import Origin
from events.scope import Scope
from projections.read import Page, PageOf, Principal, UnknownCursor
from tests import acting
from tests.events.customer_store import CUSTOMER, LIVE, STRANGER, TEST, CustomerStore
from tests.projections.conftest import ReadableCustomerStore

NOON = 1_700_000_000
Walk = Callable[[PageOf], Awaitable[Page]]


async def create(
    store: ReadableCustomerStore, id: str, created: int = NOON, origin: Origin = TEST, **patch: Any
) -> None:
    command = CreateCustomer(id=id, created=created, invoice_prefix=id.upper()[-12:], patch=patch)  # type: ignore[arg-type]  # shorthand
    await acting.create(store.executor, CUSTOMER, id, command, origin)


def ids(page: Page) -> list[str]:
    return [orjson.loads(body)["id"] for body in page.bodies]


async def forwards(walk: Walk, limit: int, **bounds: Any) -> list[list[str]]:
    """Every page from the first on."""
    pages: list[list[str]] = []
    cursor = None
    while True:
        page = await walk(PageOf(limit=limit, starting_after=cursor, **bounds))
        pages.append(ids(page))
        if not page.has_more:
            return pages
        cursor = pages[-1][-1]


async def backwards(walk: Walk, limit: int, cursor: str, **bounds: Any) -> list[list[str]]:
    """Every page from just before `cursor` back to the first."""
    pages: list[list[str]] = []
    while True:
        page = await walk(PageOf(limit=limit, ending_before=cursor, **bounds))
        pages.append(ids(page))
        if not page.has_more:
            return pages
        cursor = pages[-1][0]


def customers(store: ReadableCustomerStore, origin: Origin = TEST, email: str | None = None) -> Walk:
    return lambda page: store.reader.customers(origin.scope, page, email)


async def test_a_customer_is_read_as_it_was_last_written_and_still_when_deleted(store: ReadableCustomerStore) -> None:
    assert await store.reader.customer(Scope("acct_1", False), "cus_1") is None
    await store.create("cus_1", email="jenny@example.com")
    await store.update("cus_1", name="Jenny")
    shown = orjson.loads(await store.reader.customer(Scope("acct_1", False), "cus_1") or b"")
    assert (shown["email"], shown["name"]) == ("jenny@example.com", "Jenny")
    await store.delete("cus_1")
    shown = orjson.loads(await store.reader.customer(Scope("acct_1", False), "cus_1") or b"")
    assert shown == {"id": "cus_1", "object": "customer", "deleted": True}


async def test_many_reads_at_once_are_answered_each_with_its_own(store: ReadableCustomerStore) -> None:
    await asyncio.gather(*(create(store, f"cus_{number}") for number in range(40)))
    asked = [f"cus_{number}" for number in range(80)] * 5
    bodies = await asyncio.gather(*(store.reader.customer(Scope("acct_1", False), id) for id in asked))
    for id, body in zip(asked, bodies, strict=True):
        known = int(id.removeprefix("cus_")) < 40
        assert (orjson.loads(body)["id"] == id) if body else not known


async def test_an_id_that_postgres_cannot_store_is_unknown_and_disturbs_no_other_read(
    store: ReadableCustomerStore,
) -> None:
    await store.create("cus_1")
    found = await asyncio.gather(
        *(store.reader.customer(Scope("acct_1", False), id) for id in ("cus_1", "cus\0", "cus\ud800", "cus_1")),
        *(store.reader.resource(Scope("acct_1", False), "customer", id) for id in ("cus\0", "cus_1")),
    )
    assert [body is not None for body in found] == [True, False, False, True, False, False]


async def test_pages_keep_their_order_at_ties_within_a_second_in_both_directions(store: ReadableCustomerStore) -> None:
    order = []
    for number in range(13):
        await create(store, f"cus_{number}", created=NOON + number // 5)
        order.append(f"cus_{number}")
    order.reverse()
    for limit in (1, 3, 5, 13, 100):
        pages = await forwards(customers(store), limit)
        assert [id for page in pages for id in page] == order
        assert all(len(page) == limit for page in pages[:-1])
        pages = await backwards(customers(store), limit, order[-1])
        assert [id for page in reversed(pages) for id in page] == order[:-1]
        assert all(len(page) == limit for page in pages[:-1])


async def test_a_deleted_customer_is_in_no_list_and_is_still_a_cursor(store: ReadableCustomerStore) -> None:
    for number in range(5):
        await create(store, f"cus_{number}")
    await store.delete("cus_2")
    walk = customers(store)
    assert await forwards(walk, 10) == [["cus_4", "cus_3", "cus_1", "cus_0"]]
    assert ids(await walk(PageOf(limit=10, starting_after="cus_2"))) == ["cus_1", "cus_0"]
    assert ids(await walk(PageOf(limit=10, ending_before="cus_2"))) == ["cus_4", "cus_3"]


async def test_an_update_does_not_move_a_customer_in_the_list(store: ReadableCustomerStore) -> None:
    for number in range(3):
        await create(store, f"cus_{number}")
    await store.update("cus_0", name="Jenny")
    assert await forwards(customers(store), 10) == [["cus_2", "cus_1", "cus_0"]]


async def test_the_ends_of_a_list_have_no_more(store: ReadableCustomerStore) -> None:
    assert await forwards(customers(store), 10) == [[]]
    await create(store, "cus_0")
    await create(store, "cus_1")
    walk = customers(store)
    assert await walk(PageOf(limit=10, starting_after="cus_0")) == Page([], False)
    assert await walk(PageOf(limit=10, ending_before="cus_1")) == Page([], False)
    assert (await walk(PageOf(limit=1))).has_more
    assert not (await walk(PageOf(limit=2))).has_more


@pytest.mark.parametrize("direction", ["starting_after", "ending_before"])
async def test_a_cursor_that_names_nothing_of_ours_is_unknown(store: ReadableCustomerStore, direction: str) -> None:
    await create(store, "cus_1")
    await create(store, "cus_2", origin=STRANGER)
    await create(store, "cus_3", origin=LIVE)
    for cursor in ("cus_2", "cus_3", "cus_4"):
        page = PageOf(limit=10, **{direction: cursor})  # type: ignore[arg-type]  # a cursor
        with pytest.raises(UnknownCursor):
            await customers(store)(page)


async def test_created_bounds_are_inclusive_and_apply_to_every_page(store: ReadableCustomerStore) -> None:
    for number in range(10):
        await create(store, f"cus_{number}", created=NOON + number)
    bounds = {"created_min": NOON + 2, "created_max": NOON + 6}
    expected = ["cus_6", "cus_5", "cus_4", "cus_3", "cus_2"]
    pages = await forwards(customers(store), 2, **bounds)
    assert [id for page in pages for id in page] == expected
    pages = await backwards(customers(store), 2, "cus_0", **bounds)
    assert [id for page in reversed(pages) for id in page] == expected
    assert ids(await customers(store)(PageOf(limit=10, created_min=NOON + 10))) == []


async def test_an_email_filter_is_exact_and_minds_its_case(store: ReadableCustomerStore) -> None:
    emails = ["jenny@example.com", "Jenny@example.com", "jenny@example.com", None, "jenny@example.com.au"]
    for number, email in enumerate(emails):
        await create(store, f"cus_{number}", email=email)
    walk = customers(store, email="jenny@example.com")
    assert await forwards(walk, 1) == [["cus_2"], ["cus_0"]]
    assert await backwards(walk, 1, "cus_0") == [["cus_2"]]
    assert ids(await walk(PageOf(limit=10, starting_after="cus_1"))) == ["cus_0"], "a cursor need not match the filter"
    await store.update("cus_2", email="new@example.com")
    await store.delete("cus_0")
    assert await forwards(walk, 10) == [[]]


async def test_accounts_and_modes_see_nothing_of_each_other(store: ReadableCustomerStore) -> None:
    for number, origin in enumerate((TEST, STRANGER, LIVE)):
        await create(store, f"cus_{number}", origin=origin, email="jenny@example.com")
    for number, origin in enumerate((TEST, STRANGER, LIVE)):
        mine = [f"cus_{number}"]
        assert await forwards(customers(store, origin), 10) == [mine]
        assert await forwards(customers(store, origin, "jenny@example.com"), 10) == [mine]
        assert await store.reader.count_customers(origin.scope, PageOf(limit=1)) == 1
        for other in range(3):
            body = await store.reader.customer(origin.scope, f"cus_{other}")
            assert (body is not None) == (other == number)


async def test_a_list_is_counted_over_all_its_pages(store: ReadableCustomerStore) -> None:
    for number in range(5):
        await create(store, f"cus_{number}", created=NOON + number, email="a@b.co" if number % 2 else None)
    await store.delete("cus_3")
    assert await store.reader.count_customers(Scope("acct_1", False), PageOf(limit=1, starting_after="cus_1")) == 4
    assert await store.reader.count_customers(Scope("acct_1", False), PageOf(limit=1, created_min=NOON + 2)) == 2
    assert await store.reader.count_customers(Scope("acct_1", False), PageOf(limit=1), "a@b.co") == 1


# Names that must be unique


async def test_an_invoice_prefix_in_use_fails_alone_and_is_free_again_after_deletion(
    store: ReadableCustomerStore,
) -> None:
    await store.create("cus_1", invoice_prefix="ACME")
    outcomes = await asyncio.gather(
        *(create(store, f"cus_a{number}") for number in range(5)),
        create(store, "cus_2", invoice_prefix="ACME"),
        *(create(store, f"cus_b{number}") for number in range(5)),
        create(store, "cus_3", origin=STRANGER, invoice_prefix="ACME"),
        create(store, "cus_4", origin=LIVE, invoice_prefix="ACME"),
        return_exceptions=True,
    )
    failed = outcomes.pop(5)
    assert isinstance(failed, ConstraintBroken)
    assert failed.constraint == "customer_invoice_prefix"
    assert outcomes == [None] * 12
    assert await store.reader.customer(Scope("acct_1", False), "cus_2") is None
    assert (await store.log.load("customer-cus_2")).records == []
    await store.delete("cus_1")
    await create(store, "cus_2", invoice_prefix="ACME")


async def test_two_customers_created_at_once_do_not_get_one_prefix(store: ReadableCustomerStore) -> None:
    outcomes = await asyncio.gather(
        *(create(store, f"cus_{number}", invoice_prefix="ACME") for number in range(10)), return_exceptions=True
    )
    assert outcomes.count(None) == 1
    assert sum(isinstance(outcome, ConstraintBroken) for outcome in outcomes) == 9


# Notices


async def test_notices_are_numbered_without_gaps_in_the_order_of_the_log(
    store: ReadableCustomerStore, owner: asyncpg.Connection
) -> None:
    await asyncio.gather(*(create(store, f"cus_{number}") for number in range(30)))
    await asyncio.gather(
        *(store.update(f"cus_{number}", name="Jenny") for number in range(30)),
        *(create(store, f"cus_{number}", invoice_prefix="CUS_1") for number in range(30, 35)),
        *(issue(store, f"key_{number}") for number in range(10)),
        return_exceptions=True,
    )
    rows = await owner.fetch("SELECT * FROM projections.notice ORDER BY sequence")
    assert [row["sequence"] for row in rows] == list(range(1, 61))
    assert [row["position"] for row in rows] == sorted(row["position"] for row in rows)
    assert [row["appended_at"] for row in rows] == sorted(row["appended_at"] for row in rows)
    log = {record.position: record for record in await store.log.read(0, 1000)}
    for row in rows:
        record = log[row["position"]]
        assert (row["stream"], row["version"], row["type"]) == (record.stream, record.version, record.type)
        assert orjson.loads(row["body"])["id"] == row["id"]
    assert await owner.fetchval("SELECT sequence FROM projections.notice_head") == 60


# API keys, a kind of the table that all other kinds share


async def issue(
    store: ReadableCustomerStore, id: str, digest: str = "", origin: Origin = TEST, created: int = NOON
) -> None:
    command = IssueKey(
        id=id,
        created=created,
        digest=digest or id,
        name="",
        key_type="restricted",
        permissions=("customers:read",),
        shown="…",
    )
    await acting.create(store.executor, API_KEY, id, command, origin)


async def test_a_key_is_found_by_its_digest_until_it_is_revoked(store: ReadableCustomerStore) -> None:
    await issue(store, "key_1", "digest", LIVE)
    assert await store.reader.principal("digest") == Principal(
        "key_1", Scope("acct_1", True), key_type="restricted", permissions=frozenset({"customers:read"})
    )
    assert await store.reader.principal("other") is None
    await acting.update(store.executor, API_KEY, "key_1", RevokeKey(id="key_1"), LIVE)
    assert await store.reader.principal("digest") is None
    assert [orjson.loads(body)["revoked"] for body in await store.reader.api_keys()] == [True]


async def test_a_key_that_the_release_before_issued_acts_and_it_reads_those_of_ours(
    store: ReadableCustomerStore, owner: asyncpg.Connection
) -> None:
    await issue(store, "key_1", "digest")
    ours = await store.reader.principal("digest")
    theirs = {"power": "restricted", "rights": ["customers:read"]}
    kept = orjson.loads(await owner.fetchval("SELECT facts FROM projections.resource"))
    assert kept.items() >= theirs.items()
    await owner.execute("UPDATE projections.resource SET facts = $1", orjson.dumps(theirs).decode())
    assert ours is not None
    assert await store.reader.principal("digest") == ours


async def test_a_key_exists_once(store: ReadableCustomerStore) -> None:
    await issue(store, "key_1", "digest")
    with pytest.raises(ConstraintBroken) as caught:
        await issue(store, "key_2", "digest", STRANGER)
    assert caught.value.constraint == "resource_lookup"


async def test_objects_of_other_kinds_are_listed_by_kind(store: ReadableCustomerStore) -> None:
    for number in range(5):
        await issue(store, f"key_{number}", created=NOON + number // 2)
    await issue(store, "key_9", origin=STRANGER)

    def walk(page: PageOf) -> Awaitable[Page]:
        return store.reader.resources(Scope("acct_1", False), "api_key", page)

    order = ["key_4", "key_3", "key_2", "key_1", "key_0"]
    assert [id for page in await forwards(walk, 2) for id in page] == order
    assert [id for page in reversed(await backwards(walk, 2, "key_0")) for id in page] == order[:-1]
    assert ids(await store.reader.resources(Scope("acct_1", False), "other_kind", PageOf(limit=10))) == []
    for cursor in ("key_0", "key_9"):
        with pytest.raises(UnknownCursor):
            await store.reader.resources(Scope("acct_1", False), "other_kind", PageOf(limit=10, starting_after=cursor))
    assert await store.reader.resource(Scope("acct_1", False), "api_key", "key_1") is not None
    assert await store.reader.resource(Scope("acct_1", False), "other_kind", "key_1") is None
    assert await store.reader.resource(Scope("acct_2", False), "api_key", "key_1") is None


# Several processes


async def test_updates_of_one_customer_from_two_processes_are_all_applied(
    store: ReadableCustomerStore, database: str
) -> None:
    other = CustomerStore(store.log, rows_of=store.rows_of)
    await store.create("cus_1")
    await asyncio.gather(
        *((store, other)[number % 2].update("cus_1", metadata={f"key {number}": "text"}) for number in range(30))
    )
    shown = orjson.loads(await store.reader.customer(Scope("acct_1", False), "cus_1") or b"")
    assert set(shown["metadata"]) == {f"key {number}" for number in range(30)}
    assert (await store.replayed("cus_1")).profile.metadata == shown["metadata"]
