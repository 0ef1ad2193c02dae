"""Erasure of a customer (GDPR, right to erasure), and the legal holds that forbid it.

An erased customer is deleted, and the keys of its streams are destroyed with the event that says so: see
projections/erasure.py. The event itself holds no personal data: when, on what legal basis, and at whose request.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, assert_never

from events.errors import Missing, Refusal
from events.personal import PERSONAL

HOLDS_MAX = 20  # of one customer
INVALID_STATE = "invalid_state"  # API reference, errors of the validation of a redaction job


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceHold:
    """Forbid the erasure of the customer until this hold is released; `at` is Unix seconds."""

    id: str
    at: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseHold:
    """End one hold, or without an id every hold."""

    id: str | None
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EraseCustomer:
    """Erase the customer, which is deleted unless it was; `at` is Unix seconds.

    `requested_by` is the id of a key or a redaction job, or names a command. `cancel_subscriptions` ends those that
    run, which otherwise forbid the erasure.
    """

    id: str
    at: int
    basis: str
    cancel_subscriptions: bool = False
    requested_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldPlaced:
    """The customer may not be erased for this reason."""

    at: int
    id: str
    reason: Annotated[str, PERSONAL] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldReleased:
    """This hold forbids the erasure of the customer no longer."""

    at: int
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerErased:
    """The keys of the customer's personal data were destroyed."""

    at: int
    basis: str
    id: str
    requested_by: str


Command = PlaceHold | ReleaseHold | EraseCustomer
Event = HoldPlaced | HoldReleased | CustomerErased
EVENT_TYPES: dict[str, type] = {
    "customer.hold_placed": HoldPlaced,
    "customer.hold_released": HoldReleased,
    "customer.erased": CustomerErased,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A legal hold, placed at a time in Unix seconds."""

    at: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """The holds of a customer by id, and when it was erased, if it was."""

    erased_at: int | None = None
    holds: Mapping[str, Hold] = field(default_factory=dict)


NONE = Erasure()


class NotErasable(Refusal):
    """The customer may not be erased."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code=INVALID_STATE)


def decide(state: Erasure, command: Command, *, running: int) -> list[Event]:
    """Decide the events of `command`; no events if there is nothing to change. `running` counts running subscriptions.

    Raises NotErasable under a hold and while subscriptions run, Missing for a hold that is not there, Refusal for a
    hold of a customer that is erased and for one hold too many.
    """
    match command:
        case PlaceHold():
            if state.erased_at is not None:
                raise Refusal("This customer has been erased; there is nothing to hold.", code=INVALID_STATE)
            if len(state.holds) >= HOLDS_MAX:
                raise Refusal(f"A customer can have up to {HOLDS_MAX} legal holds.", code=INVALID_STATE)
            return [HoldPlaced(at=command.at, id=command.id, reason=command.reason)]
        case ReleaseHold():
            if command.id is not None and command.id not in state.holds:
                raise Missing("legal hold", command.id)
            return [HoldReleased(at=command.at, id=id) for id in state.holds if command.id in (None, id)]
        case EraseCustomer():
            if state.erased_at is not None:
                return []
            if state.holds:
                raise NotErasable(f"Customer {command.id} is under a legal hold ({', '.join(state.holds)}).")
            if running and not command.cancel_subscriptions:
                raise NotErasable(f"Customer {command.id} has {running} running subscription(s).")
            erased = CustomerErased(
                at=command.at, basis=command.basis, id=command.id, requested_by=command.requested_by
            )
            return [erased]
        case _:
            assert_never(command)


def evolve(state: Erasure, event: Event) -> Erasure:
    """Fold one event in."""
    match event:
        case HoldPlaced():
            return replace(state, holds={**state.holds, event.id: Hold(at=event.at, reason=event.reason)})
        case HoldReleased():
            return replace(state, holds={id: hold for id, hold in state.holds.items() if id != event.id})
        case CustomerErased():
            return replace(state, erased_at=event.at)
        case _:
            assert_never(event)
