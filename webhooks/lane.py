"""The lane of an endpoint: how much may be on its way to it, and when it is left in peace.

Pure. Concurrency starts at 4, doubles with each success up to 32 and halves with each failure. A breaker opens when
7 of 10 attempts fail within five minutes, or when five in a row cannot reach the endpoint; it stays open for 30 s,
twice as long each further time up to 15 minutes, and then one probe decides. While it is open nothing is tried, so a
dead endpoint costs one attempt a period and its deliveries keep the tries they are owed.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from webhooks.delivery import Outcome

CONCURRENCY_START = 4
CONCURRENCY_MAX = 32
WINDOW = timedelta(minutes=5)
WINDOW_ATTEMPTS_MIN = 10
WINDOW_FAILED_PERCENT = 70
UNREACHABLE_IN_A_ROW_MAX = 5
OPEN_S_MIN = 30  # longer than an attempt may take: what was on its way at the opening has ended before the probe
OPEN_S_MAX = 15 * 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """A lane as its attempts so far have left it; each field is a column of `webhooks.lane`.

    The breaker is closed while `open_until` is None, open until that moment, and half-open after it.
    """

    concurrency: int = CONCURRENCY_START
    open_until: datetime | None = None
    open_s: int = 0  # how long the breaker opened last, 0 when it closed since
    unreachable_in_a_row: int = 0
    window_started_at: datetime | None = None
    window_attempts: int = 0
    window_failures: int = 0


NEW = Lane()


def capacity(lane: Lane, now: datetime) -> int:
    """How many attempts may be on their way at once: none while the breaker is open, one while it is half-open."""
    if lane.open_until is None:
        return lane.concurrency
    return 1 if now >= lane.open_until else 0


def ready_at(lane: Lane, next_due: datetime | None, now: datetime) -> datetime | None:
    """When the lane wants a worker next; None while nothing is due at any time.

    Never in the past: a lane that was served and has more to do queues behind those that wait already.
    """
    if next_due is None:
        return None
    return max(next_due, now, lane.open_until or now)


def proven(lane: Lane) -> bool:
    """Whether it answered of late. Lanes that did not may not have all places among what is on its way."""
    return lane.window_attempts > 0 and lane.unreachable_in_a_row == 0


def record(lane: Lane, outcome: Outcome, now: datetime) -> Lane:
    """The lane after one more attempt, which ended at `now`. Faults of our own leave it as it is."""
    if outcome.own_fault:
        return lane
    if lane.open_until is not None:
        if now < lane.open_until:  # it was on its way when the breaker opened, and the probe will say more
            return lane
        return NEW if outcome.delivered else _opened(lane, now)
    counted = _counted(lane, outcome, now)
    return _opened(counted, now) if not outcome.delivered and _trips(counted) else counted


def _counted(lane: Lane, outcome: Outcome, now: datetime) -> Lane:
    failures = 0 if outcome.delivered else 1
    fresh = lane.window_started_at is None or now - lane.window_started_at >= WINDOW
    return Lane(  # of a closed breaker; said in full, for `replace` takes thrice as long
        concurrency=min(lane.concurrency * 2, CONCURRENCY_MAX) if outcome.delivered else max(lane.concurrency // 2, 1),
        open_s=lane.open_s,
        unreachable_in_a_row=lane.unreachable_in_a_row + 1 if outcome.unreachable else 0,
        window_started_at=now if fresh else lane.window_started_at,
        window_attempts=1 if fresh else lane.window_attempts + 1,
        window_failures=failures if fresh else lane.window_failures + failures,
    )


def _trips(lane: Lane) -> bool:
    return lane.unreachable_in_a_row >= UNREACHABLE_IN_A_ROW_MAX or (
        lane.window_attempts >= WINDOW_ATTEMPTS_MIN
        and lane.window_failures * 100 >= lane.window_attempts * WINDOW_FAILED_PERCENT
    )


def _opened(lane: Lane, now: datetime) -> Lane:
    open_s = min(max(lane.open_s * 2, OPEN_S_MIN), OPEN_S_MAX)
    return Lane(open_until=now + timedelta(seconds=open_s), open_s=open_s)
