"""The lane of an endpoint: its adaptive concurrency limit (slow start, AIMD), circuit breaker and rate limit.

Pure. Concurrency starts at 4, doubles with each success up to 32 and halves with each failure. Once the receiver was
overloaded, it grows by one for each full round of successes.

A breaker opens when 7 of 10 attempts fail within five minutes, or when five in a row cannot reach the endpoint. That
includes failures on our side, such as a refused address or a failing egress proxy, which use up no tries. It stays open
for 30 s, twice as long each further time up to 15 minutes; then one probe is sent. While it is open nothing is sent, so
a dead endpoint costs one attempt a period and its deliveries use up no tries.

Nothing is sent either while the receiver asked for a pause (Retry-After), nor once it answered 410 Gone. Under a rate
limit, attempts begin one at a time, evenly spaced.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from webhooks.outcome import SHARED_FAULTS, Outcome

CONCURRENCY_START = 4
CONCURRENCY_MAX = 32
WINDOW = timedelta(minutes=5)
WINDOW_ATTEMPTS_MIN = 10
WINDOW_FAILED_PERCENT = 70
UNREACHABLE_IN_A_ROW_MAX = 5
OPEN_S_MIN = 30  # longer than an attempt may take: those in flight at the opening have ended before the probe
OPEN_S_MAX = 15 * 60
OPEN_S_MAX_SHARED = 2 * 60  # for what fails for all endpoints at once, and ends so, like an egress proxy


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """The state of a lane after its attempts so far; each field is a column of `webhooks.lane`.

    The breaker is closed while `open_until` is None, open until that moment, and half-open after it.
    """

    concurrency: int = CONCURRENCY_START
    open_until: datetime | None = None
    open_s: int = 0  # how long the breaker was last opened for, 0 once it has closed
    unreachable_in_a_row: int = 0
    window_started_at: datetime | None = None
    window_attempts: int = 0
    window_failures: int = 0
    step_in: int = 0  # successes until concurrency grows by one; 0 while each doubles it
    quiet_until: datetime | None = None  # Retry-After of the receiver
    failing_since: datetime | None = None  # the first failure since the last success
    failures_in_a_row: int = 0
    gone: bool = False  # it answered 410 Gone
    paced_until: datetime | None = None  # under a rate limit: no attempt begins before


NEW = Lane()


def capacity(lane: Lane, now: datetime) -> int:
    """How many attempts may be in flight: none while it is quiet, gone or open, one while it is half-open."""
    if lane.gone or (lane.quiet_until is not None and now < lane.quiet_until):
        return 0
    if lane.open_until is None:
        return lane.concurrency
    return 1 if now >= lane.open_until else 0


def ready_at(lane: Lane, next_due: datetime | None, now: datetime) -> datetime | None:
    """When the lane is next ready for a worker; None if nothing is pending, or the endpoint is gone.

    Never in the past: a lane that was served and has more to send queues behind those that wait already.
    """
    if next_due is None or lane.gone:
        return None
    return max(next_due, now, lane.open_until or now, lane.quiet_until or now, lane.paced_until or now)


def responsive(lane: Lane) -> bool:
    """Whether the receiver has answered recently. Lanes whose receivers have not may use half of the slots only."""
    return lane.window_attempts > 0 and lane.unreachable_in_a_row == 0


def pace(lane: Lane, rate_limit: int, now: datetime) -> Lane:
    """The lane after an attempt began, under a limit of `rate_limit` attempts a second."""
    began = max(now, lane.paced_until or now)
    return replace(lane, paced_until=began + timedelta(seconds=1 / rate_limit))


def paced(lane: Lane, until: datetime | None) -> Lane:
    """The lane, with no attempt beginning before `until` either."""
    if until is None or (lane.paced_until is not None and lane.paced_until >= until):
        return lane
    return replace(lane, paced_until=until)


def record(lane: Lane, outcome: Outcome, now: datetime, quiet_until: datetime | None = None) -> Lane:
    """The lane after an attempt that ended at `now`; `quiet_until` is the pause that the receiver asked for.

    Attempts that were in flight when the breaker opened leave the breaker as it is: only the probe closes it.
    """
    early = lane.open_until is not None and now < lane.open_until
    if outcome.delivered:
        if early:
            return replace(lane, failing_since=None, failures_in_a_row=0)
        return _succeeded(lane, now) if lane.open_until is None else Lane(paced_until=lane.paced_until)
    lane = replace(
        lane,
        quiet_until=max(filter(None, (lane.quiet_until, quiet_until)), default=None),
        failing_since=lane.failing_since or now,
        failures_in_a_row=lane.failures_in_a_row + 1,
        gone=lane.gone or outcome.gone,
    )
    if early:
        return lane
    open_s_max = OPEN_S_MAX_SHARED if outcome.fault in SHARED_FAULTS else OPEN_S_MAX
    if lane.open_until is not None:
        return _opened(lane, now, open_s_max)
    counted = _failed(lane, outcome, now)
    return _opened(counted, now, open_s_max) if _trips(counted) else counted


def _succeeded(lane: Lane, now: datetime) -> Lane:
    fresh = lane.window_started_at is None or now - lane.window_started_at >= WINDOW
    concurrency, step_in = lane.concurrency, lane.step_in
    if step_in == 0:
        concurrency = min(concurrency * 2, CONCURRENCY_MAX)
    elif step_in > 1:
        step_in -= 1
    else:
        concurrency += 1
        step_in = concurrency if concurrency < CONCURRENCY_MAX else 0
    return Lane(  # of a closed breaker; spelled out because `replace` takes three times as long
        concurrency=concurrency,
        open_s=lane.open_s,
        window_started_at=now if fresh else lane.window_started_at,
        window_attempts=1 if fresh else lane.window_attempts + 1,
        window_failures=0 if fresh else lane.window_failures,
        step_in=step_in,
        quiet_until=lane.quiet_until if lane.quiet_until is not None and lane.quiet_until > now else None,
        gone=lane.gone,
        paced_until=lane.paced_until,
    )


def _failed(lane: Lane, outcome: Outcome, now: datetime) -> Lane:
    fresh = lane.window_started_at is None or now - lane.window_started_at >= WINDOW
    out_of_reach = outcome.unreachable or outcome.own_fault
    concurrency = max(lane.concurrency // 2, 1)
    return replace(
        lane,
        concurrency=concurrency,
        unreachable_in_a_row=lane.unreachable_in_a_row + 1 if out_of_reach else 0,
        window_started_at=now if fresh else lane.window_started_at,
        window_attempts=1 if fresh else lane.window_attempts + 1,
        window_failures=1 if fresh else lane.window_failures + 1,
        step_in=concurrency if outcome.overloaded or lane.step_in else 0,
    )


def _trips(lane: Lane) -> bool:
    return lane.unreachable_in_a_row >= UNREACHABLE_IN_A_ROW_MAX or (
        lane.window_attempts >= WINDOW_ATTEMPTS_MIN
        and lane.window_failures * 100 >= lane.window_attempts * WINDOW_FAILED_PERCENT
    )


def _opened(lane: Lane, now: datetime, open_s_max: int) -> Lane:
    open_s = min(max(lane.open_s * 2, OPEN_S_MIN), open_s_max)
    return Lane(
        open_until=now + timedelta(seconds=open_s),
        open_s=open_s,
        quiet_until=lane.quiet_until,
        failing_since=lane.failing_since,
        failures_in_a_row=lane.failures_in_a_row,
        gone=lane.gone,
        paced_until=lane.paced_until,
    )
