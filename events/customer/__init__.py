"""A customer: the aggregate with all its facets; its stream is `customer-cus_…`. Pure functions.

A facet sees only its own state. Rules across facets are here: the currency of a customer, which payment method can be
its default, and what is deleted with it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict, Unpack, assert_never

from events.customer import (
    balance,
    cash_balance,
    discount,
    erasure,
    payment_methods,
    profile,
    source,
    subscription,
    tax,
    tax_id,
    testclock,
)
from events.customer.balance import Balance
from events.customer.cash_balance import CashBalance
from events.customer.discount import Discounts
from events.customer.erasure import EraseCustomer, Erasure
from events.customer.payment_methods import PaymentMethods
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
    """Create a customer; `created` is Unix seconds, `invoice_prefix` is used unless the patch has one."""

    id: str
    created: int
    invoice_prefix: str
    patch: ProfilePatch


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateCustomer:
    """Update attributes."""

    id: str
    patch: ProfilePatch


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteCustomer:
    """Delete the customer, at this time in Unix seconds; `with_clock` if its test clock is deleted too."""

    id: str
    at: int = 0
    with_clock: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerCreated:
    """The customer was created with these attributes; others have their defaults."""

    attributes: Attributes
    created: int
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerUpdated:
    """These attributes changed, each to its new value as a whole."""

    attributes: Attributes


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerDeleted:
    """The customer was deleted."""

    id: str


FacetCommand = (
    balance.Command
    | cash_balance.Command
    | source.Command
    | payment_methods.Command
    | discount.Command
    | tax_id.Command
    | tax.Command
    | subscription.Command
    | testclock.Command
)
Command = CreateCustomer | UpdateCustomer | DeleteCustomer | erasure.Command | FacetCommand
Event = (
    CustomerCreated
    | CustomerUpdated
    | CustomerDeleted
    | balance.Event
    | cash_balance.Event
    | source.Event
    | payment_methods.Event
    | discount.Event
    | erasure.Event
    | tax_id.Event
    | tax.Event
    | subscription.Event
    | testclock.Event
)
EVENT_TYPES: dict[str, type] = {
    "customer.created": CustomerCreated,
    "customer.updated": CustomerUpdated,
    "customer.deleted": CustomerDeleted,
    **balance.EVENT_TYPES,
    **cash_balance.EVENT_TYPES,
    **source.EVENT_TYPES,
    **payment_methods.EVENT_TYPES,
    **discount.EVENT_TYPES,
    **erasure.EVENT_TYPES,
    **tax_id.EVENT_TYPES,
    **tax.EVENT_TYPES,
    **subscription.EVENT_TYPES,
    **testclock.EVENT_TYPES,
}


@dataclass(frozen=True, kw_only=True)  # without slots: it is copied for every event, and a dictionary the fastest
class Customer:
    """State of a customer; `id` is empty before its first event."""

    id: str = ""
    balance: Balance = balance.NONE
    cash_balance: CashBalance = cash_balance.NONE
    created: int = 0
    currency: str | None = None
    deleted: bool = False
    discounts: Discounts = discount.NONE
    erasure: Erasure = erasure.NONE
    payment_methods: PaymentMethods = payment_methods.NONE
    profile: Profile = profile.BLANK
    sources: Sources = source.NONE
    subscriptions: Subscriptions = subscription.NONE
    tax: Tax = tax.NONE
    tax_ids: TaxIds = tax_id.NONE
    test_clock: str | None = None

    @property
    def exists(self) -> bool:
        """Whether it was created and is not deleted."""
        return bool(self.id) and not self.deleted


NOBODY = Customer()


def stream(id: str) -> str:
    """The name of a customer's stream."""
    return f"{KIND}-{id}"


