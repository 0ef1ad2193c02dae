"""What an attempt came to, and what that means for its delivery: done, tried again, or given up.

Pure. A 2xx is success and everything else is failure (API reference, webhooks). What the receiver says of itself
counts: when it would hear from us again (Retry-After), that it has too much to do, that the address is no more. What
went wrong on our own side is told apart: it takes none of the tries the receiver is owed. It postpones the delivery by
a minute at first, then for as long as the endpoint has failed already, up to an hour.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Literal

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
OVERLOADED = frozenset(
    {
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)

Fault = Literal[
    "dns",  # the name has no address
    "connect",  # refused, unreachable, or no connection in time
    "tls",  # no handshake, or a certificate that does not verify
    "timeout",  # no whole answer in time
    "reset",  # closed before the answer was whole
    "protocol",  # the answer is not HTTP, or its headers are longer than we read
    "address_refused",  # ours: policy forbids the URL or every address of its host
    "proxy",  # ours: the egress proxy is not there, or opens no way, and does not say that the receiver is to blame
    "resolver",  # ours: no name server of ours answers
    "exhausted",  # ours: no file handles, ports or buffers left
    "internal",  # ours: it could not be signed, or our own code failed
]
UNREACHABLE: frozenset[Fault] = frozenset({"dns", "connect", "tls", "timeout"})
OWN_FAULTS: frozenset[Fault] = frozenset({"address_refused", "proxy", "resolver", "exhausted", "internal"})
SHARED_FAULTS: frozenset[Fault] = frozenset({"proxy", "resolver", "exhausted"})  # by all endpoints


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one attempt came to.

    `code` says more of a `fault`: see webhooks/explanation.py. `excerpt` is how the answer's body begins, as sent, at
    most 4 KiB; `retry_after` the header of that name.
    """

    duration_ms: int
    status: int | None = None
    fault: Fault | None = None
    code: str | None = None
    excerpt: bytes = b""
    retry_after: str | None = None

    @property
    def delivered(self) -> bool:
        """Whether the receiver took it: a 2xx, whatever follows it."""
        return self.fault is None and self.status is not None and 200 <= self.status < 300

    @property
    def own_fault(self) -> bool:
        """Whether it failed on our side, so that it says nothing of the receiver."""
        return self.fault in OWN_FAULTS

    @property
    def unreachable(self) -> bool:
        """Whether the receiver could not be reached, or kept us waiting to the end."""
        return self.fault in UNREACHABLE

    @property
    def overloaded(self) -> bool:
        """Whether the receiver has more to do than it can, by its answer or by its silence."""
        return self.fault == "timeout" or self.status in OVERLOADED

    @property
    def gone(self) -> bool:
        """Whether the receiver says that there is nothing at this address, for good (RFC 9110, 410)."""
        return self.fault is None and self.status == HTTPStatus.GONE


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
