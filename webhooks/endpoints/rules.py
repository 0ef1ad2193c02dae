"""Delivery rules of an endpoint: ordering, payload, rate limit and concurrency limit, set by its owner.

Pure. By default delivery is unordered, as at Stripe. With the order `customer`, the events of one customer (or coupon,
or other object) are delivered one at a time, in order; an event that fails blocks only later ones of that object. With
the order `strict` all events of the endpoint are delivered so. When the tries of such an event are used up, `skip` goes
on with the next event, and `hold` waits until the owner resends or cancels it. Events missed while an endpoint is
disabled are sent once it is enabled, after live events, unless the owner chose to skip them.
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
    """Changes of rules, each as a whole; others keep their values."""

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
