"""A kind of stream as code sees it: its pure half, what a command made of it, and how a command is answered."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from events.personal import SubjectKey
from events.record import Origin, Receipt

State = TypeVar("State")


@dataclass(frozen=True, slots=True)
class Decider(Generic[State]):
    """The pure half of one kind of stream."""

    kind: str  # the API's word: customer
    initial: State
    decide: Callable[[State, Any], Sequence[Any]]
    evolve: Callable[[State, Any], State]

    def stream(self, id: str) -> str:
        """The name of the stream of the object with that id."""
        return f"{self.kind}-{id}"


class Change(NamedTuple, Generic[State]):
    """What a command made happen to one stream."""

    kind: str
    stream: str
    before: State
    after: State
    version: int  # after the last event
    steps: Sequence[tuple[Any, State]]  # each event and the state it left
    origin: Origin


class RowsOf(Protocol):
    """Makes the read models' rows of a change; the log hands them on without looking inside."""

    def __call__(self, change: Change[Any]) -> Any:
        """The rows to write in the transaction that appends the change."""
        ...


class Reply(NamedTuple):
    """The status and body a command is answered with, and kept under its idempotency key.

    `headers`, which are not kept, go with it beside or instead of those of every answer.
    """

    status: int
    body: bytes
    headers: Sequence[tuple[str, str]] = ()


class KeyUse(NamedTuple):
    """An idempotency key as a request used it."""

    key: str
    route: str
    fingerprint: bytes

    def receipt(self, request_id: str, reply: Reply) -> Receipt:
        """What to keep of a request that was answered so."""
        return Receipt(
            key=self.key,
            route=self.route,
            fingerprint=self.fingerprint,
            request_id=request_id,
            status=reply.status,
            body=reply.body,
        )


SNAPSHOT_EVENTS = 32  # from one snapshot of a stream to the next, at least


class Held(NamedTuple, Generic[State]):
    """A stream's state as last seen."""

    state: State
    version: int
    hash: bytes
    key: SubjectKey | None
    account: str
    livemode: bool
    snapshot_due: int = SNAPSHOT_EVENTS  # the version from which an append keeps a snapshot
