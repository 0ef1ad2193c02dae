"""A customer: one stream each, `customer-cus_…`, with every facet of it; decided and folded by pure functions.

A facet sees only its own state. The rules that reach across facets are here: what a customer's currency is, which
payment method may be its default, and what ends with it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, get_args

from events.customer import (
    balance,
    cash_balance,
    discount,
    payment_methods,
    profile,
    source,
    subscription,
    tax,
    tax_id,
    test_clock,
)
from events.customer.balance import Balance, BalanceAdjusted
from events.customer.cash_balance import CashBalance
from events.customer.discount import Discounts
from events.customer.payment_methods import DetachPaymentMethod, PaymentMethods
from events.customer.profile import Attributes, Profile, ProfilePatch
from events.customer.source import Sources
from events.customer.subscription import Subscriptions
from events.customer.tax import Tax
from events.customer.tax_id import TaxIds
from events.decider import Decider
from events.errors import Missing, Refusal

KIND = "customer"


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateCustomer:
    """Bring a customer into being; `created` is Unix seconds, `invoice_prefix` serves when the patch names none."""

    id: str
    created: int
    invoice_prefix: str
    patch: ProfilePatch


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateCustomer:
    """Change some attributes."""

    id: str
    patch: ProfilePatch


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteCustomer:
    """End the customer for good, at this time in Unix seconds; `with_clock` when its test clock ends too."""

    id: str
    at: int = 0
    with_clock: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerCreated:
    """The customer came into being with these attributes; what is not named has its default."""

    attributes: Attributes
    created: int
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerUpdated:
    """These attributes changed, each to this whole new value."""

    attributes: Attributes


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerDeleted:
    """The customer ended."""

    id: str


class Facet(NamedTuple):
    """A part of the customer that decides and folds by itself; `name` is its attribute of Customer."""

    name: str
    commands: Any  # a union of classes, or one class
    events: dict[str, type]
    decide: Callable[[Any, Any], Sequence[Any]]
    evolve: Callable[[Any, Any], Any]
    end: Callable[[Any, int], Sequence[Any]] | None = None  # what ends with the customer


FACETS = (
    Facet("balance", balance.Command, balance.EVENT_TYPES, balance.decide, balance.evolve),
    Facet("cash_balance", cash_balance.Command, cash_balance.EVENT_TYPES, cash_balance.decide, cash_balance.evolve),
    Facet("sources", source.Command, source.EVENT_TYPES, source.decide, source.evolve, source.end),
    Facet(
        "payment_methods",
        payment_methods.Command,
        payment_methods.EVENT_TYPES,
        payment_methods.decide,
        payment_methods.evolve,
        payment_methods.end,
    ),
    Facet("discounts", discount.Command, discount.EVENT_TYPES, discount.decide, discount.evolve, discount.end),
    Facet("tax_ids", tax_id.Command, tax_id.EVENT_TYPES, tax_id.decide, tax_id.evolve, tax_id.end),
    Facet("tax", tax.Command, tax.EVENT_TYPES, tax.decide, tax.evolve, tax.end),
    Facet(
        "subscriptions",
        subscription.Command,
        subscription.EVENT_TYPES,
        subscription.decide,
        subscription.evolve,
        subscription.end,
    ),
    Facet("test_clock", test_clock.Command, test_clock.EVENT_TYPES, test_clock.decide, test_clock.evolve),
)
_BY_COMMAND = {command: facet for facet in FACETS for command in get_args(facet.commands) or (facet.commands,)}
_BY_EVENT = {event: (facet.name, facet.evolve) for facet in FACETS for event in facet.events.values()}

EVENT_TYPES: dict[str, type] = {
    "customer.created": CustomerCreated,
    "customer.updated": CustomerUpdated,
    "customer.deleted": CustomerDeleted,
} | {name: event for facet in FACETS for name, event in facet.events.items()}


@dataclass(frozen=True, kw_only=True)  # without slots: it is copied for every event, and a dictionary the fastest
class Customer:
    """A customer as the events so far have left it; `id` is empty before the first of them."""

    id: str = ""
    balance: Balance = balance.NONE
    cash_balance: CashBalance = cash_balance.NONE
    created: int = 0
    currency: str | None = None
    deleted: bool = False
    discounts: Discounts = discount.NONE
    payment_methods: PaymentMethods = payment_methods.NONE
    profile: Profile = profile.BLANK
    sources: Sources = source.NONE
    subscriptions: Subscriptions = subscription.NONE
    tax: Tax = tax.NONE
    tax_ids: TaxIds = tax_id.NONE
    test_clock: str | None = None

    @property
    def exists(self) -> bool:
        """Whether commands find it."""
        return bool(self.id) and not self.deleted


NOBODY = Customer()


def stream(id: str) -> str:
    """The name of a customer's stream."""
    return f"{KIND}-{id}"


