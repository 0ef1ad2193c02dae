"""A read model made anew from the log is the same, to the byte, and nobody waits for it."""

import asyncio
import base64
import secrets
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any, cast

import asyncpg
import pytest
from structlog.testing import capture_logs

from events import api_key, master_key
from events.customer import CUSTOMER
from events.errors import DatabaseUnsuitable
from events.migrate import check
from events.scope import Scope
from projections import api_keys
from projections.customers import PROJECTS, CustomerProjection
from projections.fold import Folds, Kind
from projections.progress import Progress
from projections.read import PageOf
from projections.rebuild import bluegreen, fill
from projections.rebuild.bluegreen import NothingToRollBack, Outcome, Rebuilder
from projections.rebuild.model import InlineModel
from projections.retry import inline, retry
from service.wiring import kinds
from tests.events.customer_store import KEYS, LIVE, STRANGER, CustomerStore
from tests.projections.conftest import API_VERSION, ReadableCustomerStore
from tests.projections.rebuilding import of_customers, rebuild_customers, run, verify_customers
from tests.service.serving import command, environment
from tests.shape import shape_of
from tests.waiting import until

EVENTS = 20 + 7 + 4  # of some_history
WRITES = 300  # under load


async def rows(owner: asyncpg.Connection) -> list[Any]:
    return list(map(tuple, await owner.fetch("SELECT * FROM projections.customer ORDER BY id")))


def folds(store: CustomerStore) -> Folds:
    projection = CustomerProjection(API_VERSION)
    kinds = {
        "customer": Kind(CUSTOMER, projection.rows, PROJECTS, projection.row),
        "api_key": Kind(api_key.API_KEY, api_keys.rows),
    }
    return Folds(store.codec, KEYS, kinds)


async def rebuilt(dsn: str, store: CustomerStore) -> tuple[list[Progress], Outcome]:
    return await run(Rebuilder(dsn, of_customers(folds(store))))


async def some_history(store: ReadableCustomerStore) -> None:
    """Customers of two accounts and both modes, updated, renamed and deleted."""
    origins = (STRANGER, LIVE)
    await asyncio.gather(
        *(
            store.create(
                f"cus_{number}", origins[number % 2], email=f"{number}@example.com", metadata={"b": "1", "é": "2"}
            )
            for number in range(20)
        )
    )
    for number in range(0, 20, 3):
        await store.update(f"cus_{number}", origins[number % 2], metadata={"a": "0", "b": ""}, name="Zoë")
    for number in range(0, 20, 5):
        await store.delete(f"cus_{number}", origins[number % 2])


async def break_history(owner: asyncpg.Connection, stream: str) -> list[Any]:
    """Make a stream one that does not decode; gives how it was."""
    before: list[Any] = await owner.fetch("SELECT payload, position FROM events.log WHERE stream = $1", stream)
    await restore_history(owner, [(b"{}", position) for _, position in before])
    return before


async def restore_history(owner: asyncpg.Connection, payloads: Sequence[Any]) -> None:
    """Write payloads at positions, as only a superuser can."""
    await owner.execute("SET session_replication_role = replica")
    await owner.executemany("UPDATE events.log SET payload = $1 WHERE position = $2", payloads)
    await owner.execute("SET session_replication_role = DEFAULT")


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fill, "BATCH_STREAMS", 3)
    monkeypatch.setattr(bluegreen, "POLL_S", 0.001)


async def test_a_rebuild_gives_the_same_rows(
    store: ReadableCustomerStore, owner: asyncpg.Connection, database: str
) -> None:
    await some_history(store)
    before = await rows(owner)
    await owner.execute("DELETE FROM projections.customer WHERE id < 'cus_14'")
    await owner.execute("UPDATE projections.customer SET body = '', email = 'x', version = 99, position = -position")
    progress, outcome = await rebuilt(database, store)
    assert await rows(owner) == before
    assert (progress[-1].done, progress[-1].total) == (EVENTS, EVENTS)
    assert (outcome.comparisons[0].rows_next, len(outcome.comparisons[0].differing)) == (20, 20)
    assert outcome.parked == 0


def in_use(shape: str) -> list[str]:
    """The shape without what is of versions that are not in use."""
    return [line for line in shape.splitlines() if "projections_" not in line]


async def test_the_new_tables_are_like_those_before_them(
    store: ReadableCustomerStore, owner: asyncpg.Connection, database: str
) -> None:
    await some_history(store)
    before = in_use(await shape_of(database))
    await rebuilt(database, store)
    await rebuilt(database, store)
    assert in_use(await shape_of(database)) == before
    found = await check(database)
    assert not found.ungranted
    assert not found.pending


