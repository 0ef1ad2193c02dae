"""Drafts and records: events before they are appended to the log, and as they are stored, with version and position.

Plain values, several for every write: named tuples, which are cheaper to make than dataclasses.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from events.personal import SubjectKey
from events.scope import Scope


class Origin(NamedTuple):
    """The metadata of events: account, time, actor, and correlation and causation ids; one for each command."""

    account: str
    livemode: bool
    at: datetime  # aware UTC
    actor: str  # `key_…` of the API key, or `system` for a job
    request_id: str | None = None
    idempotency_key: str | None = None
    correlation_id: str | None = None  # shared by all events of one chain of causes
    causation_id: str | None = None  # of the direct cause
    traceparent: str | None = None  # of its notices; the log does not store it

    @property
    def scope(self) -> Scope:
        """The account and mode."""
        return Scope(self.account, self.livemode)


class Draft(NamedTuple):
    """An encoded event with its version and its hash in the chain, but no position yet."""

    type: str
    schema_version: int
    version: int
    payload: bytes
    hash: bytes


class Record(NamedTuple):
    """An event as it is stored, with its version and position."""

    position: int
    stream: str
    version: int
    type: str
    schema_version: int
    payload: bytes
    hash: bytes
    origin: Origin


class Receipt(NamedTuple):
    """The response stored under an idempotency key, so that a retry gets the same one."""

    key: str
    route: str  # method and path
    fingerprint: bytes
    request_id: str
    status: int
    body: bytes


class Snapshot(NamedTuple):
    """A stream's state at a version, sealed, and the digest of the code that folded it: see events/snapshots.py."""

    code: bytes
    version: int
    body: bytes


class Subject(NamedTuple):
    """The stream whose personal data an answer shows, and the key of that stream."""

    stream: str
    key: SubjectKey


class Append(NamedTuple):
    """What one command stores, atomically.

    `expected` is the version that the stream must have; 0 if it must not exist. An append without drafts stores its
    receipt, and checks `expected` if it is above 0. `rows` are the read model rows for the same transaction. The
    appends `with_` it, each on another stream, are stored in the same atomic group.
    """

    stream: str
    expected: int
    origin: Origin
    drafts: tuple[Draft, ...] = ()
    wrapped_key: bytes | None = None  # with the first event of a stream
    receipt: Receipt | None = None
    rows: Any = None
    with_: tuple["Append", ...] = ()
    snapshot: Snapshot | None = None  # of the stream after these drafts
    subject: Subject | None = None  # whom the receipt is about: erased with them


class Loaded(NamedTuple):
    """The records of a stream after a version, or after its snapshot; and its wrapped key, if it has one."""

    records: Sequence[Record]
    wrapped_key: bytes | None
    snapshot: Snapshot | None = None
