"""Receipts at rest: sealed with a key per day, which is destroyed with its day."""

from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from events.clock import FrozenClock
from events.commit import GroupCommit, NoReadModels
from events.database import create_pool
from events.errors import BrokenHistory
from events.keys import MasterKeys
from events.log import PostgresLog
from events.record import Append
from events.scope import Scope
from service.jobs.partitions import KEPT_DAYS, maintain
from tests.events.appends import ORIGIN, append, receipt
from tests.events.customer_store import KEYS

SECRET = b'{\n  "secret": "whsec_0123456789"\n}'
STORED = "SELECT body FROM events.receipt WHERE key = $1"
DAYS = "SELECT day FROM keys.receipt_day ORDER BY day"


def on(day: datetime, name: str) -> Append:
    """An append that keeps a secret answer, made at that time."""
    return append(f"note-{name}", 0, "a", receipt=receipt(name, body=SECRET), origin=ORIGIN._replace(at=day))


async def test_a_body_is_sealed_and_read_as_it_was(log: PostgresLog, service: asyncpg.Connection) -> None:
    for name in ("one", "two"):
        await log.append(on(ORIGIN.at, name))
        assert (await log.receipt(Scope("acct_1", False), name)) == receipt(name, body=SECRET)
    one, two = [await service.fetchval(STORED, name) for name in ("one", "two")]
    assert b"whsec" not in one + two
    assert one != two
    assert len(await service.fetch(DAYS)) == 1


async def test_a_body_from_before_sealing_is_read_as_it_is(log: PostgresLog, owner: asyncpg.Connection) -> None:
    await log.append(on(ORIGIN.at, "old"))
    await owner.execute("UPDATE events.receipt SET body = $1", SECRET)
    assert (await log.receipt(Scope("acct_1", False), "old")) == receipt("old", body=SECRET)


async def test_a_sealed_body_is_of_its_own_key_alone(log: PostgresLog, owner: asyncpg.Connection) -> None:
    await log.append(on(ORIGIN.at, "mine"))
    await log.append(on(ORIGIN.at, "theirs"))
    await owner.execute("UPDATE events.receipt SET body = (SELECT body FROM events.receipt WHERE key = 'theirs')")
    with pytest.raises(BrokenHistory):
        await log.receipt(Scope("acct_1", False), "mine")


async def test_processes_of_one_day_share_its_key(database: str, log: PostgresLog) -> None:
    pool = await create_pool(database, application="test", size_max=2)
    commit = GroupCommit(database, NoReadModels())
    other = PostgresLog(commit, pool, MasterKeys(b"2" * 32, bytes(32)))  # a newer master key is in front
    await log.append(on(ORIGIN.at, "first"))
    await other.append(on(ORIGIN.at, "second"))
    assert (await log.receipt(Scope("acct_1", False), "second")) == receipt("second", body=SECRET)
    assert (await other.receipt(Scope("acct_1", False), "first")) == receipt("first", body=SECRET)
    await commit.close()
    await pool.close()


async def test_a_key_is_destroyed_with_its_day(database: str, log: PostgresLog, service: asyncpg.Connection) -> None:
    now = datetime.now(UTC)
    kept = KEPT_DAYS["events.receipt"]
    for ago in range(kept + 3):
        await log.append(on(now - timedelta(days=ago), str(ago)))
    pool = await create_pool(database, application="test", size_max=2)
    await maintain(pool, FrozenClock(now))
    today = now.date()
    assert [row["day"] for row in await service.fetch(DAYS)] == [today - timedelta(days=ago) for ago in (2, 1, 0)]
    fresh = PostgresLog(GroupCommit(database, NoReadModels()), pool, KEYS)
    assert await fresh.receipt(Scope("acct_1", False), str(kept + 1)) is None, "what a backup has of it is unreadable"
    assert (await fresh.receipt(Scope("acct_1", False), "0")) == receipt("0", body=SECRET)
    await pool.close()


async def test_a_master_key_that_is_another_unseals_nothing(database: str, log: PostgresLog) -> None:
    await log.append(on(ORIGIN.at, "one"))
    pool = await create_pool(database, application="test", size_max=2)
    stranger = PostgresLog(GroupCommit(database, NoReadModels()), pool, MasterKeys(b"3" * 32))
    with pytest.raises(BrokenHistory):
        await stranger.receipt(Scope("acct_1", False), "one")
    await pool.close()
