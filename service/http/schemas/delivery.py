"""The delivery object: one event on its way to one webhook endpoint."""

from typing import Literal

from service.http.schemas.schema import Shape
from webhooks.outcome import Fault


class DeliveryAttempt(Shape):
    """One try to deliver an event."""

    object: Literal["rollbook.delivery_attempt"]
    """Type of the object: an attempt."""
    answer: str
    """How the answer's body began, 4 KiB of it at most; control characters are escaped, like `\\x1b`."""
    at: int
    """Time of the end of the attempt, in Unix seconds."""
    counts: bool
    """Whether it took one of the tries; false where it failed on our side."""
    delivered: bool
    """Whether the receiver accepted it."""
    duration_ms: int
    """Duration in milliseconds."""
    error: Fault | None
    """What went wrong where there was no answer. Of these `address_refused`, `proxy`, `resolver`, `exhausted` and
    `internal` are on our side: they take none of the tries."""
    error_code: str | None
    """The same, more exactly where more is known: `tls.expired`, `connect.refused`."""
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
    """Time of the next attempt, in Unix seconds; null once the delivery has ended, and while it waits for another."""
    state: Literal["canceled", "delivered", "failed", "held", "pending"]
    """How it stands; one that is `held` has used its tries up, and those after it wait until it is sent or canceled."""
    type: str
    """Type of the event, such as `customer.created`."""


class WholeDelivery(Delivery):
    """An event for one webhook endpoint, with every attempt."""

    attempts: list[DeliveryAttempt]
    """Every attempt, in order."""
