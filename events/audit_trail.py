"""The audit trail: reads of history are events too, and name who read what (access log).

An account and mode have one stream a day, so none grows without end. The reader is the actor of the event's origin: an
API key, or the operator who ran a command. What was found is not in it, and no personal data: `subject` is the stream
that was read, or empty, and `filters` are the parameters.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import assert_never

from events.decider import Decider
from events.scope import Scope

KIND = "audit_trail"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRead:
    """Note down that somebody read history: by which operation, of which stream, with which filters."""

    operation: str
    filters: Mapping[str, str] = field(default_factory=dict)
    subject: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRead:
    """Somebody read history."""

    filters: Mapping[str, str]
    operation: str
    subject: str


Command = RecordRead
Event = AuditRead
EVENT_TYPES: dict[str, type] = {"audit.read": AuditRead}


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditTrail:
    """How often history was read on a day."""

    reads: int = 0


UNREAD = AuditTrail()


def key(scope: Scope, day: date) -> str:
    """The id of the trail of an account and mode on a day (UTC)."""
    return f"{scope.account}-{'live' if scope.livemode else 'test'}-{day:%Y%m%d}"


def decide(state: AuditTrail, command: Command) -> list[Event]:
    """Say what `command` would make happen: each read is an event, also one that was made before."""
    match command:
        case RecordRead():
            return [AuditRead(filters=command.filters, operation=command.operation, subject=command.subject)]
        case _:
            assert_never(command)


def evolve(state: AuditTrail, event: Event) -> AuditTrail:
    """Fold one event in."""
    match event:
        case AuditRead():
            return AuditTrail(reads=state.reads + 1)
        case _:
            assert_never(event)


AUDIT_TRAIL: Decider[AuditTrail, Command, Event] = Decider(KIND, UNREAD, decide, evolve)
