"""Lanes in Postgres beyond their contract (tests/contracts/test_lanes.py): what their turns cost."""

from datetime import UTC, datetime

from tests.webhooks.floor import Floor
from webhooks.outcome import Outcome
from webhooks.queue.lane import NEW
from webhooks.queue.retry import Delivered
from webhooks.queue.store import Lanes
from webhooks.queue.turn import Head, Report, Result, Turn, result

NOW = datetime.now(UTC)


def report(turn: Turn, *, want: int) -> Report:
    """A report of the first lane of a turn."""
    told, _ = turn.served[0]
    return Report(told.id, told.version, True, (), want, 0, NEW)


def took(head: Head) -> Result:
    """The receiver took it."""
    return result(head, Outcome(status=200, duration_ms=3), Delivered(), NOW)


async def test_turns_look_nothing_up_but_by_index(house: Floor) -> None:
    for _ in range(3):
        await house.endpoint()
    await house.notices(20)
    await house.catch_up()
    lanes = Lanes(house.dsn)
    turn = await lanes.turn([], [], claims=1)
    for _ in range(3):
        turn = await lanes.turn([report(turn, want=5)], [took(head) for head in turn.heads], claims=1)
    await lanes.close()
    ask = """
        SELECT relname, seq_scan FROM pg_stat_user_tables
        WHERE schemaname = 'webhooks' AND relname IN ('delivery', 'lane', 'endpoint') AND seq_scan > 0
    """
    assert list(await house.owner.fetch(ask)) == []
