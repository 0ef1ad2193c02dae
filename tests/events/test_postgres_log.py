"""What the log in Postgres promises beyond the contract: neighbours unharmed, losses reported, the past immutable."""

import asyncio
import itertools
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from events import chain
from events.commit import GroupCommit, NoReadModels
from events.database import create_pool
from events.errors import AlreadyAnswered, ConstraintBroken, LogUnavailable, StaleStream
from events.log import PostgresLog
from events.record import Append
from events.scope import Scope
from tests.events.appends import ORIGIN, append, note, receipt
from tests.events.customer_store import KEYS
from tests.waiting import until


async def together(log: PostgresLog, items: Sequence[Append]) -> list[Any]:
    """The outcomes of appends that are asked for at once."""
    return await asyncio.gather(*map(log.append, items), return_exceptions=True)


async def lock_head(owner: asyncpg.Connection) -> asyncpg.transaction.Transaction:
    """Have every append wait until the transaction ends."""
    transaction = owner.transaction()
    await transaction.start()
    await owner.execute("SELECT FROM events.head FOR UPDATE")
    return transaction


async def waiting_append(connection: asyncpg.Connection) -> int:
    """The server process of an append that waits for the head row, as soon as there is one."""

    async def pid() -> int:
        await connection.execute("SELECT pg_stat_clear_snapshot()")  # a transaction sees the first look again and again
        found: int | None = await connection.fetchval(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() "
            "AND application_name = 'rollbook append' AND wait_event_type = 'Lock'"
        )
        return found or 0

    return await until(pid)


