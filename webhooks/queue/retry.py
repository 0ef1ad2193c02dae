"""The retry schedule of a delivery (exponential backoff with jitter): done, retried at a time, or given up.

Pure. A 2xx is success and everything else is failure (API reference, webhooks). What the receiver says of itself
counts: when it would hear from us again (Retry-After), that it has too much to do, that the address is no more. What
went wrong on our own side is counted apart: it takes none of the tries the receiver is owed. It postpones the delivery
by a minute at first, then for as long as the endpoint has failed already, up to an hour.
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
ASKED_FURTHER_MAX = timedelta(hours=2)  # how much longer than the schedule a receiver may ask us to wait


@dataclass(frozen=True, slots=True)
class Delivered:
    """The receiver took it."""


@dataclass(frozen=True, slots=True)
class RetryAt:
    """It is due again at `at`; `attempts` of its tries are used up."""

    at: datetime
    attempts: int


@dataclass(frozen=True, slots=True)
class GaveUp:
    """Its tries are used up, or the receiver is no more."""


Verdict = Delivered | RetryAt | GaveUp


def judge(
    outcome: Outcome, attempt: int, ended_at: datetime, jitter: float, failing_since: datetime | None = None
) -> Verdict:
    """What follows from the `attempt`th try (1-based), which ended at `ended_at`; `jitter` is in [0, 1).

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

    Waits grow from five seconds, for a receiver being restarted, to a day, so that one mended over a weekend still
    hears from us: the last try comes a good three days after the first. One that has too much to do is given a minute.
    """
    assert attempt >= 1, "attempts count from 1"
    if attempt >= ATTEMPTS_MAX:
        return None
    wait = RETRY_WAITS[attempt - 1]
    return failed_at + _jittered(max(wait, OVERLOADED_WAIT_MIN) if overloaded else wait, jitter)


def quiet_until(outcome: Outcome, attempt: int, ended_at: datetime) -> datetime | None:
    """Until when the receiver asks to be left alone, if it does: no longer than the schedule's own wait and two hours.

    It says so in Retry-After, as seconds or as a date (RFC 9110); what is neither says nothing.
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
        return now + timedelta(seconds=int(text[:9]))  # of more digits the first are more than enough
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def _jittered(wait: timedelta, jitter: float) -> timedelta:
    assert 0 <= jitter < 1, "jitter is in [0, 1)"
    return wait * (1 + JITTER_MAX * jitter)
