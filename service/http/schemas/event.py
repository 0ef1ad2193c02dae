"""The event object: what happened, as the API tells it."""

from typing import Any, Literal

from service.http.schemas.schema import ABSENT, Shape


class EventData(Shape):
    """What an event is about."""

    object: dict[str, Any]
    """The object right after it happened, in the version of the API that the event names."""
    previous_attributes: dict[str, Any] = ABSENT
    """What changed, as it was before; there in events that tell of a change."""


class EventRequest(Shape):
    """The request that brought an event about."""

    id: str
    """Id of the request."""
    idempotency_key: str | None
    """The idempotency key it carried."""


class Event(Shape):
    """Something that happened."""

    id: str
    """What the event is called by; the same each time it is told."""
    object: Literal["event"]
    """Says that this is an event."""
    api_version: str
    """Version of the API that its object is rendered in."""
    created: int
    """When it happened, in Unix seconds."""
    data: EventData
    """What it is about."""
    livemode: bool
    """Whether it is of live mode, or of test mode."""
    pending_webhooks: int
    """How many webhook endpoints have yet to take it."""
    request: EventRequest | None
    """The request that brought it about; null for what the service did by itself."""
    type: str
    """What happened: `customer.created` and so on."""


class FeedLine(Shape):
    """A line of the feed."""

    position: int
    """Position to go on from once the notice is dealt with."""
    notice: Event
    """What happened."""
