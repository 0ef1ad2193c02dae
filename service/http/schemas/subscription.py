"""The subscription object, as far as a billing service reports it."""

from typing import TYPE_CHECKING, Any, Literal

from service.http.schemas.schema import Deleted, ListOf, Shape

if TYPE_CHECKING:
    from service.http.schemas.customer import Customer, DeletedCustomer
    from service.http.schemas.payment_method import PaymentMethod
    from service.http.schemas.source import BankAccount, Card
    from service.http.schemas.testclock import TestClock

Interval = Literal["day", "month", "week", "year"]


class AutomaticTax(Shape):
    """Settings of automatic tax."""

    disabled_reason: None
    """Always null: it is never disabled."""
    enabled: Literal[False]
    """It is not."""
    liability: None
    """Always null: no account is liable."""


class BillingMode(Shape):
    """Billing mode."""

    flexible: None
    """Always null: only for another collection mode."""
    type: Literal["classic"]
    """The mode."""


class CancellationDetails(Shape):
    """Why it was canceled; not reported here."""

    comment: None
    """Comment of the customer."""
    feedback: None
    """Reason that the customer chose."""
    feedback_option: None
    """Feedback option that the customer chose."""
    reason: None
    """Why it ended."""


class Issuer(Shape):
    """Who issues invoices."""

    type: Literal["self"]
    """The account itself."""


class SubscriptionInvoiceSettings(Shape):
    """Settings of its invoices."""

    account_tax_ids: None
    """Tax ids of the account on the invoices."""
    custom_fields: None
    """Custom fields."""
    description: None
    """Description on the invoices."""
    footer: None
    """Footer."""
    issuer: Issuer
    """Who issues them."""


class PaymentSettings(Shape):
    """Payment settings of its invoices."""

    payment_method_options: None
    """Options by payment method type."""
    payment_method_types: None
    """Payment method types."""
    save_default_payment_method: Literal["off"]
    """Whether the payment method of a paid invoice becomes the default."""


class Recurring(Shape):
    """How often a price is charged."""

    interval: Interval
    """Unit of the billing interval."""
    interval_count: int
    """Number of units of the billing interval."""
    meter: None
    """Always null: there is no metered usage."""
    trial_period_days: None
    """Always null: trials belong to the subscription."""
    usage_type: Literal["licensed"]
    """How the quantity is determined."""


class Price(Shape):
    """What one unit of an item costs."""

    id: str
    """Unique identifier of the price."""
    object: Literal["price"]
    """Type of the object: a price."""
    active: bool
    """Whether it can be used for new subscriptions."""
    billing_scheme: Literal["per_unit"]
    """How the price is computed."""
    created: int
    """Time of creation, in Unix seconds."""
    currency: str
    """Currency of the amount."""
    custom_unit_amount: None
    """Always null: customers do not choose the amount."""
    livemode: bool
    """Whether the object exists in live mode (true) or in test mode (false)."""
    lookup_key: None
    """Always null: prices have no lookup keys."""
    metadata: dict[str, str]
    """Key-value pairs; always empty."""
    nickname: str | None
    """Internal name."""
    product: str | None
    """Id of the product."""
    recurring: Recurring
    """Billing interval."""
    tax_behavior: Literal["unspecified"]
    """Whether tax is included."""
    tiers_mode: None
    """Always null: there are no tiers."""
    transform_quantity: None
    """Always null: quantities are not transformed."""
    type: Literal["recurring"]
    """Always `recurring`."""
    unit_amount: int | None
    """Unit amount, in minor units."""
    unit_amount_decimal: str | None
    """Unit amount as a decimal string."""


class Plan(Shape):
    """The same as a price, as it was called before there were prices."""

    id: str
    """Unique identifier of the price."""
    object: Literal["plan"]
    """Type of the object: a plan."""
    active: bool
    """Whether it can be used for new subscriptions."""
    amount: int | None
    """Unit amount, in minor units."""
    amount_decimal: str | None
    """Unit amount as a decimal string."""
    billing_scheme: Literal["per_unit"]
    """How the price is computed."""
    created: int
    """Time of creation, in Unix seconds."""
    currency: str
    """Currency of the amount."""
    interval: Interval
    """Unit of the billing interval."""
    interval_count: int
    """Number of units of the billing interval."""
    livemode: bool
    """Whether the object exists in live mode (true) or in test mode (false)."""
    metadata: dict[str, str]
    """Key-value pairs; always empty."""
    meter: None
    """Always null: there is no metered usage."""
    nickname: str | None
    """Internal name."""
    product: str | None
    """Id of the product."""
    tiers_mode: None
    """Always null: there are no tiers."""
    transform_usage: None
    """Always null: quantities are not transformed."""
    trial_period_days: None
    """Always null: trials belong to the subscription."""
    usage_type: Literal["licensed"]
    """How the quantity is determined."""


