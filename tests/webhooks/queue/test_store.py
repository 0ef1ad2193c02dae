"""Lanes in Postgres beyond their contract (tests/contracts/test_lane*.py): what their turns cost."""

from datetime import UTC, datetime

import asyncpg

from tests.waiting import until
from tests.webhooks.harness import webhook_harness
from webhooks.outcome import Outcome
from webhooks.queue.lane import NEW
from webhooks.queue.retry import Delivered
from webhooks.queue.store import Lanes
from webhooks.queue.turn import Head, Report, Result, Turn, result

NOW = datetime.now(UTC)
SCANS = """
SELECT relname, seq_scan, coalesce(idx_scan, 0) AS idx_scan FROM pg_stat_user_tables
WHERE schemaname = 'webhooks' AND relname IN ('delivery', 'lane', 'endpoint')
"""
OTHERS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
"""


def report(turn: Turn, *, want: int) -> Report:
    """A report of the first lane of a turn."""
    endpoint, _ = turn.served[0]
    return Report(endpoint.id, endpoint.version, True, (), want, 0, NEW)


def took(head: Head) -> Result:
    """The receiver took it."""
    return result(head, Outcome(status=200, duration_ms=3), Delivered(), NOW)


async def is_alone(connection: asyncpg.Connection) -> bool:
    """Whether no other session uses its database."""
    others: int = await connection.fetchval(OTHERS)
    return others == 0


async def test_turns_look_nothing_up_but_by_index(database: str) -> None:
    async with webhook_harness(database) as webhooks:
        for _ in range(3):
            await webhooks.endpoint()
        await webhooks.notices(20)
        await webhooks.catch_up()
    owner = await asyncpg.connect(database)
    try:
        # A session has its scans counted when it ends; those of the preparation are counted first, and then forgotten.
        await until(lambda: is_alone(owner))
        await owner.fetchval("SELECT pg_stat_reset()")
        lanes = Lanes(database)
        turn = await lanes.turn([], [], claims=1)
        for _ in range(3):
            turn = await lanes.turn([report(turn, want=5)], [took(head) for head in turn.heads], claims=1)
        await lanes.close()
        await until(lambda: is_alone(owner))
        scans = {row["relname"]: (row["seq_scan"], row["idx_scan"]) for row in await owner.fetch(SCANS)}
    finally:
        await owner.close()
    assert scans["lane"][1], "the turns were counted"
    assert {name: in_sequence for name, (in_sequence, _) in scans.items() if in_sequence} == {}
