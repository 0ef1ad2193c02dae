"""A projection that follows the log: rows and checkpoint move together or not at all, whoever is at it."""

import asyncio
from collections import Counter
from collections.abc import Sequence

import asyncpg
import pytest
from structlog.testing import capture_logs

from events.errors import LogUnavailable
from events.follow import Wakeup
from projections.parked import listed
from projections.retry import following, retry
from projections.runner import Runner, Touched
from projections.search.rows import SearchProjection
from tests.events.customer_store import LIVE, TEST
from tests.projections.conftest import ReadableCustomerStore
from tests.projections.rebuilding import rebuild_search
from tests.waiting import until

CUSTOMERS = 25


class Watched(SearchProjection):
    """Search, which records what it is notified of; after its rows are written it does what it is asked to."""

    def __init__(self) -> None:
        super().__init__()
        self.notified: list[Sequence[Touched]] = []
        self.wrote = asyncio.Event()
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def apply(self, connection: asyncpg.Connection, touched: Sequence[Touched]) -> None:
        await super().apply(connection, touched)
        self.notified.append(touched)
        self.wrote.set()
        await self.go_on.wait()


async def some_customers(store: ReadableCustomerStore) -> None:
    await asyncio.gather(*(store.create(f"cus_{n}", name=f"Number {n}") for n in range(CUSTOMERS)))


async def followed(owner: asyncpg.Connection) -> tuple[int, int]:
    """How far the checkpoint is, and how many customers can be found."""
    position = await owner.fetchval("SELECT position FROM projections.checkpoint WHERE name = 'search.2'")
    return position, await owner.fetchval("SELECT count(*) FROM projections.search")


async def test_a_batch_goes_to_its_end_and_says_how_long_it_was(
    store: ReadableCustomerStore, owner: asyncpg.Connection
) -> None:
    await some_customers(store)
    runner = Runner(store.pool, SearchProjection(), batch=10)
    for advanced, reached in ((10, 10), (10, 20), (5, 25), (0, 25)):
        assert await runner.advance() == advanced
        assert await followed(owner) == (reached, reached)


async def test_a_customer_changed_often_is_looked_at_once_and_as_it_is_now(
    store: ReadableCustomerStore, owner: asyncpg.Connection
) -> None:
    for origin in (TEST, LIVE):
        id = "cus_test" if origin is TEST else "cus_live"
        await store.create(id, origin, name="Before")
        for name in ("Then", "Now"):
            await store.update(id, origin, name=name)
    search = Watched()
    assert await Runner(store.pool, search).advance() == 6
    assert search.notified == [
        [Touched("acct_1", False, "customer-cus_test"), Touched("acct_1", True, "customer-cus_live")]
    ]
    assert {row["name"] for row in await owner.fetch("SELECT name FROM projections.search")} == {"now"}


async def test_going_over_the_same_events_again_leads_to_the_same_rows(
    store: ReadableCustomerStore, owner: asyncpg.Connection
) -> None:
    await some_customers(store)
    await store.update("cus_3", name="Other")
    await store.delete("cus_4")
    runner = Runner(store.pool, SearchProjection(), batch=4)
    select = "SELECT * FROM projections.search ORDER BY id"
    seen = []
    for _ in range(2):
        while await runner.advance():
            pass
        seen.append([tuple(row) for row in await owner.fetch(select)])
        await owner.execute("UPDATE projections.checkpoint SET position = 3")
    assert seen[0] == seen[1]
    assert len(seen[0]) == CUSTOMERS - 1


@pytest.mark.parametrize("end", ["cancelled", "connection lost"])
async def test_what_is_cut_off_between_rows_and_checkpoint_leaves_neither(
    store: ReadableCustomerStore, owner: asyncpg.Connection, end: str
) -> None:
    await some_customers(store)
    search = Watched()
    search.go_on.clear()
    working = asyncio.create_task(Runner(store.pool, search).advance())
    await search.wrote.wait()
    if end == "cancelled":
        working.cancel()
    else:
        await owner.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        search.go_on.set()
    with pytest.raises((asyncio.CancelledError, LogUnavailable)):
        await working
    assert await followed(owner) == (0, 0)
    assert await Runner(store.pool, SearchProjection()).advance() == CUSTOMERS
    assert await followed(owner) == (CUSTOMERS, CUSTOMERS)


async def test_one_advances_at_a_time_and_the_others_do_not_wait(
    store: ReadableCustomerStore, owner: asyncpg.Connection
) -> None:
    await some_customers(store)
    search = Watched()
    search.go_on.clear()
    working = asyncio.create_task(Runner(store.pool, search).advance())
    await search.wrote.wait()
    assert await Runner(store.pool, SearchProjection()).advance() == 0
    search.go_on.set()
    assert await working == CUSTOMERS
    assert await followed(owner) == (CUSTOMERS, CUSTOMERS)


