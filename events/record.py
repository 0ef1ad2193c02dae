"""Drafts and records: events before they are appended to the log, and as they are stored, with version and position.

These only travel, and several are made for every write: named tuples, which are cheap to make.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from events.scope import Scope


class Origin(NamedTuple):
    """Who made it happen, when and why; the same for every event of one command."""

    account: str
    livemode: bool
    at: datetime  # aware UTC
    actor: str  # `key_…` for a caller, `system` for ourselves
    request_id: str | None = None
    idempotency_key: str | None = None
    correlation_id: str | None = None  # of the whole chain of causes
    causation_id: str | None = None  # of what directly caused it
    traceparent: str | None = None  # of its notices; the log does not store it

    @property
    def scope(self) -> Scope:
        """The account and mode."""
        return Scope(self.account, self.livemode)


class Draft(NamedTuple):
    """An encoded event that has its version and its link of the chain, but no position yet."""

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
    """The answer given under an idempotency key, kept so that a retry gets the same one."""

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


class Append(NamedTuple):
    """What one command wants stored, all of it or none of it.

    `expected` is the version the stream must have, 0 for one that must not exist. An append without drafts leaves its
    receipt, and holds the stream to a version above 0. `rows` are for whoever writes read models in the same
    transaction. The appends `with_` it, each on a stream of its own, are stored with it or not at all.
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


class Loaded(NamedTuple):
    """A stream's records beyond the version asked for, or beyond the snapshot; and its wrapped key (None when there is
    none).
    """

    records: Sequence[Record]
    wrapped_key: bytes | None
    snapshot: Snapshot | None = None
