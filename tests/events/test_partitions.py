"""Partitions: the log's by position, made when needed or ahead; days, made when needed and dropped when over."""

import asyncio
import time
from datetime import date, timedelta

import asyncpg
import pytest

from events import chain
from events.log import PostgresLog
from events.scope import Scope
from tests.events.appends import after, append, note, receipt
from tests.waiting import until

TODAY = "(now() AT TIME ZONE 'UTC')::date"


@pytest.fixture
def database(fresh_database: str) -> str:
    """A database without a partition."""
    return fresh_database


async def partitions(connection: asyncpg.Connection, parent: str) -> list[str]:
    """The names of a table's partitions, in order of age."""
    rows = await connection.fetch(
        "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
        "WHERE i.inhparent = $1::text::regclass ORDER BY length(c.relname), c.relname",
        parent,
    )
    return [row["relname"] for row in rows]


async def small_partitions(owner: asyncpg.Connection, size: int = 4) -> None:
    """Have the log's partitions, from the first on, have only so many positions."""
    await owner.execute("UPDATE events.head SET partition_size = $1", size)


async def test_a_fresh_log_makes_its_first_partition_with_its_first_event(
    log: PostgresLog, owner: asyncpg.Connection
) -> None:
    assert await partitions(owner, "events.log") == []
    assert await log.append(append("note-1", 0, "a")) == 1
    assert await partitions(owner, "events.log") == ["log_0"]


async def test_appends_cross_from_partition_to_partition(log: PostgresLog, owner: asyncpg.Connection) -> None:
    await small_partitions(owner)
    await log.append(append("note-1", 0, "1", "2"))
    await log.append(append("note-2", 0, "3", "4", "5"))
    await log.append(after((await log.load("note-1")).records, *map(str, range(6, 16))))
    assert await partitions(owner, "events.log") == ["log_0", "log_4", "log_8", "log_12"]
    assert [note(record) for record in await log.read(0, 100)] == [str(number) for number in range(1, 16)]
    assert [record.position for record in await log.read(6, 6)] == [7, 8, 9, 10, 11, 12]
    assert chain.first_break((await log.load("note-1")).records) is None
    counted = await owner.fetch("SELECT tableoid::regclass::text AS part, count(*) FROM events.log GROUP BY 1")
    assert {row["part"]: row["count"] for row in counted} == {
        "events.log_0": 3,
        "events.log_4": 4,
        "events.log_8": 4,
        "events.log_12": 4,
    }


