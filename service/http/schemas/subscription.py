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
    """Whether tax is reckoned by itself."""

    disabled_reason: None
    """Why it was disabled; never."""
    enabled: Literal[False]
    """It is not."""
    liability: None
    """Whose tax it is; nobody's."""


class BillingMode(Shape):
    """How billing is reckoned."""

    flexible: None
    """Only of another mode."""
    type: Literal["classic"]
    """The mode."""


class CancellationDetails(Shape):
    """Why it was canceled; not reported here."""

    comment: None
    """What the customer said."""
    feedback: None
    """What the customer chose."""
    feedback_option: None
    """What the customer chose of the account's own choices."""
    reason: None
    """Why it ended."""


class Issuer(Shape):
    """Who issues invoices."""

    type: Literal["self"]
    """The account itself."""


class SubscriptionInvoiceSettings(Shape):
    """What its invoices are like."""

    account_tax_ids: None
    """Tax ids of the account that they show."""
    custom_fields: None
    """Lines of their own."""
    description: None
    """What they say they are for."""
    footer: None
    """Text at their foot."""
    issuer: Issuer
    """Who issues them."""


class PaymentSettings(Shape):
    """How its invoices are paid."""

    payment_method_options: None
    """Options by type of payment method."""
    payment_method_types: None
    """Which types of payment methods they are paid with."""
    save_default_payment_method: Literal["off"]
    """Whether what they were paid with becomes the default."""


class Recurring(Shape):
    """How often a price is charged."""

    interval: Interval
    """The unit of time between two charges."""
    interval_count: int
    """How many of them."""
    meter: None
    """Nothing is metered here."""
    trial_period_days: None
    """Trials are the subscription's."""
    usage_type: Literal["licensed"]
    """What quantity is charged."""


class Price(Shape):
    """What one unit of an item costs."""

    id: str
    """Unique identifier of the price."""
    object: Literal["price"]
    """Type of the object: a price."""
    active: bool
    """Whether it can be subscribed to."""
    billing_scheme: Literal["per_unit"]
    """How it is reckoned."""
    created: int
    """When it was made, in Unix seconds."""
    currency: str
    """Currency of the amount."""
    custom_unit_amount: None
    """Nobody chooses what to pay."""
    livemode: bool
    """Whether the object exists in live mode (true) or in test mode (false)."""
    lookup_key: None
    """It is found by its id."""
    metadata: dict[str, str]
    """Keys and values; none are reported."""
    nickname: str | None
    """What it is called among ourselves."""
    product: str | None
    """Id of what is sold."""
    recurring: Recurring
    """How often it is charged."""
    tax_behavior: Literal["unspecified"]
    """Whether tax is included."""
    tiers_mode: None
    """It has no tiers."""
    transform_quantity: None
    """Quantities are charged as they are."""
    type: Literal["recurring"]
    """It is charged again and again."""
    unit_amount: int | None
    """The price of one unit, in minor units."""
    unit_amount_decimal: str | None
    """The same as a decimal."""


class Plan(Shape):
    """The same as a price, as it was called before there were prices."""

    id: str
    """Unique identifier of the price."""
    object: Literal["plan"]
    """Type of the object: a plan."""
    active: bool
    """Whether it can be subscribed to."""
    amount: int | None
    """The price of one unit, in minor units."""
    amount_decimal: str | None
    """The same as a decimal."""
    billing_scheme: Literal["per_unit"]
    """How it is reckoned."""
    created: int
    """When it was made, in Unix seconds."""
    currency: str
    """Currency of the amount."""
    interval: Interval
    """The unit of time between two charges."""
    interval_count: int
    """How many of them."""
    livemode: bool
    """Whether the object exists in live mode (true) or in test mode (false)."""
    metadata: dict[str, str]
    """Keys and values; none are reported."""
    meter: None
    """Nothing is metered here."""
    nickname: str | None
    """What it is called among ourselves."""
    product: str | None
    """Id of what is sold."""
    tiers_mode: None
    """It has no tiers."""
    transform_usage: None
    """Quantities are charged as they are."""
    trial_period_days: None
    """Trials are the subscription's."""
    usage_type: Literal["licensed"]
    """What quantity is charged."""


