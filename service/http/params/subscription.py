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
    Integer,
    Metadata,
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
    """How often a price is charged."""

    interval: Literal["day", "week", "month", "year"]
    """The unit of time between two charges."""
    interval_count: Annotated[Integer, Field(ge=1)] = 1
    """How many of them."""


class Price(Parameters):
    """What one unit of an item costs."""

    id: RequiredText
    """Id of the price."""
    created: Time = None
    """When the price was made, in Unix seconds."""
    nickname: ClearableText = None
    """What the price is called among ourselves."""
    product: ClearableText = None
    """Id of what is sold."""
    recurring: Recurring = Recurring(interval="month")
    """How often it is charged."""
    unit_amount: Annotated[Integer | None, Cleared] = None
    """The price of one unit, in minor units of the subscription's currency."""

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
    """One thing subscribed to."""

    id: RequiredText
    """Id of the item."""
    price: Annotated[Price, BeforeValidator(_price, json_schema_input_type=RequiredText | Price)]
    """What one unit of it costs; its id alone will do."""
    created: Time = None
    """When it was added, in Unix seconds."""
    quantity: Annotated[Integer, Field(ge=0)] = 1
    """How many units of it."""

    def value(self) -> subscription.Item:
        """As the events have it."""
        return subscription.Item(id=self.id, price=self.price.value(), created=self.created, quantity=self.quantity)


class Invoice(Parameters):
    """The latest invoice of a subscription."""

    id: RequiredText
    """Id of the invoice."""
    status: Literal["draft", "open", "paid", "uncollectible", "void"]
    """Where it stands."""
    auto_advance: Boolean = True
    """Whether its collection is automatic."""

    def value(self) -> subscription.Invoice:
        """As the events have it."""
        return subscription.Invoice(id=self.id, auto_advance=self.auto_advance, status=self.status)


class ReportSubscription(Parameters):
    """Parameters of `PUT /v1/rollbook/customers/{customer}/subscriptions/{subscription}`: all of how it stands now."""

    currency: Currency
    """What it is paid in: three letters of ISO 4217."""
    current_period_end: Integer
    """When the period that was invoiced last ends, in Unix seconds."""
    current_period_start: Integer
    """When that period began, in Unix seconds."""
    status: Status
    """Where the subscription stands."""
    billing_cycle_anchor: Time = None
    """When billing cycles begin, in Unix seconds; with the subscription unless given."""
    cancel_at: Time = None
    """When it will be canceled, in Unix seconds."""
    cancel_at_period_end: Boolean = False
    """Whether it will be canceled at the end of the period."""
    canceled_at: Time = None
    """When it was canceled, in Unix seconds; when that was first reported unless given."""
    collection_method: Literal["charge_automatically", "send_invoice"] = "charge_automatically"
    """How invoices are paid."""
    created: Time = None
    """When it was made, in Unix seconds; when it was first reported unless given."""
    days_until_due: Annotated[Annotated[Integer, Field(ge=0)] | None, Cleared] = None
    """How many days the customer has to pay an invoice that was sent."""
    default_payment_method: ClearableText = None
    """Id of the payment method it is charged to, when that is not the customer's own."""
    default_source: ClearableText = None
    """Id of the source it is charged to, when that is not the customer's own."""
    description: Annotated[str | None, Field(max_length=500), Cleared] = None
    """What the customer is told it is."""
    ended_at: Time = None
    """When it ended, in Unix seconds; when its cancellation was first reported unless given."""
    items: Annotated[tuple[Item, ...], Field(max_length=ITEMS_MAX), Array] = ()
    """What is subscribed to."""
    latest_invoice: Annotated[Invoice | None, Cleared] = None
    """The latest invoice, where there is one."""
    metadata: Metadata = None
    """Key-value pairs for your own use."""
    start_date: Time = None
    """When it first began, in Unix seconds; with its creation unless given."""
    trial_end: Time = None
    """When the trial ends, in Unix seconds."""
    trial_start: Time = None
    """When the trial began, in Unix seconds."""

    def attributes(self) -> Attributes:
        """What was said, as the events have it."""
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
    """Only those that stand so, `ended` for all that are over, `all` for every one; without it, all but canceled."""

    def facts(self) -> dict[str, object]:
        """What the subscriptions to list have in common."""
        match self.status:
            case None:
                return {"canceled": False}
            case "all":
                return {}
            case "ended":
                return {"ended": True}
            case _:
                return {"status": self.status}
