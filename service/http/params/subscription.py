"""Parameters of `/v1/customers/{customer}/subscriptions`, and of the reports of a billing service."""

from typing import Annotated, Any, Literal, cast

from pydantic import BeforeValidator, Field

from events.customer import subscription
from events.customer.subscription import Attributes
from service.http.params import Parameters
from service.http.params.fields import (
    Array,
    Boolean,
    ClearableText,
    Cleared,
    Currency,
    Expand,
    Id,
    Integer,
    Metadata,
    NotEmpty,
    RequiredText,
)
from service.http.params.listing import Listing

ITEMS_MAX = 20  # of a subscription (API reference, create a subscription)

Status = Literal[
    "active", "canceled", "incomplete", "incomplete_expired", "past_due", "paused", "trialing", "unpaid"
]  # fmt: skip
Listed = Literal[
    "active", "all", "canceled", "ended", "incomplete", "incomplete_expired", "past_due", "paused", "trialing", "unpaid"
]  # fmt: skip
Time = Annotated[Integer | None, Cleared]  # Unix seconds


def _price(given: Any) -> Any:
    return {"id": given} if isinstance(given, str) else given


class Recurring(Parameters):
    """Billing interval of a price."""

    interval: Literal["day", "week", "month", "year"]
    """Unit of the billing interval."""
    interval_count: Annotated[Integer, Field(ge=1)] = 1
    """Number of units of the billing interval."""


class Price(Parameters):
    """Price of one unit of an item."""

    id: Annotated[Id, NotEmpty]
    """Id of the price."""
    created: Time = None
    """Time of creation of the price, in Unix seconds."""
    nickname: ClearableText = None
    """Internal name of the price."""
    product: Annotated[Id | None, Cleared] = None
    """Id of the product."""
    recurring: Recurring = Recurring(interval="month")
    """Billing interval."""
    unit_amount: Annotated[Integer | None, Cleared] = None
    """Unit amount, in minor units of the currency of the subscription."""

    def value(self) -> subscription.Price:
        """As the events have it."""
        return subscription.Price(
            id=self.id,
            created=self.created,
            interval=self.recurring.interval,
            interval_count=self.recurring.interval_count,
            nickname=self.nickname,
            product=self.product,
            unit_amount=self.unit_amount,
        )


class Item(Parameters):
    """An item of a subscription."""

    id: Annotated[Id, NotEmpty]
    """Id of the item."""
    price: Annotated[Price, BeforeValidator(_price, json_schema_input_type=Annotated[Id, NotEmpty] | Price)]
    """Price of the item, as a hash or as its id."""
    created: Time = None
    """Time of creation, in Unix seconds."""
    quantity: Annotated[Integer, Field(ge=0)] = 1
    """Quantity of the item."""

    def value(self) -> subscription.Item:
        """As the events have it."""
        return subscription.Item(id=self.id, price=self.price.value(), created=self.created, quantity=self.quantity)


class Invoice(Parameters):
    """The latest invoice of a subscription."""

    id: RequiredText
    """Id of the invoice."""
    status: Literal["draft", "open", "paid", "uncollectible", "void"]
    """Status of the subscription."""
    auto_advance: Boolean = True
    """Whether it is collected automatically."""

    def value(self) -> subscription.Invoice:
        """As the events have it."""
        return subscription.Invoice(id=self.id, auto_advance=self.auto_advance, status=self.status)


class ReportSubscription(Parameters):
    """Parameters of `PUT /v1/rollbook/customers/{customer}/subscriptions/{subscription}`: its whole state."""

    currency: Currency
    """Currency of the subscription, in three letters of ISO 4217."""
    current_period_end: Integer
    """End of the current period, in Unix seconds."""
    current_period_start: Integer
    """Start of the current period, in Unix seconds."""
    status: Status
    """Status of the subscription."""
    billing_cycle_anchor: Time = None
    """Anchor of the billing cycles, in Unix seconds; the default is the start of the subscription."""
    cancel_at: Time = None
    """Scheduled time of cancellation, in Unix seconds."""
    cancel_at_period_end: Boolean = False
    """Whether it will be canceled at the end of the period."""
    canceled_at: Time = None
    """Time of cancellation, in Unix seconds; the default is the time of the first report of it."""
    collection_method: Literal["charge_automatically", "send_invoice"] = "charge_automatically"
    """Collection method of invoices."""
    created: Time = None
    """Time of creation, in Unix seconds; the default is the time of its first report."""
    days_until_due: Annotated[Annotated[Integer, Field(ge=0)] | None, Cleared] = None
    """Number of days until a sent invoice is due."""
    default_payment_method: ClearableText = None
    """Id of the default payment method; unset for the default of the customer."""
    default_source: ClearableText = None
    """Id of the default source; unset for the default of the customer."""
    description: Annotated[str | None, Field(max_length=500), Cleared] = None
    """Description for the customer."""
    ended_at: Time = None
    """End of the subscription, in Unix seconds; the default is the time of the first report of its cancellation."""
    items: Annotated[tuple[Item, ...], Field(max_length=ITEMS_MAX), Array] = ()
    """Items of the subscription."""
    latest_invoice: Annotated[Invoice | None, Cleared] = None
    """Latest invoice, if any."""
    metadata: Metadata = None
    """Key-value pairs for your own use."""
    start_date: Time = None
    """Start of the subscription, in Unix seconds; the default is its creation."""
    trial_end: Time = None
    """End of the trial, in Unix seconds."""
    trial_start: Time = None
    """Start of the trial, in Unix seconds."""

    def attributes(self) -> Attributes:
        """The reported attributes, as the domain takes them."""
        said: dict[str, Any] = {name: getattr(self, name) for name in self.model_fields_set}
        said["items"] = tuple(item.value() for item in self.items)
        said["latest_invoice"] = self.latest_invoice.value() if self.latest_invoice else None
        said["metadata"] = {key: text for key, text in sorted((self.metadata or {}).items()) if text != ""}
        return cast(Attributes, {name: value for name, value in said.items() if value is not None})


class RemoveSubscription(Parameters):
    """Parameters of `DELETE /v1/rollbook/customers/{customer}/subscriptions/{subscription}`."""


class RetrieveSubscription(Parameters):
    """Parameters of `GET /v1/customers/{customer}/subscriptions/{subscription}`."""

    expand: Expand = ()
    """Paths of the objects to expand in the response."""


class ListSubscriptions(Listing):
    """Parameters of `GET /v1/customers/{customer}/subscriptions`."""

    status: Listed | None = None
    """Filter by status; `ended` matches canceled and expired ones, `all` matches every one. The default is all but
    canceled."""

    def facts(self) -> dict[str, object]:
        """The facts to filter by."""
        match self.status:
            case None:
                return {"canceled": False}
            case "all":
                return {}
            case "ended":
                return {"ended": True}
            case _:
                return {"status": self.status}