@pytest.mark.usefixtures("small_batches")
async def test_a_rebuild_goes_in_batches_and_says_how_far_it_is(
    store: ReadableCustomerStore, owner: asyncpg.Connection, database: str
) -> None:
    await some_history(store)
    before = await rows(owner)
    progress, _ = await rebuilt(database, store)
    done = [each.done for each in progress]
    assert done == sorted(done)
    assert done[-1] == EVENTS
    assert await rows(owner) == before


async def test_a_rebuild_of_nothing_is_done_at_once(
    store: ReadableCustomerStore, owner: asyncpg.Connection, database: str
) -> None:
    progress, _ = await rebuilt(database, store)
    assert (progress[-1].done, progress[-1].total) == (0, 0)
    assert await rows(owner) == []


async def test_a_stream_that_does_not_decode_is_parked_and_keeps_its_rows(
    store: ReadableCustomerStore, owner: asyncpg.Connection, database: str
) -> None:
    await some_history(store)
    before = await rows(owner)
    history = await break_history(owner, "customer-cus_7")
    with capture_logs() as logs:
        _, outcome = await rebuilt(database, store)
    assert await rows(owner) == before
    assert outcome.parked == 1
    [line] = [line for line in logs if line["event"] == "projection.parked"]
    assert line["stream"] == "customer-cus_7"
    [parked] = await owner.fetch("SELECT projection, error FROM projections.parked WHERE stream = 'customer-cus_7'")
    assert parked["error"].startswith("BrokenHistory: customer-cus_7 version 1")
    repairs = inline(InlineModel(folds(store)))
    assert [error for _, error in await retry(store.pool, repairs)] == [parked["error"]]
    await restore_history(owner, history)
    await owner.execute("UPDATE projections.customer SET body = '' WHERE id = 'cus_7'")
    assert [error for _, error in await retry(store.pool, repairs)] == [None]
    assert await rows(owner) == before
    assert await owner.fetchval("SELECT count(*) FROM projections.parked") == 0


@pytest.mark.usefixtures("small_batches")
async def test_a_rebuild_that_is_given_up_leaves_the_rows_and_goes_on_where_it_was(
    store: ReadableCustomerStore, owner: asyncpg.Connection, database: str
) -> None:
    await some_history(store)
    before = await rows(owner)
    rebuilding = cast(AsyncGenerator[Progress], Rebuilder(database, of_customers(folds(store))).rebuild())
    done = 0
    while not done:
        done = (await anext(rebuilding)).done
    await rebuilding.aclose()
    assert await rows(owner) == before
    await store.update("cus_1", LIVE, name="Jenny")
    before = await rows(owner)
    progress, _ = await rebuilt(database, store)
    assert progress[0].done >= done
    assert await rows(owner) == before


async def test_after_a_rebuild_without_a_persons_key_nothing_of_the_person_is_shown(
    store: ReadableCustomerStore, owner: asyncpg.Connection, database: str
) -> None:
    await some_history(store)
    await owner.execute("DELETE FROM keys.subject WHERE stream = 'customer-cus_1'")
    await rebuilt(database, store)
    [row] = await owner.fetch("SELECT * FROM projections.customer WHERE id = 'cus_1'")
    assert row["email"] is None
    assert b"example.com" not in row["body"]


@pytest.mark.usefixtures("small_batches")
async def test_appends_go_on_during_a_rebuild_and_are_in_the_rows_after_it(
    store: ReadableCustomerStore, owner: asyncpg.Connection, database: str
) -> None:
    await some_history(store)
    number = 0
    async for _ in Rebuilder(database, of_customers(folds(store))).rebuild():
        number += 1
        await store.update("cus_1", LIVE, name=f"Meanwhile {number}")
        await store.create(f"cus_new{number}", LIVE, email="new@example.com")
    body = await store.reader.customer(Scope("acct_1", True), "cus_1")
    assert body is not None
    assert f"Meanwhile {number}".encode() in body
    after = await rows(owner)
    await rebuilt(database, store)
    assert await rows(owner) == after


async def test_what_differs_is_named_and_left_as_it_is_by_a_comparison(
    store: ReadableCustomerStore, owner: asyncpg.Connection, database: str
) -> None:
    await some_history(store)
    await owner.execute("UPDATE projections.customer SET email = 'x' WHERE id = 'cus_1'")
    await owner.execute("DELETE FROM projections.customer WHERE id = 'cus_3'")
    before = await rows(owner)
    customers, resources = (await verify_customers(database, folds(store))).comparisons
    assert customers.differing == [("acct_1", True, "cus_1"), ("acct_1", True, "cus_3")]
    assert (customers.rows, customers.rows_next) == (19, 20)
    assert customers.checksum != customers.checksum_next
    assert resources.same
    assert await rows(owner) == before
    assert await owner.fetchval("SELECT to_regclass('projections_next.customer')") is None


