"""Following the log over a real Postgres: woken at once, and never asleep for good."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from events.commit import GroupCommit, NoReadModels
from events.database import create_pool
from events.follow import Wakeup, follow
from events.log import PostgresLog
from tests.events.appends import append
from tests.events.customer_store import KEYS
from tests.waiting import until


@asynccontextmanager
async def listening(dsn: str) -> AsyncIterator[Wakeup]:
    wakeup, stop = Wakeup(dsn, "rollbook_log"), asyncio.Event()
    task = asyncio.create_task(wakeup.run(stop))
    try:
        yield wakeup
    finally:
        stop.set()
        await task


@pytest.fixture
async def log(database: str) -> AsyncIterator[PostgresLog]:
    commit = GroupCommit(database, NoReadModels())
    pool = await create_pool(database, application="test", size_max=2)
    yield PostgresLog(commit, pool, KEYS)
    await commit.close()
    await pool.close()


async def test_what_came_before_the_wait_ends_it_at_once() -> None:
    wakeup = Wakeup("postgresql://nowhere", "rollbook_log")
    wakeup.poke()
    await asyncio.wait_for(wakeup.wait(60), 1)


async def test_a_follower_reads_everything_once_and_in_order_as_it_comes(database: str, log: PostgresLog) -> None:
    seen: list[int] = []
    stop = asyncio.Event()

    async def read(wakeup: Wakeup) -> None:
        async for records in follow(log, 0, wakeup, stop):
            seen.extend(record.position for record in records)

    async with listening(database) as wakeup:
        reading = asyncio.create_task(read(wakeup))
        await asyncio.gather(*(log.append(append(f"note-{number}", 0, "x")) for number in range(50)))
        await until(lambda: len(seen) == 50)
        stop.set()
        wakeup.poke()
        await reading
    assert seen == list(range(1, 51))


async def test_a_listener_whose_connection_was_lost_listens_again(database: str, log: PostgresLog) -> None:
    async with listening(database) as wakeup:
        owner = await asyncpg.connect(database)

        async def listeners() -> int:
            count: int = await owner.fetchval(
                "SELECT count(*) FROM pg_stat_activity "
                "WHERE datname = current_database() AND application_name = 'rollbook listen'"
            )
            return count

        await until(listeners)
        await owner.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND application_name = 'rollbook listen'"
        )
        await until(listeners)
        await log.append(append("note-1", 0, "x"))
        await asyncio.wait_for(wakeup.wait(60), 10)
        await owner.close()


async def test_the_wake_ups_of_a_process_listen_on_one_connection_whichever_of_them_stops(
    database: str, log: PostgresLog
) -> None:
    owner = await asyncpg.connect(database)

    async def connections() -> int:
        count: int = await owner.fetchval(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE datname = current_database() AND application_name = 'rollbook listen'"
        )
        return count

    first, stop = Wakeup(database, "rollbook_log"), asyncio.Event()
    running = asyncio.create_task(first.run(stop))
    async with listening(database) as second:
        other, stop_other = Wakeup(database, "rollbook_due"), asyncio.Event()
        running_other = asyncio.create_task(other.run(stop_other))
        await until(connections)
        assert await _woken_by(owner, second, "rollbook_log")
        assert await _woken_by(owner, other, "rollbook_due")
        assert await connections() == 1
        stop.set()  # the one that ran the connection
        await running
        assert await _woken_by(owner, second, "rollbook_log")
        assert await _woken_by(owner, other, "rollbook_due")
        assert await connections() == 1
        stop_other.set()
        await running_other
    await owner.close()


async def _woken_by(owner: asyncpg.Connection, wakeup: Wakeup, channel: str) -> bool:
    """Whether a wake-up is woken by its channel, once what came before is over."""
    await wakeup.wait(0.05)
    waiting = asyncio.create_task(wakeup.wait(5))
    await owner.execute(f"NOTIFY {channel}")
    began = asyncio.get_running_loop().time()
    await waiting
    return asyncio.get_running_loop().time() - began < 4
