"""Schema of the payment method object: the common fields, and a hash of details named by its type."""

from typing import TYPE_CHECKING, Any, Literal

from pydantic import ConfigDict, Field, create_model

from events.payment_method import TYPES
from projections.payment_methods import SHOWN
from service.http.schemas.schema import ABSENT, Address, Shape
from service.http.schemas.source import Check

if TYPE_CHECKING:
    from service.http.schemas.customer import Customer, DeletedCustomer


class BillingDetails(Shape):
    """Billing contact details."""

    address: Address
    """Postal address."""
    email: str | None
    """Billing email address."""
    name: str | None
    """Full name."""
    phone: str | None
    """Phone number."""
    tax_id: str | None
    """Tax id of the payer."""


class CardChecks(Shape):
    """Results of the checks by the card issuer."""

    address_line1_check: Check | None
    """Result of the check of street and number."""
    address_postal_code_check: Check | None
    """Result of the check of the postal code."""
    cvc_check: Check | None
    """Result of the check of the security code."""


class Networks(Shape):
    """Networks of a card."""

    available: list[str]
    """Networks available for charges."""
    preferred: str | None
    """Preferred network of the customer."""


class ThreeDSecureUsage(Shape):
    """Support for 3D Secure."""

    supported: bool
    """Whether 3D Secure is supported for the card."""


class PaymentMethodCard(Shape):
    """A card; only the last four digits of its number are stored."""

    brand: str
    """Brand of the card."""
    checks: CardChecks
    """Results of the checks by the card issuer."""
    country: str | None
    """Country of the issuer, in two letters of ISO 3166-1."""
    display_brand: str
    """Brand to display."""
    exp_month: int
    """Expiration month."""
    exp_year: int
    """Expiration year."""
    fingerprint: str | None
    """Fingerprint of the card number; equal for the same number within the account."""
    funding: Literal["credit", "debit", "prepaid", "unknown"]
    """Funding type of the card."""
    generated_from: None
    """Always null: it was not generated from another object."""
    last4: str
    """Last four digits of the number."""
    networks: Networks
    """Networks of the card."""
    regulated_status: None
    """Always null: not known."""
    three_d_secure_usage: ThreeDSecureUsage
    """Support for 3D Secure."""
    wallet: None
    """Always null: there are no wallet cards."""


DESCRIPTIONS = {
    "account_holder_name": "Name of the account holder.",
    "account_holder_type": "Type of the account holder: `individual` or `company`.",
    "account_type": "Type of the account: `checking` or `savings`.",
    "bank": "Bank of the customer.",
    "bank_code": "Code of the bank.",
    "bank_name": "Name of the bank.",
    "bic": "BIC of the bank.",
    "branch_code": "Code of the branch.",
    "brand": "Brand of the card.",
    "bsb_number": "BSB number of the branch.",
    "buyer_id": "Identifier of the buyer at the payment provider.",
    "cashtag": "Cash App name of the buyer.",
    "country": "Country, in two letters of ISO 3166-1.",
    "display_name": "Name of the type, for display.",
    "dob": "Date of birth.",
    "email": "Email address of the payer.",
    "financial_connections_account": "Id of the Financial Connections account.",
    "fingerprint": "Fingerprint of the account number; equal for the same number within the account.",
    "funding": "Type of the funding instrument.",
    "generated_from": "Object that the payment method was generated from.",
    "institution_number": "Number of the bank.",
    "last4": "Last four digits of the number.",
    "logo": "Logo of the type.",
    "networks": "Networks of the account.",
    "pay_id": "PayID of the account.",
    "payer_email": "Email address of the payer.",
    "payer_id": "Identifier of the payer at the payment provider.",
    "routing_number": "Routing number of the bank.",
    "sort_code": "Sort code of the branch.",
    "status_details": "Details of the status.",
    "suffix": "Suffix of the account number.",
    "tax_id": "Tax id of the payer.",
    "transit_number": "Number of the branch.",
    "type": "Id of the custom payment method type.",
    "vpa": "Virtual payment address (UPI).",
}  # of what a payment method of each type shows, by attribute


class Nothing(Shape):
    """A payment method type without details."""


class _Made(Shape):
    """Base of schemas made from a table: pydantic would search long for docstrings, and find no source."""

    model_config = ConfigDict(use_attribute_docstrings=False)


def _hash(of: str) -> type[Shape]:
    """The schema of the details of a payment method type; details that are not known are null."""
    if of == "card":
        return PaymentMethodCard
    if of not in SHOWN:
        return Nothing
    fields: dict[str, Any] = {name: (str | None, Field(description=DESCRIPTIONS[name])) for name in SHOWN[of]}
    name = "PaymentMethod" + "".join(word.capitalize() for word in of.split("_"))
    return create_model(name, __base__=_Made, __doc__=f"Details of a payment method of the type `{of}`.", **fields)


_hashes: Any = {
    of: (_hash(of), Field(default=ABSENT, description=f"Details of the type; present if `type` is `{of}`."))
    for of in TYPES
}
_Typed: Any = create_model("_Typed", __base__=_Made, **_hashes)


class PaymentMethod(_Typed):
    """A payment method, such as a card, that can be attached to a customer."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    id: str
    """Unique identifier of the payment method."""
    object: Literal["payment_method"]
    """Type of the object: a payment method."""
    allow_redisplay: Literal["always", "limited", "unspecified"]
    """Whether it may be shown to the customer again for reuse."""
    billing_details: BillingDetails
    """Billing contact details."""
    created: int
    """Time of creation, in Unix seconds."""
    customer: "str | Customer | DeletedCustomer | None"
    """Customer that it is attached to; null if none. Expandable."""
    customer_account: None
    """Always null: no account represents a customer."""
    livemode: bool
    """Whether the object exists in live mode (true) or in test mode (false)."""
    metadata: dict[str, str]
    """Key-value pairs for your own use."""
    type: str = Field(json_schema_extra={"enum": [*TYPES]})
    """Type of the payment method; the hash of the same name holds its details."""