async def test_a_rollback_puts_the_version_before_in_use_with_what_has_happened_since(
    store: ReadableCustomerStore, owner: asyncpg.Connection, database: str
) -> None:
    await some_history(store)
    rebuilder = Rebuilder(database, of_customers(folds(store)))
    with pytest.raises(NothingToRollBack):
        await rebuilder.rollback()
    await owner.execute("UPDATE projections.customer SET body = 'before' WHERE id IN ('cus_1', 'cus_3')")
    await rebuilt(database, store)
    await verify_customers(database, folds(store))  # leaves it there
    await store.update("cus_1", LIVE, name="Since")
    await rebuilder.rollback()
    found = dict(await owner.fetch("SELECT id, body FROM projections.customer WHERE id IN ('cus_1', 'cus_3')"))
    assert b"Since" in found["cus_1"]
    assert found["cus_3"] == b"before"
    await rebuilder.drop_previous()
    assert await owner.fetchval("SELECT to_regclass('projections_previous.customer')") is None
    with pytest.raises(NothingToRollBack):
        await rebuilder.rollback()


async def test_two_rebuilds_at_once_are_refused(
    store: ReadableCustomerStore, owner: asyncpg.Connection, database: str
) -> None:
    await some_history(store)
    first = cast(AsyncGenerator[Progress], Rebuilder(database, of_customers(folds(store))).rebuild())
    await anext(first)
    with pytest.raises(DatabaseUnsuitable, match="Another process is rebuilding customers"):
        await rebuild_customers(database, folds(store))
    await first.aclose()


async def test_who_does_not_own_the_tables_is_refused(
    store: ReadableCustomerStore, owner: asyncpg.Connection, database: str
) -> None:
    role = f"rebuild_{secrets.token_hex(4)}"
    await owner.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'x' IN ROLE rollbook_service")
    try:
        with pytest.raises(DatabaseUnsuitable, match="as the role that owns the database"):
            await rebuild_customers(as_role(database, role), folds(store))
    finally:
        await owner.execute(f"DROP ROLE {role}")


def as_role(dsn: str, role: str) -> str:
    scheme, _, rest = dsn.partition("://")
    return f"{scheme}://{role}:x@{rest.partition('@')[2]}"


async def test_a_rebuild_under_load_loses_nothing_and_no_list_is_ever_shorter(
    store: ReadableCustomerStore, owner: asyncpg.Connection, database: str
) -> None:
    await some_history(store)
    over = asyncio.Event()
    written = 0

    async def write() -> None:
        nonlocal written
        while not over.is_set() and written < WRITES:
            written += 1
            await store.create(f"cus_load{written}", LIVE, email=f"{written}@example.com")
            await store.update(f"cus_load{written // 2 + 1}", LIVE, name=f"Written {written}")

    async def read() -> None:
        seen = 0
        while not over.is_set():
            found = len((await store.reader.customers(LIVE.scope, PageOf(limit=5_000))).bodies)
            assert found >= seen
            seen = found

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(write())
        tasks.create_task(read())
        for _ in range(2):
            await rebuild_customers(database, folds(store))
        over.set()
    assert written > 0
    comparisons = (await verify_customers(database, folds(store))).comparisons
    assert [comparison.differing for comparison in comparisons] == [[], []]
    assert comparisons[0].rows == 20 + written


async def test_a_rebuild_that_was_killed_goes_on_where_it_was(
    store: ReadableCustomerStore, owner: asyncpg.Connection, database: str, tmp_path: Path
) -> None:
    await some_history(store)
    before = await rows(owner)
    await master_key.verify(owner, KEYS)  # registered: a command reads the log for it otherwise
    await owner.execute("BEGIN; LOCK TABLE events.log IN ACCESS EXCLUSIVE MODE")
    child = await asyncio.create_subprocess_exec(
        *command("rebuild", "customers", "--yes", "--workers", "2"),
        env=environment(database, tmp_path, ROLLBOOK_MASTER_KEY=base64.b64encode(bytes(32)).decode()),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    watching = await asyncpg.connect(database)

    async def workers(waiting: str = "AND wait_event_type = 'Lock'") -> int:
        query = f"SELECT count(*) FROM pg_stat_activity WHERE application_name = 'rollbook rebuild' {waiting}"
        return int(await watching.fetchval(f"{query} AND datname = current_database()"))

    async def both_wait() -> bool:
        return await workers() == 2

    async def all_gone() -> bool:
        return await workers("") == 0

    await until(both_wait, timeout_s=60)
    child.kill()
    await child.wait()
    await owner.execute("ROLLBACK")
    await until(all_gone, timeout_s=30)
    assert await watching.fetchval("SELECT state FROM projections.rebuild") == "filling"
    ranges = "SELECT count(*), sum(events) FROM projections.rebuild_range"
    cut = await watching.fetchval(ranges)
    same_code = Folds(store.codec, KEYS, kinds(KEYS, API_VERSION))
    await rebuild_customers(database, same_code)
    assert await watching.fetchval(ranges) == cut > 1, "the ranges of the first"
    assert await rows(owner) == before
    await watching.close()
