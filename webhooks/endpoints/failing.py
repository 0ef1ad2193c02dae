"""Policy for failing endpoints: when the owner is notified, and when the endpoint is disabled.

Pure. Faults of our own count too, since nothing reaches the endpoint all the same. webhooks/queue/lane.py counts.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from webhooks.endpoints.endpoint import Reason

NOTIFIED_AFTER_H = (1, 24, 72)
DISABLED_AFTER = timedelta(days=5)
ATTEMPTS_MIN = 20  # fewer prove nothing: there may have been little to send


@dataclass(frozen=True, slots=True, kw_only=True)
class Failing:
    """How an endpoint fails: since the first failure after its last success, so many attempts in a row."""

    since: datetime
    attempts: int
    gone: bool  # it said so
    notified_hours: int  # hours of this failure that the owner was last notified of


@dataclass(frozen=True, slots=True)
class Notify:
    """Notify the owner that it has failed for so many hours."""

    hours: int


@dataclass(frozen=True, slots=True)
class Disable:
    """Disable the endpoint."""

    reason: Reason


def due(failing: Failing, now: datetime) -> Notify | Disable | None:
    """The command that is due for a failing endpoint, if any."""
    if failing.gone:
        return Disable("gone")
    lasts = now - failing.since
    if lasts >= DISABLED_AFTER and failing.attempts >= ATTEMPTS_MIN:
        return Disable("failing")
    hours = max((hours for hours in NOTIFIED_AFTER_H if lasts >= timedelta(hours=hours)), default=0)
    return Notify(hours) if hours > failing.notified_hours else None
