"""The customer's subscriptions, as a billing service reports them: Rollbook does not bill.

A report says how a subscription stands as a whole, so one that comes twice adds nothing. What follows from them for the
customer is its currency, whether it is delinquent, and which invoices are worth another try when it has a new way to
pay (API reference, update a customer: `source`).
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
ENDED = frozenset({CANCELED, "incomplete_expired"})  # never comes back from there by itself
OVERDUE = frozenset({"past_due", "unpaid"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What one unit of an item costs, and how often; amounts in minor units of the subscription's currency."""

    created: int | None = None
    id: str
    interval: str = "month"
    interval_count: int = 1
    nickname: str | None = None
    product: str | None = None
    unit_amount: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One thing subscribed to."""

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
    """How a subscription stands; what is absent has its default. Times are Unix seconds."""

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
        """Whether it is over."""
        return self.status in ENDED

    @property
    def canceled(self) -> bool:
        """Whether it was canceled."""
        return self.status == CANCELED


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscriptions:
    """Every subscription the customer has, by id, in the order in which they came; `currency` is the first one's.

    `overdue` is how many of them owe what is past due, and `paid` whether an invoice of any was ever reported as paid.
    """

    by_id: HistoryMap[Subscription] = field(default_factory=HistoryMap)
    currency: str | None = None
    overdue: int = 0
    paid: bool = False


NONE = Subscriptions()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportSubscription:
    """The subscription stands like this, at this time in Unix seconds."""

    id: str
    at: int
    attributes: Attributes


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveSubscription:
    """The subscription is no more, and is not shown any longer."""

    id: str
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRetries:
    """The customer has a new way to pay: ask for another try at what is past due."""

    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionReported:
    """The subscription stands like this."""

    at: int
    attributes: Attributes
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionRemoved:
    """The subscription was taken away."""

    at: int
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionCanceled:
    """The subscription ended with its customer."""

    at: int
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRetryRequested:
    """The billing service was asked to try this invoice again, outside its own schedule of retries."""

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
    """Say what `command` would make happen; nothing when all is so already.

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
    """What ends with the customer: every subscription that is not over yet is canceled."""
    return [SubscriptionCanceled(at=at, id=id) for id, one in state.by_id.items() if not one.ended]


def delinquent(state: Subscriptions) -> bool:
    """Whether an invoice that should have been paid is not: its charge failed, or its due date has passed."""
    return state.overdue > 0


def canceled_at(subscription: Subscription, at: int) -> Subscription:
    """The subscription as its cancellation leaves it; one that was over before keeps its times."""
    return replace(
        subscription,
        status=CANCELED,
        canceled_at=at if subscription.canceled_at is None else subscription.canceled_at,
        ended_at=at if subscription.ended_at is None else subscription.ended_at,
    )


def _overdue(state: Subscriptions, id: str, after: Subscription | None) -> int:
    """How many owe what is past due once this one stands like `after`, or is gone."""
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
    """What stands unless the report says otherwise: when the subscription was created, and when it was canceled."""
    if before is None:
        return {"created": command.at}
    unchanged: Attributes = {"created": before.created}
    if before.canceled and command.attributes.get("status") == CANCELED:
        unchanged |= cast(Attributes, {"canceled_at": before.canceled_at, "ended_at": before.ended_at})
    return unchanged


def _attributes(subscription: Subscription) -> Attributes:
    """What is not as it is by default."""
    blank = Subscription(id=subscription.id)
    values = {name: getattr(subscription, name) for name in Attributes.__annotations__}
    return cast(Attributes, {name: value for name, value in values.items() if value != getattr(blank, name)})


def _worth_a_try(state: Subscriptions) -> Sequence[tuple[Subscription, Invoice]]:
    """What is charged automatically and past due, with its latest invoice where that is open and collects itself."""
    return [
        (one, one.latest_invoice)
        for one in state.by_id.values()
        if one.collection_method == AUTOMATIC
        and one.status == "past_due"
        and one.latest_invoice is not None
        and one.latest_invoice.status == "open"
        and one.latest_invoice.auto_advance
    ]
