"""The event object."""

from typing import Any, Literal

from service.http.schemas.schema import ABSENT, Shape


class EventData(Shape):
    """The object of an event."""

    object: dict[str, Any]
    """Object after the event, in the API version of the event."""
    previous_attributes: dict[str, Any] = ABSENT
    """Previous values of the fields that changed; present in update events."""


class EventRequest(Shape):
    """The request that caused an event."""

    id: str
    """Unique identifier of the request."""
    idempotency_key: str | None
    """Idempotency key of the request."""


class Event(Shape):
    """A change of an object, as webhooks, the feed and RabbitMQ publish it."""

    id: str
    """Unique identifier of the event; the same in every delivery of it."""
    object: Literal["event"]
    """Type of the object: an event."""
    api_version: str
    """API version in which its object is rendered."""
    created: int
    """Time of the event, in Unix seconds."""
    data: EventData
    """Object of the event."""
    livemode: bool
    """Whether the object exists in live mode (true) or in test mode (false)."""
    pending_webhooks: int
    """Number of webhook endpoints that have not received the event."""
    request: EventRequest | None
    """Request that caused the event; null if the service itself did."""
    type: str
    """Type of the event, such as `customer.created`."""


class FeedLine(Shape):
    """A line of the feed."""

    position: int
    """Position to continue from once the event is processed."""
    event: Event
    """Type of the transaction."""
