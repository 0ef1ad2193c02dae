"""The customer object."""

from typing import TYPE_CHECKING, Literal

from service.http.schemas.schema import ABSENT, Address, Deleted, Shape

if TYPE_CHECKING:
    from service.http.schemas.cash_balance import CashBalance
    from service.http.schemas.discount import Discount
    from service.http.schemas.payment_method import PaymentMethod
    from service.http.schemas.schema import ListOf
    from service.http.schemas.source import BankAccount, Card, Source
    from service.http.schemas.subscription import Subscription
    from service.http.schemas.tax_id import TaxId
    from service.http.schemas.testclock import TestClock


class CustomField(Shape):
    """One line for every invoice."""

    name: str
    """What the line is about."""
    value: str
    """What it says."""


class RenderingOptions(Shape):
    """How invoices are rendered."""

    amount_tax_display: Literal["exclude_tax", "include_inclusive_tax"] | None
    """How line items show their prices and amounts with respect to tax."""
    template: str | None
    """Id of the template that invoices are rendered with."""


class InvoiceSettings(Shape):
    """Defaults for invoices."""

    custom_fields: list[CustomField] | None
    """Lines for every invoice."""
    default_payment_method: "str | PaymentMethod | None"
    """The payment method that invoices are charged to unless told otherwise; may be expanded."""
    footer: str | None
    """Text at the foot of every invoice."""
    rendering_options: RenderingOptions | None
    """How invoices are rendered."""


class Shipping(Shape):
    """Where, and to whom, things are sent."""

    address: Address
    """Where things are sent."""
    name: str
    """Who receives them."""
    phone: str | None
    """Telephone number of who receives them."""


class TaxLocation(Shape):
    """Where the customer is for tax."""

    country: str
    """Country, in two letters of ISO 3166-1."""
    source: Literal["billing_address", "ip_address", "payment_method", "shipping_destination"]
    """What tells where that is."""
    state: str | None
    """State, county, province or region."""


class CustomerTax(Shape):
    """What is known of the customer for tax."""

    automatic_tax: Literal["failed", "not_collecting", "supported", "unrecognized_location"]
    """Whether tax can be reckoned where the customer is."""
    ip_address: str | None
    """The IP address the customer comes from."""
    location: TaxLocation | None
    """Where the customer is for tax; null where that is not known."""
    provider: Literal["anrok", "avalara", "sphere", "stripe"]
    """Who reckons tax."""


class Customer(Shape):
    """Whoever buys: an attribute that was never set is null."""

    id: str
    """What the customer is called by."""
    object: Literal["customer"]
    """Says that this is a customer."""
    address: Address | None
    """Postal address."""
    balance: int
    """What the customer owes, in minor units of its currency: negative for credit."""
    business_name: str = ABSENT
    """Name of the customer's business; there when it was set."""
    cash_balance: "CashBalance | None" = ABSENT
    """The customer's cash; there when it was expanded."""
    created: int
    """When the customer was created, in Unix seconds."""
    currency: str | None
    """Currency that the customer is charged in; settled by the first balance transaction or subscription."""
    default_source: "str | Card | BankAccount | None"
    """The source that is charged unless told otherwise; may be expanded."""
    delinquent: bool
    """Whether an automatic payment of the customer's latest invoice failed."""
    description: str | None
    """Any text, shown beside the customer to those who look after customers."""
    discount: "Discount | None"
    """The discount that the customer has."""
    email: str | None
    """Where the customer is written to."""
    individual_name: str = ABSENT
    """Name of the customer in person; there when it was set."""
    invoice_credit_balance: dict[str, int] = ABSENT
    """What the customer has to its credit, by currency; there when it was expanded."""
    invoice_prefix: str | None
    """What the customer's invoice numbers begin with."""
    invoice_settings: InvoiceSettings
    """Defaults for invoices."""
    livemode: bool
    """Whether the customer is of live mode, or of test mode."""
    metadata: dict[str, str]
    """Keys and values of the caller's own."""
    name: str | None
    """Full name, or name of the business."""
    next_invoice_sequence: int
    """Number of the customer's next invoice."""
    phone: str | None
    """Telephone number."""
    preferred_locales: list[str]
    """Languages the customer reads, the dearest first."""
    shipping: Shipping | None
    """Where, and to whom, things are sent."""
    sources: "ListOf[Source]" = ABSENT
    """The customer's cards and bank accounts; there when they were expanded."""
    subscriptions: "ListOf[Subscription]" = ABSENT
    """The customer's subscriptions that are not canceled; there when they were expanded."""
    tax: CustomerTax = ABSENT
    """What is known of the customer for tax; there when it was expanded."""
    tax_exempt: Literal["exempt", "none", "reverse"]
    """Whether the customer is exempt from tax, or accounts for it instead of the seller."""
    tax_ids: "ListOf[TaxId]" = ABSENT
    """The customer's tax ids; there when they were expanded."""
    test_clock: "str | TestClock | None"
    """The test clock on whose time the customer lives; may be expanded."""


class DeletedCustomer(Deleted):
    """What is left to show of a deleted customer."""

    object: Literal["customer"]
    """Says that this was a customer."""