BROKEN = {
    "text with a NUL byte": append("note-bad", 0, "x", origin=ORIGIN._replace(actor="key\0")),
    "text with half a character": append("note-bad", 0, "x", receipt=receipt("key\ud800")),
    "a number beyond 64 bits": append("note-bad", 0, "x")._replace(expected=2**63),
    "a key for a stream that has one": append("note-keyed", 1, "x", wrapped_key=b"another"),
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
async def test_an_item_that_fails_fails_alone(log: PostgresLog, broken: Append) -> None:
    await log.append(append("note-keyed", 0, "a", wrapped_key=b"wrapped"))
    for index in (0, 4, 9):
        items = [append(f"note-{index}.{number}", 0, str(number), "more") for number in range(9)]
        items.insert(index, broken)
        outcomes = await together(log, items)
        failed = outcomes.pop(index)
        assert isinstance(failed, Exception)
        assert not isinstance(failed, LogUnavailable | StaleStream | AlreadyAnswered)
        assert all(isinstance(outcome, int) for outcome in outcomes), outcomes
    records = await log.read(0, 100)
    assert [record.position for record in records] == list(range(1, 1 + 1 + 3 * 18))
    assert not any(record.stream == "note-bad" for record in records)


async def test_a_violated_constraint_is_reported_by_its_name(log: PostgresLog) -> None:
    await log.append(append("note-1", 0, "a", wrapped_key=b"wrapped"))
    with pytest.raises(ConstraintBroken) as caught:
        await log.append(append("note-1", 1, "b", wrapped_key=b"another"))
    assert caught.value.constraint == "subject_pkey"
    assert (await log.load("note-1")).wrapped_key == b"wrapped"


async def test_losers_of_a_batch_are_separated_from_its_winners(log: PostgresLog) -> None:
    await log.append(append("note-0", 0, "a", receipt=receipt("used")))
    outcomes = await together(
        log,
        [
            append("note-1", 0, "b"),
            append("note-0", 0, "stale"),
            append("note-2", 0, "answered", receipt=receipt("used")),
            append("note-3", 7, "future"),
            append("refusal-1", 0, receipt=receipt("kept")),
            append("note-4", 0, "c", "d"),
            append("note-5", 0, "e"),
        ],
    )
    assert [outcome if outcome is None or isinstance(outcome, int) else type(outcome) for outcome in outcomes] == [
        2, StaleStream, AlreadyAnswered, StaleStream, None, 3, 5,
    ]  # fmt: skip
    assert [note(record) for record in await log.read(0, 10)] == ["a", "b", "c", "d", "e"]


async def test_appends_that_wait_together_are_stored_by_few_calls(database: str) -> None:
    batches: list[int] = []
    commit = GroupCommit(database, NoReadModels(), observe=lambda items, seconds, position: batches.append(items))
    await asyncio.gather(*(commit.append(append(f"note-{number}", 0, "x")) for number in range(200)))
    await commit.close()
    assert sum(batches) == 200
    assert len(batches) < 20


async def test_a_batch_takes_only_so_many_items(database: str) -> None:
    batches: list[int] = []
    commit = GroupCommit(
        database, NoReadModels(), batch_max=8, observe=lambda items, seconds, position: batches.append(items)
    )
    await asyncio.gather(*(commit.append(append(f"note-{number}", 0, "x")) for number in range(40)))
    await commit.close()
    assert max(batches) == 8


async def test_closing_stores_what_waits(database: str) -> None:
    commit = GroupCommit(database, NoReadModels())
    asked = [asyncio.ensure_future(commit.append(append(f"note-{number}", 0, "x"))) for number in range(20)]
    await asyncio.sleep(0)
    await commit.close()
    assert [task.result() for task in asked] == list(range(1, 21))


async def test_a_connection_lost_in_the_middle_of_an_append_is_reported_and_replaced(
    log: PostgresLog, owner: asyncpg.Connection, database: str
) -> None:
    await log.append(append("note-1", 0, "before"))
    lock = await lock_head(owner)
    lost = asyncio.ensure_future(log.append(append("note-2", 0, "lost")))
    pid = await waiting_append(owner)
    await owner.execute("SELECT pg_terminate_backend($1)", pid)
    with pytest.raises(LogUnavailable):
        await lost
    await lock.rollback()
    assert await log.append(append("note-3", 0, "after")) == 2
    assert [note(record) for record in await log.read(0, 10)] == ["before", "after"]


async def test_appends_go_on_through_connections_lost_again_and_again(
    log: PostgresLog, owner: asyncpg.Connection
) -> None:
    acknowledged: set[str] = set()
    losses = 0

    async def write(task: int) -> None:
        nonlocal losses
        for number in range(30):
            name = f"{task}.{number}"
            try:
                await log.append(append(f"note-{name}", 0, name, name))
            except LogUnavailable:
                losses += 1
            else:
                acknowledged.add(name)

    async def cut() -> None:
        while writers:
            await owner.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND application_name = 'rollbook append'"
            )
            await asyncio.wait(writers, timeout=0.02)
            writers.difference_update([task for task in writers if task.done()])

    writers = {asyncio.ensure_future(write(task)) for task in range(8)}
    written = list(writers)
    await cut()
    await asyncio.gather(*written)
    assert losses
    tries = itertools.count()

    async def goes_on() -> bool:
        """The last cut may still be about to arrive."""
        try:
            await log.append(append(f"note-last-{next(tries)}", 0, "last", "last"))
        except LogUnavailable:
            return False
        return True

    await until(goes_on)
    stored = [note(record) for record in await log.read(0, 1000)]
    assert acknowledged <= set(stored)
    assert stored[::2] == stored[1::2], "items are stored whole"


async def test_a_batch_that_was_cancelled_by_the_server_fails_and_the_next_succeeds(
    log: PostgresLog, owner: asyncpg.Connection
) -> None:
    lock = await lock_head(owner)
    cancelled = asyncio.ensure_future(log.append(append("note-1", 0, "a")))
    pid = await waiting_append(owner)
    await owner.execute("SELECT pg_cancel_backend($1)", pid)
    with pytest.raises(LogUnavailable, match="canceling statement"):
        await cancelled
    await lock.rollback()
    assert await log.append(append("note-1", 0, "a")) == 1


