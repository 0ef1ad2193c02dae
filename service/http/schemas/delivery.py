"""The delivery object: one event on its way to one webhook endpoint."""

from typing import Literal

from service.http.schemas.schema import Shape
from webhooks.outcome import Fault


class DeliveryAttempt(Shape):
    """One try to deliver an event."""

    object: Literal["rollbook.delivery_attempt"]
    """Says that this is an attempt."""
    answer: str
    """How the answer's body began, 4 KiB of it at most; control characters are escaped, like `\\x1b`."""
    at: int
    """When it ended, in Unix seconds."""
    counts: bool
    """Whether it took one of the tries; false where it failed on our side."""
    delivered: bool
    """Whether the receiver took it."""
    duration_ms: int
    """How long it took, in milliseconds."""
    error: Fault | None
    """What went wrong where there was no answer. Of these `address_refused`, `proxy`, `resolver`, `exhausted` and
    `internal` are on our side: they take none of the tries."""
    error_code: str | None
    """The same, more exactly where more is known: `tls.expired`, `connect.refused`."""
    next_attempt: int | None
    """When the next was to be made, in Unix seconds; null when none was."""
    number: int
    """Which try it was, from 1."""
    reason: str | None
    """Why it failed, in a sentence; null where the receiver took it."""
    status: int | None
    """Status of the answer, where there was one."""


class Delivery(Shape):
    """An event for one webhook endpoint."""

    id: str
    """What the delivery is called by."""
    object: Literal["rollbook.delivery"]
    """Says that this is a delivery."""
    attempt_count: int
    """How many tries are used up."""
    created: int
    """When the event happened, in Unix seconds."""
    customer: str | None
    """Id of the customer whom it happened to; null where it happened to something else."""
    endpoint: str
    """Id of the webhook endpoint."""
    livemode: bool
    """Whether it is of live mode, or of test mode."""
    next_attempt: int | None
    """When it is tried next, in Unix seconds; null once it has ended, and while it waits for another to end."""
    notice: str
    """Id of the event."""
    state: Literal["canceled", "delivered", "failed", "held", "pending"]
    """How it stands; one that is `held` has used its tries up, and those after it wait until it is sent or canceled."""
    type: str
    """What happened: `customer.created` and so on."""


class WholeDelivery(Delivery):
    """An event for one webhook endpoint, with every attempt."""

    attempts: list[DeliveryAttempt]
    """Every attempt, in order."""