class SubscriptionItem(Shape):
    """One thing subscribed to."""

    id: str
    """Unique identifier of the item."""
    object: Literal["subscription_item"]
    """Type of the object: an item of a subscription."""
    billing_thresholds: None
    """No amount brings an invoice about."""
    created: int
    """When it was added, in Unix seconds."""
    current_period_end: int
    """When the period that was invoiced last ends, in Unix seconds."""
    current_period_start: int
    """When that period began, in Unix seconds."""
    current_trial: None
    """Trials are the subscription's."""
    discounts: list[Any]
    """Discounts of the item; none are reported."""
    metadata: dict[str, str]
    """Keys and values; none are reported."""
    plan: Plan
    """The price, as it was called before."""
    price: Price
    """What one unit costs."""
    quantity: int
    """How many units."""
    subscription: str
    """Id of the subscription."""
    tax_rates: list[Any]
    """Tax rates of the item; none are reported."""


class Subscription(Shape):
    """What a customer pays for again and again, as a billing service reports it."""

    id: str
    """Unique identifier of the subscription."""
    object: Literal["subscription"]
    """Type of the object: a subscription."""
    application: None
    """It was made by the account itself."""
    application_fee_percent: None
    """There are no connected accounts here."""
    automatic_tax: AutomaticTax
    """Whether tax is reckoned by itself."""
    billing_cycle_anchor: int
    """When billing cycles begin, in Unix seconds."""
    billing_cycle_anchor_config: None
    """Cycles begin as the anchor says."""
    billing_mode: BillingMode
    """How billing is reckoned."""
    billing_schedules: list[Any]
    """Schedules of billing; none are reported."""
    billing_thresholds: None
    """No amount brings an invoice about."""
    cancel_at: int | None
    """When it will be canceled, in Unix seconds."""
    cancel_at_period_end: bool
    """Whether it will be canceled at the end of the period."""
    canceled_at: int | None
    """When it was canceled, in Unix seconds."""
    cancellation_details: CancellationDetails
    """Why it was canceled."""
    collection_method: Literal["charge_automatically", "send_invoice"]
    """How invoices are paid."""
    created: int
    """When it was made, in Unix seconds."""
    currency: str
    """What it is paid in."""
    customer: "str | Customer | DeletedCustomer"
    """Customer that owns it. Expandable."""
    customer_account: None
    """No account represents a customer here."""
    days_until_due: int | None
    """How many days the customer has to pay an invoice that was sent."""
    default_payment_method: "str | PaymentMethod | None"
    """The payment method it is charged to, when that is not the customer's own. Expandable."""
    default_source: "str | Card | BankAccount | None"
    """The source it is charged to, when that is not the customer's own. Expandable."""
    default_tax_rates: list[Any]
    """Tax rates of its items; none are reported."""
    description: str | None
    """What the customer is told it is."""
    discounts: list[Any]
    """Discounts of its own; none are reported."""
    ended_at: int | None
    """Time of the end of the attempt, in Unix seconds."""
    invoice_settings: SubscriptionInvoiceSettings
    """What its invoices are like."""
    items: ListOf[SubscriptionItem]
    """What is subscribed to."""
    latest_invoice: str | None
    """Id of its latest invoice."""
    livemode: bool
    """Whether the object exists in live mode (true) or in test mode (false)."""
    managed_payments: None
    """Nobody else sells in the account's place."""
    metadata: dict[str, str]
    """Key-value pairs for your own use."""
    next_pending_invoice_item_invoice: None
    """Not reported."""
    on_behalf_of: None
    """There are no connected accounts here."""
    pause_collection: None
    """Not reported."""
    payment_settings: PaymentSettings
    """How its invoices are paid."""
    pending_invoice_item_interval: None
    """Not reported."""
    pending_setup_intent: None
    """Not reported."""
    pending_update: None
    """Not reported."""
    schedule: None
    """Not reported."""
    start_date: int
    """When it first began, in Unix seconds."""
    status: Literal[
        "active", "canceled", "incomplete", "incomplete_expired", "past_due", "paused", "trialing", "unpaid"
    ]
    """Where it stands."""
    test_clock: "str | TestClock | None"
    """The test clock on whose time its customer lives. Expandable."""
    transfer_data: None
    """There are no connected accounts here."""
    trial_end: int | None
    """When the trial ends, in Unix seconds."""
    trial_settings: None
    """What its trial is like."""
    trial_start: int | None
    """When the trial began, in Unix seconds."""


class DeletedSubscription(Deleted):
    """What is left to show of a subscription that was removed."""

    object: Literal["subscription"]
    """Type of the object: a subscription."""
