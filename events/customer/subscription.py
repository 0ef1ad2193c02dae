"""Subscriptions of a customer, as a billing service reports them: Rollbook does not bill.

A report is the whole state of a subscription, so a repeated report adds no event. Subscriptions determine the currency
of the customer, whether it is delinquent, and which invoices to retry when it has a new source (API reference, update a
customer: `source`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, assert_never, cast

from typing_extensions import TypedDict

from events.errors import Missing
from events.history_map import HistoryMap
from events.personal import PERSONAL

AUTOMATIC = "charge_automatically"
CANCELED = "canceled"
ENDED = frozenset({CANCELED, "incomplete_expired"})  # final statuses
OVERDUE = frozenset({"past_due", "unpaid"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """The price of one unit, and its billing interval; amounts in minor units of the currency of the subscription."""

    created: int | None = None
    id: str
    interval: str = "month"
    interval_count: int = 1
    nickname: str | None = None
    product: str | None = None
    unit_amount: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """An item of a subscription."""

    created: int | None = None
    id: str
    price: Price
    quantity: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoice:
    """The latest invoice; `auto_advance` says whether its collection is automatic."""

    auto_advance: bool
    id: str
    status: str


class Attributes(TypedDict, total=False):
    """Attributes of a subscription; absent ones have their defaults. Times are Unix seconds."""

    billing_cycle_anchor: int
    cancel_at: int
    cancel_at_period_end: bool
    canceled_at: int
    collection_method: str
    created: int
    currency: str
    current_period_end: int
    current_period_start: int
    days_until_due: int
    default_payment_method: str
    default_source: str
    description: Annotated[str, PERSONAL]
    ended_at: int
    items: tuple[Item, ...]
    latest_invoice: Invoice
    metadata: Annotated[dict[str, str], PERSONAL]
    start_date: int
    status: str
    trial_end: int
    trial_start: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A subscription as it was last reported."""

    id: str
    billing_cycle_anchor: int | None = None
    cancel_at: int | None = None
    cancel_at_period_end: bool = False
    canceled_at: int | None = None
    collection_method: str = AUTOMATIC
    created: int = 0
    currency: str = ""
    current_period_end: int = 0
    current_period_start: int = 0
    days_until_due: int | None = None
    default_payment_method: str | None = None
    default_source: str | None = None
    description: str | None = None
    ended_at: int | None = None
    items: tuple[Item, ...] = ()
    latest_invoice: Invoice | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    start_date: int | None = None
    status: str = ""
    trial_end: int | None = None
    trial_start: int | None = None

    @property
    def ended(self) -> bool:
        """Whether it has ended."""
        return self.status in ENDED

    @property
    def canceled(self) -> bool:
        """Whether it was canceled."""
        return self.status == CANCELED


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscriptions:
    """All subscriptions of the customer, by id, in the order of their first reports; `currency` is that of the first.

    `overdue` is the number of subscriptions with an overdue invoice, and `paid` whether any invoice was ever reported
    as paid.
    """

    by_id: HistoryMap[Subscription] = field(default_factory=HistoryMap)
    currency: str | None = None
    overdue: int = 0
    paid: bool = False


NONE = Subscriptions()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportSubscription:
    """Record the state of a subscription, reported at this time in Unix seconds."""

    id: str
    at: int
    attributes: Attributes


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveSubscription:
    """Remove a subscription: it is shown no longer."""

    id: str
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRetries:
    """Request retries of overdue invoices, because the customer has a new source."""

    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionReported:
    """The state of a subscription was reported."""

    at: int
    attributes: Attributes
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionRemoved:
    """The subscription was removed."""

    at: int
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionCanceled:
    """The subscription was canceled by the deletion of its customer."""

    at: int
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRetryRequested:
    """The billing service was asked to retry this invoice, outside of its own schedule."""

    at: int
    invoice: str
    subscription: str


Command = ReportSubscription | RemoveSubscription | RequestRetries
Event = SubscriptionReported | SubscriptionRemoved | SubscriptionCanceled | PaymentRetryRequested

EVENT_TYPES: dict[str, type] = {
    "customer.subscription_reported": SubscriptionReported,
    "customer.subscription_removed": SubscriptionRemoved,
    "customer.subscription_canceled": SubscriptionCanceled,
    "customer.payment_retry_requested": PaymentRetryRequested,
}


