"""Delivery rules of an endpoint: ordering, payload, rate limit and concurrency limit, set by its owner.

Pure. Order is none unless it is asked for, as at Stripe. In the order `customer` what happened to one customer (or
coupon, or whatever else is the object of the event) arrives one by one, as it happened, and an event that fails holds
back that customer's alone; in the order `strict` everything does. What happens once the tries of such an event are used
up is the owner's choice: `skip` goes on with the next one, `hold` waits until somebody says what is to become of it.
What an endpoint misses while it is disabled is sent once it is enabled, behind live events, unless the owner chose to
skip it.
"""

from dataclasses import dataclass
from typing import Literal

from typing_extensions import TypedDict

Order = Literal["none", "customer", "strict"]
Missed = Literal["send", "skip"]
OnExhaustion = Literal["skip", "hold"]
Payload = Literal["full", "thin"]
RATE_MAX = 1000  # a second
IN_FLIGHT_MAX = 32
BODY_BYTES_MAX = 256 * 1024  # of a whole notice: one that is larger is sent thin, whatever the rules say


class RulesPatch(TypedDict, total=False):
    """Rules, each whole; what is not named stays as it is."""

    in_flight_max: int | None
    missed: Missed
    on_exhaustion: OnExhaustion
    order: Order
    payload: Payload
    rate_limit: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The rules of one endpoint."""

    in_flight_max: int | None = None  # attempts in flight; None for the adaptive limit
    missed: Missed = "send"  # what becomes of what happened while it was disabled, once it is enabled again
    on_exhaustion: OnExhaustion = "skip"
    order: Order = "none"
    payload: Payload = "full"
    rate_limit: int | None = None  # attempts a second; None for no limit