class SubscriptionItem(Shape):
    """One thing subscribed to."""

    id: str
    """Unique identifier of the item."""
    object: Literal["subscription_item"]
    """Type of the object: an item of a subscription."""
    billing_thresholds: None
    """Always null: there are no billing thresholds."""
    created: int
    """Time of creation, in Unix seconds."""
    current_period_end: int
    """End of the current period, in Unix seconds."""
    current_period_start: int
    """Start of the current period, in Unix seconds."""
    current_trial: None
    """Always null: trials belong to the subscription."""
    discounts: list[Any]
    """Discounts of the item; always empty."""
    metadata: dict[str, str]
    """Key-value pairs; always empty."""
    plan: Plan
    """The price in its older form."""
    price: Price
    """Price of the item."""
    quantity: int
    """How many units."""
    subscription: str
    """Id of the subscription."""
    tax_rates: list[Any]
    """Tax rates of the item; always empty."""


class Subscription(Shape):
    """What a customer pays for again and again, as a billing service reports it."""

    id: str
    """Unique identifier of the subscription."""
    object: Literal["subscription"]
    """Type of the object: a subscription."""
    application: None
    """Always null: no Connect application created it."""
    application_fee_percent: None
    """Always null: there are no connected accounts."""
    automatic_tax: AutomaticTax
    """Settings of automatic tax."""
    billing_cycle_anchor: int
    """Anchor of the billing cycles, in Unix seconds."""
    billing_cycle_anchor_config: None
    """Always null: billing cycles follow the anchor."""
    billing_mode: BillingMode
    """Billing mode."""
    billing_schedules: list[Any]
    """Billing schedules; always empty."""
    billing_thresholds: None
    """Always null: there are no billing thresholds."""
    cancel_at: int | None
    """Scheduled time of cancellation, in Unix seconds."""
    cancel_at_period_end: bool
    """Whether it will be canceled at the end of the period."""
    canceled_at: int | None
    """Time of cancellation, in Unix seconds."""
    cancellation_details: CancellationDetails
    """Details of the cancellation."""
    collection_method: Literal["charge_automatically", "send_invoice"]
    """Collection method of invoices."""
    created: int
    """Time of creation, in Unix seconds."""
    currency: str
    """Currency of the subscription."""
    customer: "str | Customer | DeletedCustomer"
    """Customer that owns it. Expandable."""
    customer_account: None
    """Always null: no account represents a customer."""
    days_until_due: int | None
    """Number of days until a sent invoice is due."""
    default_payment_method: "str | PaymentMethod | None"
    """Default payment method; null for the default of the customer. Expandable."""
    default_source: "str | Card | BankAccount | None"
    """Default source; null for the default of the customer. Expandable."""
    default_tax_rates: list[Any]
    """Default tax rates; always empty."""
    description: str | None
    """Description for the customer."""
    discounts: list[Any]
    """Discounts of the subscription; always empty."""
    ended_at: int | None
    """Time of the end of the attempt, in Unix seconds."""
    invoice_settings: SubscriptionInvoiceSettings
    """Settings of its invoices."""
    items: ListOf[SubscriptionItem]
    """Items of the subscription."""
    latest_invoice: str | None
    """Id of its latest invoice."""
    livemode: bool
    """Whether the object exists in live mode (true) or in test mode (false)."""
    managed_payments: None
    """Always null: the account itself is the seller."""
    metadata: dict[str, str]
    """Key-value pairs for your own use."""
    next_pending_invoice_item_invoice: None
    """Not reported."""
    on_behalf_of: None
    """Always null: there are no connected accounts."""
    pause_collection: None
    """Not reported."""
    payment_settings: PaymentSettings
    """Payment settings of its invoices."""
    pending_invoice_item_interval: None
    """Not reported."""
    pending_setup_intent: None
    """Not reported."""
    pending_update: None
    """Not reported."""
    schedule: None
    """Not reported."""
    start_date: int
    """Start of the subscription, in Unix seconds."""
    status: Literal[
        "active", "canceled", "incomplete", "incomplete_expired", "past_due", "paused", "trialing", "unpaid"
    ]
    """Where it stands."""
    test_clock: "str | TestClock | None"
    """Test clock of its customer. Expandable."""
    transfer_data: None
    """Always null: there are no connected accounts."""
    trial_end: int | None
    """End of the trial, in Unix seconds."""
    trial_settings: None
    """Settings of the trial."""
    trial_start: int | None
    """Start of the trial, in Unix seconds."""


class DeletedSubscription(Deleted):
    """What is left to show of a subscription that was removed."""

    object: Literal["subscription"]
    """Type of the object: a subscription."""
