"""Which payment methods are attached to the customer; what they are is in streams of their own.

They are in order of attachment. That each of them is attached to one customer only, and only once, is for its own
stream to hold.
"""

from dataclasses import dataclass
from typing import assert_never

from events.errors import Refusal

COUNT_MAX = 500  # of one customer


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachPaymentMethod:
    """Let the customer pay with it, from this time in Unix seconds on."""

    id: str
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DetachPaymentMethod:
    """Let the customer pay with it no more."""

    id: str
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentMethodAttached:
    """The customer may pay with it."""

    at: int
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentMethodDetached:
    """The customer may pay with it no more."""

    at: int
    id: str


Command = AttachPaymentMethod | DetachPaymentMethod
Event = PaymentMethodAttached | PaymentMethodDetached
EVENT_TYPES: dict[str, type] = {
    "customer.payment_method_attached": PaymentMethodAttached,
    "customer.payment_method_detached": PaymentMethodDetached,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentMethods:
    """The ids of those attached."""

    attached: tuple[str, ...] = ()


NONE = PaymentMethods()


def decide(state: PaymentMethods, command: Command) -> list[Event]:
    """Say what `command` would make happen; nothing when all is so already. Raises Refusal when there are too many."""
    match command:
        case AttachPaymentMethod():
            if command.id in state.attached:
                return []
            if len(state.attached) >= COUNT_MAX:
                raise Refusal(
                    f"You may only attach up to {COUNT_MAX} payment methods to a customer.",
                    code="customer_max_payment_methods",
                )
            return [PaymentMethodAttached(at=command.at, id=command.id)]
        case DetachPaymentMethod():
            return [PaymentMethodDetached(at=command.at, id=command.id)] if command.id in state.attached else []
        case _:
            assert_never(command)


def evolve(state: PaymentMethods, event: Event) -> PaymentMethods:
    """Fold one event in."""
    match event:
        case PaymentMethodAttached():
            return PaymentMethods(attached=(*state.attached, event.id))
        case PaymentMethodDetached():
            return PaymentMethods(attached=tuple(id for id in state.attached if id != event.id))
        case _:
            assert_never(event)


def end(state: PaymentMethods, at: int) -> list[Event]:
    """What ends with the customer: every attachment."""
    return [PaymentMethodDetached(at=at, id=id) for id in state.attached]
