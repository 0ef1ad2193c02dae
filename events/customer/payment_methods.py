"""The payment methods attached to a customer; their details are in their own streams.

They are in order of attachment. The stream of a payment method ensures that it is attached only once, to one customer.
"""

from dataclasses import dataclass
from typing import assert_never

from events.errors import Refusal

COUNT_MAX = 500  # maximum per customer


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachPaymentMethod:
    """Attach a payment method, at this time in Unix seconds."""

    id: str
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DetachPaymentMethod:
    """Detach a payment method."""

    id: str
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentMethodAttached:
    """A payment method was attached."""

    at: int
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentMethodDetached:
    """A payment method was detached."""

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
    """The ids of the attached payment methods."""

    attached: tuple[str, ...] = ()


NONE = PaymentMethods()


def decide(state: PaymentMethods, command: Command) -> list[Event]:
    """Decide the events of `command`; no events if there is nothing to change. Raises Refusal beyond the maximum."""
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
    """The events of the deletion of a customer: each payment method is detached."""
    return [PaymentMethodDetached(at=at, id=id) for id in state.attached]