def decide(state: Customer, command: Any) -> list[Any]:
    """Say what `command` would make happen; nothing when all is so already.

    Raises Missing when the customer never was or is no more, Refusal when a rule forbids the change.
    """
    match command:
        case CreateCustomer():
            assert not state.id, "ids of new customers are fresh"
            patch: ProfilePatch = {"invoice_prefix": command.invoice_prefix, **command.patch}
            attributes = profile.changes(state.profile, patch)
            return [CustomerCreated(id=command.id, created=command.created, attributes=attributes)]
        case UpdateCustomer():
            must_exist(state, command.id)
            _must_be_attached(state, command.patch.get("default_payment_method"))
            attributes = profile.changes(state.profile, command.patch)
            return [CustomerUpdated(attributes=attributes)] if attributes else []
        case DeleteCustomer():
            must_exist(state, command.id)
            if not command.with_clock:
                cash_balance.must_be_unused(state.cash_balance)
            ends = [(getattr(state, facet.name), facet.end) for facet in FACETS if facet.end is not None]
            ended = [event for part, end in ends for event in end(part, command.at)]
            return [*ended, CustomerDeleted(id=command.id)]
        case _:
            must_exist(state, state.id)
            facet = _BY_COMMAND[type(command)]
            events = list(facet.decide(getattr(state, facet.name), command))
            if isinstance(command, DetachPaymentMethod) and command.id == state.profile.default_payment_method:
                events.append(CustomerUpdated(attributes={"default_payment_method": None}))
            return events


def evolve(state: Customer, event: Any) -> Customer:
    """Fold one event in."""
    part = _BY_EVENT.get(type(event))
    if part is not None:
        name, evolve_part = part
        after: Customer = object.__new__(Customer)
        changed = after.__dict__
        changed.update(state.__dict__)
        changed[name] = evolve_part(changed[name], event)
        if not changed["currency"]:
            changed["currency"] = _currency(after, event)
        return after
    match event:
        case CustomerCreated():
            return Customer(id=event.id, created=event.created, profile=profile.apply(state.profile, event.attributes))
        case CustomerUpdated():
            return replace(state, profile=profile.apply(state.profile, event.attributes))
        case CustomerDeleted():
            return replace(state, deleted=True)
        case _:
            raise AssertionError(f"{type(event).__name__} is no event of a customer")


def _currency(state: Customer, event: Any) -> str | None:
    """The customer's currency, once something settles it: its first balance transaction, or a subscription."""
    return event.currency if isinstance(event, BalanceAdjusted) else subscription.currency(state.subscriptions)


def must_exist(state: Customer, id: str) -> None:
    """Raises Missing when the customer never was or is no more."""
    if not state.exists:
        raise Missing(KIND, id)


def _must_be_attached(state: Customer, payment_method: str | None) -> None:
    """Raises Refusal when a payment method that is to be the default is not the customer's."""
    if payment_method is not None and payment_method not in state.payment_methods.attached:
        raise Refusal(
            f"The customer does not have a payment method with the ID {payment_method}. The payment method must be "
            "attached to the customer.",
            code="resource_missing",
            param="invoice_settings[default_payment_method]",
        )


CUSTOMER: Decider[Customer] = Decider(KIND, NOBODY, decide, evolve)
