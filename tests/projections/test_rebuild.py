"""A read model emptied and filled again from the log is the same, to the byte."""

import asyncio
from typing import Any

import asyncpg
import pytest

from events.errors import BrokenHistory
from events.scope import Scope
from projections import rebuild
from projections.progress import Progress
from tests.events.customer_store import KEYS, LIVE, STRANGER, CustomerStore
from tests.projections.conftest import ReadableCustomerStore


async def rows(owner: asyncpg.Connection) -> list[Any]:
    return list(map(tuple, await owner.fetch("SELECT * FROM projections.customer ORDER BY id")))


async def rebuilt(dsn: str, store: CustomerStore) -> list[Progress]:
    return [progress async for progress in rebuild.customers(dsn, store.codec, KEYS)]


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


async def test_a_rebuild_gives_the_same_rows(
    store: ReadableCustomerStore, owner: asyncpg.Connection, database: str
) -> None:
    await some_history(store)
    before = await rows(owner)
    await owner.execute("DELETE FROM projections.customer WHERE id < 'cus_14'")
    await owner.execute("UPDATE projections.customer SET body = '', email = 'x', version = 99, position = -position")
    progress = await rebuilt(database, store)
    assert await rows(owner) == before
    events = 20 + 7 + 4
    assert (progress[-1].done, progress[-1].total) == (events, events)


async def test_a_rebuild_goes_in_batches_and_says_how_far_it_is(
    store: ReadableCustomerStore, owner: asyncpg.Connection, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await some_history(store)
    before = await rows(owner)
    monkeypatch.setattr(rebuild, "STREAMS_BATCH", 3)
    monkeypatch.setattr(rebuild, "BATCH", 2)
    done = [progress.done for progress in await rebuilt(database, store)]
    assert len(done) > 6
    assert done == sorted(done)
    assert await rows(owner) == before


async def test_a_rebuild_of_nothing_is_done_at_once(
    store: ReadableCustomerStore, owner: asyncpg.Connection, database: str
) -> None:
    [progress] = await rebuilt(database, store)
    assert (progress.done, progress.total) == (0, 0)
    assert await rows(owner) == []


async def test_a_rebuild_that_meets_broken_history_leaves_the_rows_as_they_were(
    store: ReadableCustomerStore, owner: asyncpg.Connection, database: str
) -> None:
    await some_history(store)
    before = await rows(owner)
    await owner.execute("SET session_replication_role = replica")
    await owner.execute("UPDATE events.log SET payload = '{}' WHERE stream = 'customer-cus_7'")
    with pytest.raises(BrokenHistory, match="customer-cus_7"):
        await rebuilt(database, store)
    assert await rows(owner) == before


async def test_a_rebuild_that_is_given_up_leaves_the_rows_as_they_were(
    store: ReadableCustomerStore, owner: asyncpg.Connection, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await some_history(store)
    before = await rows(owner)
    monkeypatch.setattr(rebuild, "STREAMS_BATCH", 1)
    rebuilding = rebuild.customers(database, store.codec, KEYS)
    await anext(rebuilding)
    await rebuilding.aclose()  # type: ignore[attr-defined]  # it is a generator
    assert await rows(owner) == before
    await store.update("cus_1", LIVE, name="Jenny")


async def test_after_a_rebuild_without_a_persons_key_nothing_of_the_person_is_shown(
    store: ReadableCustomerStore, owner: asyncpg.Connection, database: str
) -> None:
    await some_history(store)
    await owner.execute("DELETE FROM keys.subject WHERE stream = 'customer-cus_1'")
    await rebuilt(database, store)
    [row] = await owner.fetch("SELECT * FROM projections.customer WHERE id = 'cus_1'")
    assert row["email"] is None
    assert b"example.com" not in row["body"]


async def test_appends_wait_for_a_rebuild_and_are_in_the_rows_after_it(
    store: ReadableCustomerStore, owner: asyncpg.Connection, database: str
) -> None:
    await some_history(store)
    updates = [
        asyncio.ensure_future(store.update("cus_1", LIVE, name="Meanwhile"))
        async for _ in rebuild.customers(database, store.codec, KEYS)
    ]
    await asyncio.gather(*updates)
    body = await store.reader.customer(Scope("acct_1", True), "cus_1")
    assert body is not None
    assert b"Meanwhile" in body
    before = await rows(owner)
    await rebuilt(database, store)
    assert await rows(owner) == before
