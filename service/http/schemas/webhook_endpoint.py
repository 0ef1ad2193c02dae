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
    """API version in which events are rendered; null for the default of the account."""
    application: None
    """Always null: no Connect application created it."""
    created: int
    """Time of creation, in Unix seconds."""
    description: str | None
    """Description of the endpoint."""
    enabled_events: list[str]
    """Types of the events that are sent; `*` for all of them."""
    livemode: bool
    """Whether the object exists in live mode (true) or in test mode (false)."""
    metadata: dict[str, str]
    """Key-value pairs for your own use."""
    secret: str = ABSENT
    """Signing secret; present only in the response to its creation."""
    status: Literal["disabled", "enabled"]
    """Status: `enabled` or `disabled`."""
    url: str
    """URL of the receiver."""


class OwnWebhookEndpoint(Shape):
    """State of a webhook endpoint: its delivery rules, circuit breaker and backlog."""

    id: str
    """Unique identifier of the endpoint."""
    object: Literal["rollbook.webhook_endpoint"]
    """Type of the object: the state of a webhook endpoint."""
    affected: int = ABSENT
    """Number of pending deliveries or missed events that the request concerns, counted up to 10,000; present only in
    the responses to pause, resume, recover and cancel_pending."""
    breaker: Literal["closed", "half_open", "open"]
    """State of the circuit breaker: `closed`; `open` allows no attempts; `half_open` allows a single one."""
    breaker_until: int | None
    """Time at which the breaker becomes half-open, in Unix seconds; null while it is closed."""
    complete_up_to: int
    """Feed position up to which every event was delivered or canceled."""
    concurrency: int
    """Current concurrency limit, adapted to the receiver."""
    failing_since: int | None
    """Time of the first failure since the last success, in Unix seconds."""
    held_deliveries: int
    """Number of `held` deliveries, which block others until they are resent or canceled; counted up to 10,000."""
    in_flight_max: int | None
    """Maximum number of attempts in flight; null if it is adapted to the receiver."""
    livemode: bool
    """Whether the object exists in live mode (true) or in test mode (false)."""
    missed: Literal["send", "skip"]
    """Handling of events during a pause: `send` them once it is enabled, or `skip` them."""
    on_exhaustion: Literal["hold", "skip"]
    """Handling of an event in an ordered sequence once its attempts are exhausted: `skip` or `hold`."""
    order: Literal["customer", "none", "strict"]
    """Ordering of deliveries: `none`, by `customer`, or `strict`."""
    payload: Literal["full", "thin"]
    """Payload of webhooks: the `full` event or a `thin` one."""
    pending_deliveries: int
    """Number of pending deliveries, `held` ones included; counted up to 10,000."""
    quiet_until: int | None
    """Time until which the receiver asked for no requests (Retry-After), in Unix seconds."""
    rate_limit: int | None
    """Maximum number of attempts per second; null for no limit."""
    recovering: bool
    """Whether a recovery of missed events is in progress."""
    set_aside: str | None
    """Reason why it was set aside, such as `url_unreadable`, `rules_invalid` or `secret_unreadable`: its stored data is
    unusable. Nothing is sent until it is edited or `breaker_until` has passed."""
    set_aside_reason: str | None
    """Explanation of `set_aside`, as a sentence."""
    settled_up_to: int
    """Feed position up to which every delivery has ended, with any outcome."""
    status: Literal["disabled", "enabled"]
    """Status: `enabled` or `disabled`."""
    url: str
    """URL of the receiver."""


class DeletedWebhookEndpoint(Deleted):
    """A deleted webhook endpoint."""

    object: Literal["webhook_endpoint"]
    """Type of the object: a webhook endpoint."""
