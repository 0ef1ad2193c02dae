"""What audits show: events of the log, states, differences."""

from typing import Any, Literal

from pydantic import Field

from service.http.schemas.schema import ABSENT, Shape


class Actor(Shape):
    """Who caused an event."""

    id: str
    """Id of the API key; `system` for the service itself, `operator:NAME` for who ran a command."""
    account: str
    """Account of the API key."""
    key: str | None
    """The ends of the API key; null for other actors."""
    name: str | None
    """Name of the API key; null for other actors."""
    type: Literal["api_key", "operator", "system"]
    """Type of the actor."""


class AuditChange(Shape):
    """One change of an object."""

    path: str
    """Where in the object, as a JSON Pointer (RFC 6901)."""
    from_: Any = Field(alias="from")
    """Value before; null if there was none."""
    to: Any
    """Value after; null if there is none."""


class AuditEvent(Shape):
    """An event of the log with what it changed."""

    id: str
    """Position of the event in the log, as text: the cursor of the list."""
    object: Literal["rollbook.audit.event"]
    """Type of the object: an event of the log."""
    actor: Actor
    """Who caused the event."""
    causation_id: str | None
    """Id of the direct cause."""
    changes: list[AuditChange]
    """What the event changed in the object, from what to what."""
    correlation_id: str | None
    """Id that all events of one chain of causes share."""
    data: dict[str, Any]
    """Data of the event as stored, with personal fields decrypted; secrets are not shown."""
    hash: str
    """Hash of the event in the chain of its stream (SHA-256, hexadecimal)."""
    idempotency_key: str | None
    """Idempotency key of the request."""
    livemode: bool
    """Whether the object exists in live mode (true) or in test mode (false)."""
    position: int
    """Position of the event in the log."""
    request_id: str | None
    """Id of the request; null if the service itself caused the event."""
    schema_version: int
    """Version of the schema of `data`."""
    sealed: bool
    """Whether personal fields are missing from `data` because their key was destroyed."""
    stream: str
    """Stream of the event."""
    time: str
    """Time of the event (RFC 3339, microseconds, UTC)."""
    type: str
    """Type of the event in the log."""
    version: int
    """Number of the event in its stream, from 1."""


class AuditPoint(Shape):
    """A point of a stream."""

    position: int
    """Position of the last event."""
    time: str
    """Time of the last event (RFC 3339, microseconds, UTC)."""
    version: int
    """Version of the last event."""


class AuditState(Shape):
    """An object as it was."""

    id: str
    """Id of the object."""
    object: Literal["rollbook.audit.state"]
    """Type of the object: the state of another one."""
    kind: str
    """Kind of the object, as in the path."""
    livemode: bool
    """Whether the object exists in live mode (true) or in test mode (false)."""
    point: AuditPoint
    """The last event that led to the state."""
    sealed: bool
    """Whether personal fields are missing because their key was destroyed."""
    state: dict[str, Any]
    """The object as the API renders it, with `deleted` and with what belonged to it."""
    stream: str
    """Stream of the object."""


class AuditDifference(Shape):
    """What changed between two points of an object."""

    id: str
    """Id of the object."""
    object: Literal["rollbook.audit.difference"]
    """Type of the object: a difference."""
    changes: list[AuditChange]
    """What changed between them, from what to what."""
    from_: AuditPoint | None = Field(alias="from")
    """The earlier point; null if the object did not exist then."""
    has_more: bool
    """Whether there are more changes than are shown (1000)."""
    kind: str
    """Kind of the object, as in the path."""
    livemode: bool
    """Whether the object exists in live mode (true) or in test mode (false)."""
    sealed: bool
    """Whether personal fields are missing because their key was destroyed."""
    stream: str
    """Stream of the object."""
    to: AuditPoint
    """The later point."""


class AuditLine(Shape):
    """A line of the audit log: an event of the log as CloudEvents 1.0."""

    actor: str
    """Who caused the event."""
    causationid: str = ABSENT
    """Id of the direct cause."""
    correlationid: str = ABSENT
    """Id that all events of one chain of causes share."""
    data_base64: str
    """Payload as stored, byte for byte, in base64; personal fields are encrypted."""
    datacontenttype: Literal["application/json"]
    """Media type of the payload."""
    hash: str
    """Hash of the event in the chain of its stream (SHA-256, hexadecimal)."""
    id: str
    """Position of the event in the log."""
    idempotencykey: str = ABSENT
    """Idempotency key of the request."""
    position: str
    """Position of the event in the log."""
    requestid: str = ABSENT
    """Id of the request."""
    schemaversion: int
    """Version of the schema of the payload."""
    source: str
    """Account and mode: `/accounts/ACCOUNT/live` or `/accounts/ACCOUNT/test`."""
    specversion: Literal["1.0"]
    """Version of CloudEvents."""
    streamversion: str
    """Number of the event in its stream, from 1."""
    subject: str
    """Stream of the event."""
    time: str
    """Time of the event (RFC 3339, microseconds, UTC)."""
    type: str
    """Type of the event in the log."""
