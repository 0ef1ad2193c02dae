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
    """A custom field of invoices."""

    name: str
    """Name of the custom field."""
    value: str
    """Value of the custom field."""


class RenderingOptions(Shape):
    """How invoices are rendered."""

    amount_tax_display: Literal["exclude_tax", "include_inclusive_tax"] | None
    """Whether the amounts of line items include tax."""
    template: str | None
    """Id of the template that invoices are rendered with."""


class InvoiceSettings(Shape):
    """Defaults for invoices."""

    custom_fields: list[CustomField] | None
    """Custom fields of invoices."""
    default_payment_method: "str | PaymentMethod | None"
    """Default payment method for invoices. Expandable."""
    footer: str | None
    """Text at the foot of every invoice."""
    rendering_options: RenderingOptions | None
    """How invoices are rendered."""


class Shipping(Shape):
    """Shipping address and recipient."""

    address: Address
    """Shipping address."""
    name: str
    """Name of the recipient."""
    phone: str | None
    """Phone number of the recipient."""


class TaxLocation(Shape):
    """Tax location of the customer."""

    country: str
    """Country, in two letters of ISO 3166-1."""
    source: Literal["billing_address", "ip_address", "payment_method", "shipping_destination"]
    """Source of the location."""
    state: str | None
    """State, county, province or region."""


class CustomerTax(Shape):
    """Tax status of the customer."""

    automatic_tax: Literal["failed", "not_collecting", "supported", "unrecognized_location"]
    """Status of automatic tax for the location of the customer."""
    ip_address: str | None
    """IP address of the customer."""
    location: TaxLocation | None
    """Tax location of the customer; null if unknown."""
    provider: Literal["anrok", "avalara", "sphere", "stripe"]
    """Tax calculation provider."""


class Customer(Shape):
    """A customer of the account; an attribute that was never set is null."""

    id: str
    """Unique identifier of the customer."""
    object: Literal["customer"]
    """Type of the object: a customer."""
    address: Address | None
    """Postal address."""
    balance: int
    """Balance of the customer in minor units of its currency; a negative balance is a credit."""
    business_name: str = ABSENT
    """Name of the customer's business; present when it was set."""
    cash_balance: "CashBalance | None" = ABSENT
    """The customer's cash; present when it was expanded."""
    created: int
    """Time of creation, in Unix seconds."""
    currency: str | None
    """Currency of the customer; set by the first balance transaction or subscription."""
    default_source: "str | Card | BankAccount | None"
    """Default card or bank account for charges. Expandable."""
    delinquent: bool
    """Whether an automatic payment of the customer's latest invoice failed."""
    description: str | None
    """Description for internal use."""
    discount: "Discount | None"
    """Active discount of the customer."""
    email: str | None
    """Email address of the customer."""
    individual_name: str = ABSENT
    """Name of the individual; present when it was set."""
    invoice_credit_balance: dict[str, int] = ABSENT
    """Credit balance for invoices, by currency; present when it was expanded."""
    invoice_prefix: str | None
    """Prefix of the invoice numbers of the customer."""
    invoice_settings: InvoiceSettings
    """Defaults for invoices."""
    livemode: bool
    """Whether the customer exists in live mode (true) or in test mode (false)."""
    metadata: dict[str, str]
    """Key-value pairs for your own use."""
    name: str | None
    """Full name, or name of the business."""
    next_invoice_sequence: int
    """Number of the customer's next invoice."""
    phone: str | None
    """Phone number."""
    preferred_locales: list[str]
    """Preferred languages of the customer, in order of preference."""
    shipping: Shipping | None
    """Shipping address and recipient."""
    sources: "ListOf[Source]" = ABSENT
    """The customer's cards and bank accounts; present when they were expanded."""
    subscriptions: "ListOf[Subscription]" = ABSENT
    """The customer's subscriptions that are not canceled; present when they were expanded."""
    tax: CustomerTax = ABSENT
    """Tax status of the customer; present when it was expanded."""
    tax_exempt: Literal["exempt", "none", "reverse"]
    """Tax exemption status; `reverse` means that the customer accounts for the tax."""
    tax_ids: "ListOf[TaxId]" = ABSENT
    """The customer's tax ids; present when they were expanded."""
    test_clock: "str | TestClock | None"
    """Test clock of the customer. Expandable."""


class DeletedCustomer(Deleted):
    """A deleted customer."""

    object: Literal["customer"]
    """Type of the object: a customer."""
