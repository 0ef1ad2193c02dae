"""What an attempt came to, and what that means for its delivery: done, tried again, or given up.

Pure. A 2xx is success and everything else is failure (API reference, webhooks). What went wrong on our own side is
told apart: it postpones the delivery and takes none of the tries the receiver is owed.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
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
OWN_FAULT_WAIT = timedelta(minutes=1)

Fault = Literal[
    "dns",  # the name has no address
    "connect",  # refused, unreachable, or no connection in time
    "tls",  # no handshake, or a certificate that does not verify
    "timeout",  # no whole answer in time
    "reset",  # closed before the answer was whole
    "protocol",  # the answer is not HTTP, or its headers are longer than we read
    "address_refused",  # ours: policy forbids the URL or every address of its host
    "exhausted",  # ours: no file handles, ports or buffers left
    "internal",  # ours: it could not be signed, or our own code failed
]
UNREACHABLE: frozenset[Fault] = frozenset({"dns", "connect", "tls", "timeout"})
OWN_FAULTS: frozenset[Fault] = frozenset({"address_refused", "exhausted", "internal"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one attempt came to.

    `status` may stand beside a `fault`, when the answer began well and broke off. `excerpt` is how the answer's body
    begins, as sent, at most 4 KiB.
    """

    duration_ms: int
    status: int | None = None
    fault: Fault | None = None
    excerpt: bytes = b""

    @property
    def delivered(self) -> bool:
        """Whether the receiver took it: a 2xx, and an answer that did not break off."""
        return self.fault is None and self.status is not None and 200 <= self.status < 300

    @property
    def own_fault(self) -> bool:
        """Whether it failed on our side, so that it says nothing of the receiver."""
        return self.fault in OWN_FAULTS

    @property
    def unreachable(self) -> bool:
        """Whether the receiver could not be reached, or kept us waiting to the end."""
        return self.fault in UNREACHABLE


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
    """Its tries are used up."""


Verdict = Delivered | RetryAt | GaveUp


def judge(outcome: Outcome, attempt: int, ended_at: datetime, jitter: float) -> Verdict:
    """What follows from the `attempt`th try (1-based), which ended at `ended_at`; `jitter` is in [0, 1)."""
    if outcome.delivered:
        return Delivered()
    if outcome.own_fault:
        return RetryAt(at=ended_at + _jittered(OWN_FAULT_WAIT, jitter), attempts=attempt - 1)
    at = retry_at(attempt, ended_at, jitter)
    return GaveUp() if at is None else RetryAt(at=at, attempts=attempt)


def retry_at(attempt: int, failed_at: datetime, jitter: float) -> datetime | None:
    """When to try again after `attempt` tries (1-based), or None to give up; `jitter` is in [0, 1).

    Waits grow from five seconds, for a receiver being restarted, to a day, so that one mended over a weekend still
    hears from us: the last try comes a good three days after the first.
    """
    assert attempt >= 1, "attempts count from 1"
    if attempt >= ATTEMPTS_MAX:
        return None
    return failed_at + _jittered(RETRY_WAITS[attempt - 1], jitter)


def _jittered(wait: timedelta, jitter: float) -> timedelta:
    assert 0 <= jitter < 1, "jitter is in [0, 1)"
    return wait * (1 + JITTER_MAX * jitter)