async def test_every_partition_is_as_immutable_as_the_log(log: PostgresLog, owner: asyncpg.Connection) -> None:
    await small_partitions(owner, 2)
    await log.append(append("note-1", 0, "a", "b", "c", "d"))
    for partition in await partitions(owner, "events.log"):
        for statement in ("UPDATE events.{} SET type = 'x'", "DELETE FROM events.{}", "TRUNCATE events.{}"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
                await owner.execute(statement.format(partition))


async def test_the_next_partition_is_prepared_when_half_of_the_last_is_used(
    log: PostgresLog, service: asyncpg.Connection, owner: asyncpg.Connection
) -> None:
    await small_partitions(owner, 10)
    await service.execute("SELECT events.prepare_log()")
    assert await partitions(owner, "events.log") == ["log_0", "log_10"]
    await log.append(append("note-1", 0, *"1234"))
    await log.append(after((await log.load("note-1")).records, *"567890"))
    assert await partitions(owner, "events.log") == ["log_0", "log_10"], "appends made none"
    await service.execute("SELECT events.prepare_log()")
    assert await partitions(owner, "events.log") == ["log_0", "log_10"], "ten positions are left"
    await log.append(after((await log.load("note-1")).records, *"12345"))
    await service.execute("SELECT events.prepare_log()")
    await service.execute("SELECT events.prepare_log()")
    assert await partitions(owner, "events.log") == ["log_0", "log_10", "log_20"]


async def test_partitions_are_prepared_while_appends_go_on(
    log: PostgresLog, service: asyncpg.Connection, owner: asyncpg.Connection
) -> None:
    await small_partitions(owner, 8)
    writing = asyncio.gather(*(log.append(append(f"note-{number}", 0, "a", "b", "c")) for number in range(60)))
    while not writing.done():
        await service.execute("SELECT events.prepare_log()")
    assert len(await writing) == 60
    assert [record.position for record in await log.read(0, 1000)] == list(range(1, 181))


async def make_days(service: asyncpg.Connection, parent: str, *ages: int) -> None:
    """Make the partitions of days that are so many days ago."""
    for age in ages:
        await service.execute(f"SELECT events.make_day($1::text::regclass, {TODAY} - $2::integer)", parent, age)


async def drop_days(service: asyncpg.Connection, parent: str, age: int) -> int:
    dropped: int = await service.fetchval(
        f"SELECT events.drop_days($1::text::regclass, {TODAY} - $2::integer)", parent, age
    )
    return dropped


async def ages(service: asyncpg.Connection, parent: str) -> list[int]:
    """How many days ago the partitions' days are, oldest first."""
    today: date = await service.fetchval(f"SELECT {TODAY}")
    days = [date(int(name[-8:-4]), int(name[-4:-2]), int(name[-2:])) for name in await partitions(service, parent)]
    return [(today - day).days for day in days]


@pytest.mark.parametrize("parent", ["events.receipt", "projections.notice"])
async def test_days_that_are_over_are_dropped_and_no_others(service: asyncpg.Connection, parent: str) -> None:
    await make_days(service, parent, 5, 4, 3, 2, 1, 0, -1)
    assert await drop_days(service, parent, 2) == 3
    assert await ages(service, parent) == [2, 1, 0, -1]
    assert await drop_days(service, parent, 2) == 0


async def test_answers_of_days_that_are_kept_stay(log: PostgresLog, service: asyncpg.Connection) -> None:
    await make_days(service, "events.receipt", 3)
    await log.append(append("note-1", 0, "a", receipt=receipt("again")))
    assert await drop_days(service, "events.receipt", 0) == 1
    assert await log.receipt(Scope("acct_1", False), "again") == receipt("again")


async def test_a_day_that_is_not_over_is_never_dropped(service: asyncpg.Connection) -> None:
    await make_days(service, "events.receipt", 0)
    with pytest.raises(asyncpg.RaiseError, match="not over"):
        await drop_days(service, "events.receipt", -1)
    assert await ages(service, "events.receipt") == [0]


async def test_no_partition_of_the_log_is_ever_dropped(
    log: PostgresLog, service: asyncpg.Connection, owner: asyncpg.Connection
) -> None:
    await owner.execute("UPDATE events.head SET position = 10000000, partition_end = 10000000")
    await log.append(append("note-1", 0, "a"))
    assert await partitions(owner, "events.log") == ["log_10000000"], "which reads like a day, of the year 1000"
    assert await drop_days(service, "events.log", 0) == 0
    assert [note(record) for record in await log.read(0, 10)] == ["a"]


async def test_a_table_that_is_not_partitioned_has_no_days(service: asyncpg.Connection) -> None:
    for table in ("events.stream", "pg_catalog.pg_class"):
        with pytest.raises(asyncpg.PostgresError):
            await make_days(service, table, 0)


async def test_a_day_is_made_once_however_many_make_it(service: asyncpg.Connection, database: str) -> None:
    others = [await asyncpg.connect(database) for _ in range(4)]
    await asyncio.gather(*(make_days(other, "events.receipt", 0, -1, -2) for other in others))
    assert await ages(service, "events.receipt") == [0, -1, -2]
    for other in others:
        await other.close()


async def test_days_are_made_while_appends_leave_receipts(log: PostgresLog, service: asyncpg.Connection) -> None:
    writing = asyncio.gather(
        *(log.append(append(f"note-{number}", 0, "a", receipt=receipt(f"key {number}"))) for number in range(50))
    )
    await make_days(service, "events.receipt", 9, 0, -1)
    await drop_days(service, "events.receipt", 2)
    await writing
    assert await service.fetchval("SELECT count(*) FROM events.receipt") == 50


@pytest.mark.parametrize("parent", ["events.receipt", "projections.notice", "webhooks.attempt"])
async def test_a_day_that_a_dump_reads_is_left_and_nobody_waits_for_it(
    log: PostgresLog, service: asyncpg.Connection, owner: asyncpg.Connection, parent: str
) -> None:
    """pg_dump holds its locks until it is over; a write that waited behind a drop waited for seconds."""
    await make_days(service, parent, 3, 0, -1)
    async with owner.transaction():
        await owner.execute(f"LOCK TABLE {parent} IN ACCESS SHARE MODE")
        dropping = asyncio.create_task(drop_days(service, parent, 2))
        longest = 0.0
        number = 0
        while not dropping.done():
            began = time.perf_counter()
            await log.append(append(f"note-{number}", 0, "a", receipt=receipt(f"key {number}")))
            longest = max(longest, time.perf_counter() - began)
            number += 1
        assert await dropping == 0
        assert longest < 0.5
    assert await drop_days(service, parent, 2) == 1


async def test_a_lock_that_comes_meanwhile_is_waited_for_no_longer_than_a_write_takes(
    service: asyncpg.Connection, owner: asyncpg.Connection
) -> None:
    await make_days(service, "events.receipt", 3, 0)
    dropping = asyncio.create_task(drop_days(service, "events.receipt", 2))
    waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"
    await until(lambda: owner.fetchval(waits))
    async with owner.transaction():
        await owner.execute("LOCK TABLE events.receipt IN ACCESS SHARE MODE")
        assert await dropping == 0
    assert await ages(service, "events.receipt") == [3, 0]


async def test_a_day_begins_at_midnight_utc_wherever_the_server_stands(
    log: PostgresLog, owner: asyncpg.Connection, service: asyncpg.Connection
) -> None:
    await owner.execute("SET timezone = 'Pacific/Kiritimati'")
    await make_days(owner, "events.receipt", 0)
    await make_days(owner, "events.receipt", -1)
    await log.append(append("note-1", 0, "a", receipt=receipt("again")))
    bounds = await service.fetchval(
        "SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE oid = "
        f"to_regclass('events.receipt' || to_char({TODAY}, '_YYYYMMDD'))"
    )
    today: date = await service.fetchval(f"SELECT {TODAY}")
    assert bounds == (f"FOR VALUES FROM ('{today} 00:00:00+00') TO ('{today + timedelta(days=1)} 00:00:00+00')")
