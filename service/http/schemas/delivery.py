"""The delivery object: one event to one webhook endpoint."""

from typing import Literal

from service.http.schemas.schema import Shape
from webhooks.outcome import Fault


class DeliveryAttempt(Shape):
    """An attempt to deliver an event."""

    object: Literal["rollbook.delivery_attempt"]
    """Type of the object: an attempt."""
    answer: str
    """First 4 KiB of the response body; control characters are escaped, like `\\x1b`."""
    at: int
    """Time of the end of the attempt, in Unix seconds."""
    counts: bool
    """Whether it counts as an attempt; false if it failed on our side."""
    delivered: bool
    """Whether the receiver accepted it."""
    duration_ms: int
    """Duration in milliseconds."""
    error: Fault | None
    """Category of the failure if there was no response. `address_refused`, `proxy`, `resolver`, `exhausted` and
    `internal` are on our side and do not count as attempts."""
    error_code: str | None
    """Detailed code of the failure, if known, such as `tls.expired` or `connect.refused`."""
    next_attempt: int | None
    """Time of the next attempt, in Unix seconds; null if there was none."""
    number: int
    """Number of the attempt, from 1."""
    reason: str | None
    """Reason of the failure, as a sentence; null if the receiver accepted it."""
    status: int | None
    """HTTP status of the response, if there was one."""


class Delivery(Shape):
    """An event for one webhook endpoint."""

    id: str
    """Unique identifier of the delivery."""
    object: Literal["rollbook.delivery"]
    """Type of the object: a delivery."""
    attempt_count: int
    """Number of attempts that count."""
    created: int
    """Time of the event, in Unix seconds."""
    customer: str | None
    """Id of the customer of the event; null if the event has none."""
    endpoint: str
    """Id of the webhook endpoint."""
    event: str
    """Id of the event."""
    livemode: bool
    """Whether the object exists in live mode (true) or in test mode (false)."""
    next_attempt: int | None
    """Time of the next attempt, in Unix seconds; null once the delivery has ended, and while it waits for an earlier
    one."""
    state: Literal["canceled", "delivered", "failed", "held", "pending"]
    """State of the delivery; a `held` one has exhausted its attempts and blocks those after it until it is resent or
    canceled."""
    type: str
    """Type of the event, such as `customer.created`."""


class WholeDelivery(Delivery):
    """An event for one webhook endpoint, with every attempt."""

    attempts: list[DeliveryAttempt]
    """Every attempt, in order."""
