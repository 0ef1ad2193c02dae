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
    """Always false: automatic tax is not calculated."""
    liability: None
    """Always null: no account is liable."""


class BillingMode(Shape):
    """Billing mode."""

    flexible: None
    """Always null: only the billing mode `flexible` has it."""
    type: Literal["classic"]
    """Type of the billing mode."""


class CancellationDetails(Shape):
    """Details of the cancellation; not reported, so each is null."""

    comment: None
    """Comment of the customer."""
    feedback: None
    """Reason that the customer chose."""
    feedback_option: None
    """Feedback option that the customer chose."""
    reason: None
    """Reason of the cancellation."""


class Issuer(Shape):
    """Issuer of the invoices."""

    type: Literal["self"]
    """Type of the issuer: the account itself."""


class SubscriptionInvoiceSettings(Shape):
    """Invoice settings of the subscription."""

    account_tax_ids: None
    """Tax ids of the account on the invoices."""
    custom_fields: None
    """Custom fields."""
    description: None
    """Description on the invoices."""
    footer: None
    """Footer."""
    issuer: Issuer
    """Issuer of the invoices."""


class PaymentSettings(Shape):
    """Payment settings of the subscription."""

    payment_method_options: None
    """Options by payment method type."""
    payment_method_types: None
    """Payment method types."""
    save_default_payment_method: Literal["off"]
    """Whether the payment method of a paid invoice becomes the default."""


class Recurring(Shape):
    """Billing interval of a price."""

    interval: Interval
    """Unit of the billing interval."""
    interval_count: int
    """Number of units of the billing interval."""
    meter: None
    """Always null: there is no metered usage."""
    trial_period_days: None
    """Always null: trials belong to the subscription."""
    usage_type: Literal["licensed"]
    """Usage type: the quantity is set, not metered."""


class Price(Shape):
    """Price of one unit of an item."""

    id: str
    """Unique identifier of the price."""
    object: Literal["price"]
    """Type of the object: a price."""
    active: bool
    """Whether it can be used for new subscriptions."""
    billing_scheme: Literal["per_unit"]
    """Billing scheme: the unit amount times the quantity."""
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
    """A price, in the older form that is called a plan."""

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
    """Billing scheme: the unit amount times the quantity."""
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
    """Usage type: the quantity is set, not metered."""


class SubscriptionItem(Shape):
    """An item of a subscription."""

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
    """Price of the item, in the older form that is called a plan."""
    price: Price
    """Price of the item."""
    quantity: int
    """Quantity of the item."""
    subscription: str
    """Id of the subscription."""
    tax_rates: list[Any]
    """Tax rates of the item; always empty."""


class Subscription(Shape):
    """A subscription of a customer, as a billing service reports it."""

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
    """Time of the end of the subscription, in Unix seconds."""
    invoice_settings: SubscriptionInvoiceSettings
    """Invoice settings of the subscription."""
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
    """Always null: not reported by the billing service."""
    on_behalf_of: None
    """Always null: there are no connected accounts."""
    pause_collection: None
    """Always null: not reported by the billing service."""
    payment_settings: PaymentSettings
    """Payment settings of the subscription."""
    pending_invoice_item_interval: None
    """Always null: not reported by the billing service."""
    pending_setup_intent: None
    """Always null: not reported by the billing service."""
    pending_update: None
    """Always null: not reported by the billing service."""
    schedule: None
    """Always null: not reported by the billing service."""
    start_date: int
    """Start of the subscription, in Unix seconds."""
    status: Literal[
        "active", "canceled", "incomplete", "incomplete_expired", "past_due", "paused", "trialing", "unpaid"
    ]
    """Status of the subscription."""
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
    """A deleted subscription."""

    object: Literal["subscription"]
    """Type of the object: a subscription."""