def decide(state: Subscriptions, command: Command) -> list[Event]:
    """Decide the events of `command`; no events if there is nothing to change.

    Raises Missing for the removal of what is not there.
    """
    match command:
        case ReportSubscription():
            return _report(state, command)
        case RemoveSubscription():
            if command.id not in state.by_id:
                raise Missing("subscription", command.id)
            return [SubscriptionRemoved(at=command.at, id=command.id)]
        case RequestRetries():
            return [
                PaymentRetryRequested(at=command.at, invoice=invoice.id, subscription=subscription.id)
                for subscription, invoice in _worth_a_try(state)
            ]
        case _:
            assert_never(command)


def evolve(state: Subscriptions, event: Event) -> Subscriptions:
    """Fold one event in."""
    match event:
        case SubscriptionReported():
            subscription = Subscription(id=event.id, **event.attributes)
            return Subscriptions(
                by_id=state.by_id.set(event.id, subscription),
                currency=state.currency or subscription.currency,
                overdue=_overdue(state, event.id, subscription),
                paid=state.paid or _is_paid(subscription),
            )
        case SubscriptionRemoved():
            return replace(state, by_id=state.by_id.without(event.id), overdue=_overdue(state, event.id, None))
        case SubscriptionCanceled():
            canceled = canceled_at(state.by_id[event.id], event.at)
            by_id = state.by_id.set(event.id, canceled)
            return replace(state, by_id=by_id, overdue=_overdue(state, event.id, canceled))
        case PaymentRetryRequested():
            return state
        case _:
            assert_never(event)


def end(state: Subscriptions, at: int) -> list[Event]:
    """The events of the deletion of a customer: each subscription that has not ended is canceled."""
    return [SubscriptionCanceled(at=at, id=id) for id, one in state.by_id.items() if not one.ended]


def delinquent(state: Subscriptions) -> bool:
    """Whether an invoice is overdue: its charge failed, or its due date has passed."""
    return state.overdue > 0


def canceled_at(subscription: Subscription, at: int) -> Subscription:
    """The subscription after its cancellation; one that had ended keeps its times."""
    return replace(
        subscription,
        status=CANCELED,
        canceled_at=at if subscription.canceled_at is None else subscription.canceled_at,
        ended_at=at if subscription.ended_at is None else subscription.ended_at,
    )


def _overdue(state: Subscriptions, id: str, after: Subscription | None) -> int:
    """The number of overdue subscriptions after this one has changed to `after`, or was removed."""
    before = state.by_id.get(id)
    owed, owes = (one is not None and _is_overdue(one) for one in (before, after))
    return state.overdue - owed + owes


def _is_overdue(subscription: Subscription) -> bool:
    invoice = subscription.latest_invoice
    return subscription.status in OVERDUE and (invoice is None or invoice.status in ("draft", "open"))


def _is_paid(subscription: Subscription) -> bool:
    return subscription.latest_invoice is not None and subscription.latest_invoice.status == "paid"


def _report(state: Subscriptions, command: ReportSubscription) -> list[Event]:
    before = state.by_id.get(command.id)
    reported: Attributes = {**_unchanged(before, command), **command.attributes}
    after = Subscription(id=command.id, **reported)
    if after.canceled:
        after = canceled_at(after, command.at)
    if after == before:
        return []
    return [SubscriptionReported(at=command.at, attributes=_attributes(after), id=command.id)]


def _unchanged(before: Subscription | None, command: ReportSubscription) -> Attributes:
    """The attributes that a report without them keeps: the times of creation and of cancellation."""
    if before is None:
        return {"created": command.at}
    unchanged: Attributes = {"created": before.created}
    if before.canceled and command.attributes.get("status") == CANCELED:
        unchanged |= cast(Attributes, {"canceled_at": before.canceled_at, "ended_at": before.ended_at})
    return unchanged


def _attributes(subscription: Subscription) -> Attributes:
    """The attributes that differ from their defaults."""
    blank = Subscription(id=subscription.id)
    values = {name: getattr(subscription, name) for name in Attributes.__annotations__}
    return cast(Attributes, {name: value for name, value in values.items() if value != getattr(blank, name)})


def _worth_a_try(state: Subscriptions) -> Sequence[tuple[Subscription, Invoice]]:
    """The overdue subscriptions whose latest invoice is open and collected automatically."""
    return [
        (one, one.latest_invoice)
        for one in state.by_id.values()
        if one.collection_method == AUTOMATIC
        and one.status == "past_due"
        and one.latest_invoice is not None
        and one.latest_invoice.status == "open"
        and one.latest_invoice.auto_advance
    ]
