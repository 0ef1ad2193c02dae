"""The decider of a type of stream: decide, evolve and codec; and the change that a command made."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from events.personal import SubjectKey
from events.record import Origin
from events.scope import Scope

State = TypeVar("State")
Command = TypeVar("Command")
Event = TypeVar("Event")


@dataclass(frozen=True, slots=True)
class Decider(Generic[State, Command, Event]):
    """The pure half of one kind of stream, and which commands and events it has."""

    kind: str  # the API's word: customer
    initial: State
    decide: Callable[[State, Command], Sequence[Event]]
    evolve: Callable[[State, Event], State]
    erasable: bool = False  # whether its streams are of a person, whose erasure destroys their keys

    def stream(self, id: str) -> str:
        """The name of the stream of the object with that id."""
        return f"{self.kind}-{id}"


class Change(NamedTuple, Generic[State]):
    """The events of a command on one stream."""

    kind: str
    stream: str
    before: State
    after: State
    version: int  # after the last event
    steps: Sequence[tuple[Any, State]]  # each event and the state it left
    origin: Origin


class RowsOf(Protocol):
    """Makes the read models' rows of a change; the log passes them through without looking inside."""

    def __call__(self, change: Change[Any]) -> Any:
        """The rows to write in the transaction that appends the change."""
        ...


SNAPSHOT_EVENTS = 32  # from one snapshot of a stream to the next, at least


class CachedStream(NamedTuple, Generic[State]):
    """A stream's state at a version, as last seen; version 0 is a stream without events."""

    state: State
    version: int
    hash: bytes
    key: SubjectKey | None
    scope: Scope
    snapshot_due: int = SNAPSHOT_EVENTS  # the version from which an append keeps a snapshot