def decide(state: Customer, command: Command) -> Sequence[Event]:
    """Decide the events of `command`; no events if there is nothing to change.

    Raises Missing if the customer does not exist or is deleted, Refusal when a rule forbids the change.
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
            return [*_end(state, command.at), CustomerDeleted(id=command.id)]
        case erasure.PlaceHold() | erasure.ReleaseHold():
            return erasure.decide(state.erasure, command, running=0)
        case EraseCustomer():
            return _erase(state, command)
        case _:
            must_exist(state, state.id)
            return _decide_facet(state, command)


def _decide_facet(state: Customer, command: FacetCommand) -> Sequence[Event]:
    match command:
        case balance.AdjustBalance() | balance.SetBalance() | balance.EditTransaction():
            return balance.decide(state.balance, command)
        case cash_balance.SetReconciliation() | cash_balance.FundCashBalance() | cash_balance.OpenVirtualAccount():
            return cash_balance.decide(state.cash_balance, command)
        case (
            source.AttachSource()
            | source.EditSource()
            | source.RemoveSource()
            | source.SetDefaultSource()
            | source.VerifyBankAccount()
            | source.NoteExpiry()
        ):
            return source.decide(state.sources, command)
        case payment_methods.AttachPaymentMethod():
            return payment_methods.decide(state.payment_methods, command)
        case payment_methods.DetachPaymentMethod():
            detached = payment_methods.decide(state.payment_methods, command)
            if command.id != state.profile.default_payment_method:
                return detached
            return [*detached, CustomerUpdated(attributes={"default_payment_method": None})]
        case discount.GiveDiscount() | discount.RemoveDiscount() | discount.EndDiscount():
            return discount.decide(state.discounts, command)
        case tax_id.AddTaxId() | tax_id.VerifyTaxId() | tax_id.RemoveTaxId():
            return tax_id.decide(state.tax_ids, command)
        case tax.SetTax():
            return tax.decide(state.tax, command)
        case subscription.ReportSubscription() | subscription.RemoveSubscription() | subscription.RequestRetries():
            return subscription.decide(state.subscriptions, command)
        case testclock.JoinClock():
            return testclock.decide(state.test_clock, command)
        case _:
            assert_never(command)


def _erase(state: Customer, command: EraseCustomer) -> Sequence[Event]:
    """The events that erase a customer, deleted or not, and with or without a cash balance."""
    if not state.id:
        raise Missing(KIND, command.id)
    running = 0 if state.deleted else sum(not one.ended for one in state.subscriptions.by_id.values())
    erased = erasure.decide(state.erasure, command, running=running)
    if not erased or state.deleted:
        return erased
    return [*_end(state, command.at), CustomerDeleted(id=state.id), *erased]


def _end(state: Customer, at: int) -> Sequence[Event]:
    """The events of the deletion of everything that the customer has."""
    return [
        *source.end(state.sources, at),
        *payment_methods.end(state.payment_methods, at),
        *discount.end(state.discounts, at),
        *tax_id.end(state.tax_ids, at),
        *tax.end(state.tax, at),
        *subscription.end(state.subscriptions, at),
    ]


def evolve(state: Customer, event: Event) -> Customer:
    """Fold one event in."""
    match event:
        case balance.BalanceAdjusted():  # first, since there may be thousands of them; it sets the currency
            currency = state.currency or event.currency
            return _with(state, balance=balance.evolve(state.balance, event), currency=currency)
        case balance.BalanceTransactionEdited():
            return _with(state, balance=balance.evolve(state.balance, event))
        case CustomerCreated():
            began = profile.apply(profile.BLANK, event.attributes)
            return _with(NOBODY, id=event.id, created=event.created, profile=began)
        case CustomerUpdated():
            return _with(state, profile=profile.apply(state.profile, event.attributes))
        case CustomerDeleted():
            return _with(state, deleted=True)
        case cash_balance.ReconciliationSet() | cash_balance.CashBalanceFunded() | cash_balance.VirtualAccountOpened():
            return _with(state, cash_balance=cash_balance.evolve(state.cash_balance, event))
        case (
            source.CardAttached()
            | source.BankAccountAttached()
            | source.SourceEdited()
            | source.SourceRemoved()
            | source.DefaultSourceSet()
            | source.BankAccountVerified()
            | source.BankAccountVerificationFailed()
            | source.CardExpiring()
        ):
            return _with(state, sources=source.evolve(state.sources, event))
        case payment_methods.PaymentMethodAttached() | payment_methods.PaymentMethodDetached():
            return _with(state, payment_methods=payment_methods.evolve(state.payment_methods, event))
        case erasure.HoldPlaced() | erasure.HoldReleased() | erasure.CustomerErased():
            return _with(state, erasure=erasure.evolve(state.erasure, event))
        case discount.DiscountGiven() | discount.DiscountRemoved() | discount.DiscountEnded():
            return _with(state, discounts=discount.evolve(state.discounts, event))
        case tax_id.TaxIdAdded() | tax_id.TaxIdVerified() | tax_id.TaxIdRemoved():
            return _with(state, tax_ids=tax_id.evolve(state.tax_ids, event))
        case tax.TaxSet():
            return _with(state, tax=tax.evolve(state.tax, event))
        case (
            subscription.SubscriptionReported()
            | subscription.SubscriptionRemoved()
            | subscription.SubscriptionCanceled()
            | subscription.PaymentRetryRequested()
        ):
            subscriptions = subscription.evolve(state.subscriptions, event)
            return _with(state, subscriptions=subscriptions, currency=state.currency or subscriptions.currency)
        case testclock.ClockJoined():
            return _with(state, test_clock=testclock.evolve(state.test_clock, event))
        case _:
            assert_never(event)


class _Changes(TypedDict, total=False):
    """Fields of the customer that an event can change."""

    id: str
    balance: Balance
    cash_balance: CashBalance
    created: int
    currency: str | None
    deleted: bool
    discounts: Discounts
    erasure: Erasure
    payment_methods: PaymentMethods
    profile: Profile
    sources: Sources
    subscriptions: Subscriptions
    tax: Tax
    tax_ids: TaxIds
    test_clock: str | None


def _with(state: Customer, **changes: Unpack[_Changes]) -> Customer:
    """The customer with these changes: like `replace`, ten times as fast."""
    after = object.__new__(Customer)
    object.__setattr__(after, "__dict__", {**state.__dict__, **changes})
    return after


def must_exist(state: Customer, id: str) -> None:
    """Raises Missing if the customer does not exist or is deleted."""
    if not state.exists:
        raise Missing(KIND, id)


def _must_be_attached(state: Customer, payment_method: str | None) -> None:
    """Raises Refusal if a payment method that should become the default is not attached to the customer."""
    if payment_method is not None and payment_method not in state.payment_methods.attached:
        raise Refusal(
            f"The customer does not have a payment method with the ID {payment_method}. The payment method must be "
            "attached to the customer.",
            code="resource_missing",
            param="invoice_settings[default_payment_method]",
        )


CUSTOMER: Decider[Customer, Command, Event] = Decider(KIND, NOBODY, decide, evolve, erasable=True)