async def test_without_a_server_the_log_says_so() -> None:
    nowhere = "postgresql://nobody@127.0.0.1:1/nothing"
    commit = GroupCommit(nowhere, NoReadModels())
    pool = await create_pool(nowhere, application="test", size_max=1)
    log = PostgresLog(commit, pool, KEYS)
    for question in (
        log.append(append("note-1", 0, "a")),
        log.load("note-1"),
        log.read(0, 1),
        log.receipt(Scope("a", False), "k"),
    ):
        with pytest.raises(LogUnavailable):
            await question
    await commit.close()
    await pool.close()


async def test_a_caller_who_goes_away_disturbs_nobody(log: PostgresLog, owner: asyncpg.Connection) -> None:
    lock = await lock_head(owner)
    first = asyncio.ensure_future(log.append(append("note-1", 0, "in flight")))
    await waiting_append(owner)
    gone, stays = (asyncio.ensure_future(log.append(append(f"note-{number}", 0, "waits"))) for number in (2, 3))
    await asyncio.sleep(0)
    for task in (first, gone):
        task.cancel()
    await lock.rollback()
    assert await stays == 2, "what was in flight is stored, and what nobody waits for any more is not begun"


# An immutable past


CHANGES = ("UPDATE {} SET type = 'x'", "DELETE FROM {}", "TRUNCATE {}")
TABLES = ("events.log", "events.log_0")


async def test_the_past_cannot_be_changed(
    log: PostgresLog, owner: asyncpg.Connection, service: asyncpg.Connection
) -> None:
    await log.append(append("note-1", 0, "a"))
    for connection, message in ((service, "permission denied"), (owner, "append-only")):
        for change, table in itertools.product(CHANGES, TABLES):
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match=message):
                await connection.execute(change.format(table))
    assert [note(record) for record in await log.read(0, 10)] == ["a"]


async def test_the_past_cannot_be_changed_by_a_role_that_was_granted_too_much(
    log: PostgresLog, owner: asyncpg.Connection, service: asyncpg.Connection
) -> None:
    await log.append(append("note-1", 0, "a"))
    await owner.execute("GRANT ALL ON events.log, events.log_0 TO rollbook_service")
    for change, table in itertools.product(CHANGES, TABLES):
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
            await service.execute(change.format(table))


async def test_an_upsert_does_not_change_the_past_either(log: PostgresLog, owner: asyncpg.Connection) -> None:
    await log.append(append("note-1", 0, "a"))
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
        await owner.execute(
            "INSERT INTO events.log SELECT * FROM events.log ON CONFLICT (position) DO UPDATE SET type = 'x'"
        )
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
        await owner.execute(
            "MERGE INTO events.log l USING (SELECT 1::bigint AS p) s ON l.position = s.p "
            "WHEN MATCHED THEN UPDATE SET type = 'x'"
        )


async def test_the_chain_shows_what_a_superuser_did_with_the_triggers_off(
    log: PostgresLog, owner: asyncpg.Connection
) -> None:
    await log.append(append("note-1", 0, "a", "b", "c"))
    await owner.execute(
        "SET session_replication_role = replica; UPDATE events.log SET actor = 'nobody' WHERE version = 2"
    )
    assert chain.first_break((await log.load("note-1")).records) == 2


# Answers under a key


async def test_an_answer_given_yesterday_is_found_today(log: PostgresLog, owner: asyncpg.Connection) -> None:
    await log.append(append("note-1", 0, "a", receipt=receipt("again")))
    yesterday = timedelta(hours=23, minutes=59)
    await owner.execute(
        "SELECT events.make_day('events.receipt', ((answered_at - $1::interval) AT TIME ZONE 'UTC')::date) "
        "FROM events.receipt",
        yesterday,
    )
    await owner.execute("UPDATE events.receipt SET answered_at = answered_at - $1::interval", yesterday)
    await log.append(append("note-2", 0, "b", receipt=receipt("today")))
    assert await owner.fetchval("SELECT count(DISTINCT tableoid) FROM events.receipt") == 2
    assert await log.receipt(Scope("acct_1", False), "again") == receipt("again")
    with pytest.raises(AlreadyAnswered):
        await log.append(append("note-3", 0, "c", receipt=receipt("again")))
