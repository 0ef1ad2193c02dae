"""The retry schedule of a delivery (exponential backoff with jitter): done, retried at a time, or given up.

Pure. A 2xx is success and everything else is failure (API reference, webhooks). The receiver's own signals are obeyed:
Retry-After, an overload (a timeout among others), and 410 Gone. A fault on our own side uses up none of the tries. It
postpones the delivery by a minute at first, then by as long as the endpoint has been failing, up to an hour.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from webhooks.outcome import Outcome

RETRY_WAITS = (
    timedelta(seconds=5),
    timedelta(seconds=30),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
ATTEMPTS_MAX = len(RETRY_WAITS) + 1
JITTER_MAX = 0.2  # upward only: a wait is never shorter than the schedule says
OWN_FAULT_WAIT_MIN = timedelta(minutes=1)
OWN_FAULT_WAIT_MAX = timedelta(hours=1)
OVERLOADED_WAIT_MIN = timedelta(minutes=1)
ASKED_FURTHER_MAX = timedelta(hours=2)  # how much longer than the schedule Retry-After may be


@dataclass(frozen=True, slots=True)
class Delivered:
    """The receiver accepted it (2xx)."""


@dataclass(frozen=True, slots=True)
class RetryAt:
    """To be retried at `at`; `attempts` of its tries are used up."""

    at: datetime
    attempts: int


@dataclass(frozen=True, slots=True)
class GaveUp:
    """Its tries are used up, or the receiver answered 410 Gone."""


Verdict = Delivered | RetryAt | GaveUp


def judge(
    outcome: Outcome, attempt: int, ended_at: datetime, jitter: float, failing_since: datetime | None = None
) -> Verdict:
    """The verdict on the `attempt`th try (1-based), which ended at `ended_at`; `jitter` is in [0, 1).

    `failing_since` is the first failure of the endpoint since its last success.
    """
    if outcome.delivered:
        return Delivered()
    if outcome.own_fault:
        lasts = ended_at - (failing_since or ended_at)
        wait = min(max(lasts, OWN_FAULT_WAIT_MIN), OWN_FAULT_WAIT_MAX)
        return RetryAt(at=ended_at + _jittered(wait, jitter), attempts=attempt - 1)
    at = None if outcome.gone else retry_at(attempt, ended_at, jitter, overloaded=outcome.overloaded)
    if at is None:
        return GaveUp()
    return RetryAt(at=max(at, quiet_until(outcome, attempt, ended_at) or at), attempts=attempt)


def retry_at(attempt: int, failed_at: datetime, jitter: float, *, overloaded: bool = False) -> datetime | None:
    """When to try again after `attempt` tries (1-based), or None to give up; `jitter` is in [0, 1).

    Waits grow from five seconds, enough for a restart, to a day. The last try comes more than three days after the
    first, so a receiver repaired after a weekend still gets the delivery. An overloaded one gets at least a minute.
    """
    assert attempt >= 1, "attempts count from 1"
    if attempt >= ATTEMPTS_MAX:
        return None
    wait = RETRY_WAITS[attempt - 1]
    return failed_at + _jittered(max(wait, OVERLOADED_WAIT_MIN) if overloaded else wait, jitter)


def quiet_until(outcome: Outcome, attempt: int, ended_at: datetime) -> datetime | None:
    """Until when the receiver asks for a pause, if it does: at most two hours beyond the schedule's own wait.

    Retry-After is seconds or a date (RFC 9110, section 10.2.3); any other value is ignored.
    """
    if outcome.retry_after is None or outcome.delivered:
        return None
    asked = _retry_after(outcome.retry_after.strip(), ended_at)
    if asked is None or asked <= ended_at:
        return None
    own = RETRY_WAITS[attempt - 1] if attempt < ATTEMPTS_MAX else timedelta()
    return min(asked, ended_at + own + ASKED_FURTHER_MAX)


def _retry_after(text: str, now: datetime) -> datetime | None:
    if text.isascii() and text.isdigit():
        return now + timedelta(seconds=int(text[:9]))  # nine digits are years already; more could overflow
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def _jittered(wait: timedelta, jitter: float) -> timedelta:
    assert 0 <= jitter < 1, "jitter is in [0, 1)"
    return wait * (1 + JITTER_MAX * jitter)