async def test_several_that_follow_see_each_event_once_between_them(
    store: ReadableCustomerStore, owner: asyncpg.Connection, database: str
) -> None:
    stop, wakeup, searches = asyncio.Event(), Wakeup(database, "rollbook_log"), [Watched() for _ in range(3)]
    following = [asyncio.create_task(wakeup.run(stop))]
    following += [asyncio.create_task(Runner(store.pool, one, batch=2).run(wakeup, stop)) for one in searches]
    await some_customers(store)

    async def all_found() -> bool:
        return await followed(owner) == (CUSTOMERS, CUSTOMERS)

    await until(all_found)
    stop.set()
    wakeup.poke()
    await asyncio.gather(*following)
    seen = Counter(one.stream for search in searches for touched in search.notified for one in touched)
    assert set(seen.values()) == {1}
    assert len(seen) == CUSTOMERS


async def test_a_follower_outlives_a_database_that_refuses(
    store: ReadableCustomerStore, owner: asyncpg.Connection, database: str
) -> None:
    await owner.execute("ALTER TABLE projections.search RENAME TO elsewhere")
    await some_customers(store)
    stop, wakeup, runner = asyncio.Event(), Wakeup(database, "rollbook_log"), Runner(store.pool, SearchProjection())
    with capture_logs() as said:
        following = [asyncio.create_task(one) for one in (wakeup.run(stop), runner.run(wakeup, stop))]
        await until(lambda: [line["error"] for line in said if line["event"] == "projection.waits"])
    await owner.execute("ALTER TABLE projections.elsewhere RENAME TO search")
    wakeup.poke()

    async def all_found() -> bool:
        return await followed(owner) == (CUSTOMERS, CUSTOMERS)

    await until(all_found)
    stop.set()
    wakeup.poke()
    await asyncio.gather(*following)


async def test_a_follower_goes_on_from_where_a_rebuild_is(
    store: ReadableCustomerStore, owner: asyncpg.Connection, database: str
) -> None:
    await some_customers(store)
    await Runner(store.pool, Watched(), batch=5).advance()
    await owner.execute("UPDATE projections.search SET name = 'wrong'")
    await rebuild_search(database)
    assert await followed(owner) == (CUSTOMERS, CUSTOMERS)
    assert await owner.fetchval("SELECT count(*) FROM projections.search WHERE name = 'wrong'") == 0
    await store.create("cus_late", name="Late")
    assert await Runner(store.pool, Watched()).advance() == 1
    assert await followed(owner) == (CUSTOMERS + 1, CUSTOMERS + 1)


async def test_a_follower_that_breaks_stays_where_it_is_says_so_and_goes_on_when_it_is_mended(
    store: ReadableCustomerStore, owner: asyncpg.Connection, database: str
) -> None:
    await some_customers(store)

    class Broken(Watched):
        async def apply(self, connection: asyncpg.Connection, touched: Sequence[Touched]) -> None:
            self.wrote.set()
            if not self.go_on.is_set():
                raise ValueError("a fault of ours")
            await super().apply(connection, touched)

    search, stop, wakeup = Broken(), asyncio.Event(), Wakeup(database, "rollbook_log")
    search.go_on.clear()
    with capture_logs() as logs:
        following = asyncio.create_task(Runner(store.pool, search).run(wakeup, stop))
        await search.wrote.wait()
        await until(lambda: any(line["event"] == "projection.failed" for line in logs))
        assert await followed(owner) == (0, 0)
        search.go_on.set()
        wakeup.poke()

        async def goes_on() -> bool:
            return await followed(owner) == (CUSTOMERS, CUSTOMERS)

        await until(goes_on)
        stop.set()
        wakeup.poke()
        await following


async def test_a_stream_that_alone_fails_is_parked_and_taken_in_once_it_is_mended(
    store: ReadableCustomerStore, owner: asyncpg.Connection, database: str
) -> None:
    await some_customers(store)
    body = await owner.fetchval("SELECT body FROM projections.customer WHERE id = 'cus_1'")
    await owner.execute("UPDATE projections.customer SET body = 'no JSON' WHERE id = 'cus_1'")
    with capture_logs() as logs:
        await Runner(store.pool, SearchProjection()).advance()
    assert await followed(owner) == (CUSTOMERS, CUSTOMERS - 1)
    [line] = [line for line in logs if line["event"] == "projection.parked"]
    assert (line["projection"], line["stream"], line["error"]) == ("search", "customer-cus_1", "JSONDecodeError")
    repairs = following(SearchProjection())
    [(stream, error)] = await retry(store.pool, repairs)
    assert (stream.stream, error) == ("customer-cus_1", "JSONDecodeError")
    [still] = await listed(store.pool)
    assert still.tries == 2
    await owner.execute("UPDATE projections.customer SET body = $1 WHERE id = 'cus_1'", body)
    assert [error for _, error in await retry(store.pool, repairs, "customer-cus_1")] == [None]
    assert await listed(store.pool) == []
    assert await followed(owner) == (CUSTOMERS, CUSTOMERS)
