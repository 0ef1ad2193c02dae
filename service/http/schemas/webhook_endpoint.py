"""The webhook endpoint object."""

from typing import Literal

from service.http.schemas.schema import ABSENT, Deleted, Shape


class WebhookEndpoint(Shape):
    """A URL that events are sent to."""

    id: str
    """Unique identifier of the endpoint."""
    object: Literal["webhook_endpoint"]
    """Type of the object: a webhook endpoint."""
    api_version: str | None
    """Version of the API that events are rendered in; null for the account's."""
    application: None
    """It was made by the account itself."""
    created: int
    """Time of creation, in Unix seconds."""
    description: str | None
    """What it is for."""
    enabled_events: list[str]
    """Types of the events that are sent; `*` for all of them."""
    livemode: bool
    """Whether the object exists in live mode (true) or in test mode (false)."""
    metadata: dict[str, str]
    """Key-value pairs for your own use."""
    secret: str = ABSENT
    """What its webhooks are signed with; there in the answer that makes it alone."""
    status: Literal["disabled", "enabled"]
    """Whether events are sent."""
    url: str
    """Where they are sent."""


class OwnWebhookEndpoint(Shape):
    """How a webhook endpoint stands: the rules of what is sent to it, and what became of that."""

    id: str
    """Unique identifier of the endpoint."""
    object: Literal["rollbook.webhook_endpoint"]
    """Type of the object: the state of a webhook endpoint."""
    affected: int = ABSENT
    """Number of pending deliveries or missed events that the request is about; none is counted beyond 10,000. Only in
    the answers to pause, resume, recover and cancel_pending."""
    breaker: Literal["closed", "half_open", "open"]
    """Whether attempts are made; while it is `open` none is, and a `half_open` one lets a single one through."""
    breaker_until: int | None
    """Until when the breaker opened last, in Unix seconds; null while it is closed."""
    complete_up_to: int
    """The position of the feed up to which no event is missing: each that was to be sent was taken, or canceled."""
    concurrency: int
    """How many attempts the receiver has proved to bear at once."""
    failing_since: int | None
    """When the first attempt failed after the last that did not, in Unix seconds."""
    held_deliveries: int
    """How many deliveries hold others back until they are resent or canceled; none is counted beyond 10,000."""
    in_flight_max: int | None
    """How many attempts may be on their way at once; null for as many as the receiver proves to bear."""
    livemode: bool
    """Whether the object exists in live mode (true) or in test mode (false)."""
    missed: Literal["send", "skip"]
    """What becomes of events that happen while it is disabled, once it is enabled."""
    on_exhaustion: Literal["hold", "skip"]
    """What happens in an order once the tries of an event are used up."""
    order: Literal["customer", "none", "strict"]
    """In which order events arrive."""
    payload: Literal["full", "thin"]
    """Whether events are sent in full."""
    pending_deliveries: int
    """How many deliveries are still to be made, held ones among them; none is counted beyond 10,000."""
    quiet_until: int | None
    """Until when the receiver asked to be left alone, in Unix seconds."""
    rate_limit: int | None
    """How many attempts there may be a second; null for any number."""
    recovering: bool
    """Whether more deliveries are to come of what it missed."""
    set_aside: str | None
    """What is stored of it that Rollbook cannot work with: `url_unreadable`, `rules_invalid`, `secret_unreadable` and
    so on. Nothing is sent to it then; it is tried again when it is edited, and after `breaker_until`."""
    set_aside_reason: str | None
    """The same in a sentence."""
    settled_up_to: int
    """The position of the feed up to which nothing is to be sent any more, whatever became of it."""
    status: Literal["disabled", "enabled"]
    """Whether events are sent."""
    url: str
    """Where they are sent."""


class DeletedWebhookEndpoint(Deleted):
    """What is left to show of a deleted webhook endpoint."""

    object: Literal["webhook_endpoint"]
    """Type of the object: a webhook endpoint."""
