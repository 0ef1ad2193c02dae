"""The payment method object: beside what all have, a hash that is called what its type is."""

from typing import TYPE_CHECKING, Any, Literal

from pydantic import ConfigDict, Field, create_model

from projections.payment_methods import SHOWN
from service.http.params.payment_method import TYPES
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
    """Networks a card is charged by."""

    available: list[str]
    """Networks available for charges."""
    preferred: str | None
    """Preferred network of the customer."""


class ThreeDSecureUsage(Shape):
    """Support for 3D Secure."""

    supported: bool
    """Whether anything can."""


class PaymentMethodCard(Shape):
    """A card; of its number only the end is kept."""

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
    """Not known here."""
    three_d_secure_usage: ThreeDSecureUsage
    """Support for 3D Secure."""
    wallet: None
    """Always null: there are no wallet cards."""


class Nothing(Shape):
    """Of this type nothing more is known."""


class _Made(Shape):
    """What is made of a table: it has no source that pydantic could find docstrings in, and it looks for long."""

    model_config = ConfigDict(use_attribute_docstrings=False)


def _hash(of: str) -> type[Shape]:
    """What is shown of a payment method of this type; what is not known of it is null."""
    if of == "card":
        return PaymentMethodCard
    if of not in SHOWN:
        return Nothing
    fields: dict[str, Any] = {name: (str | None, Field(description=f"Its {_spaced(name)}.")) for name in SHOWN[of]}
    name = "PaymentMethod" + "".join(word.capitalize() for word in of.split("_"))
    return create_model(name, __base__=_Made, __doc__=f"Details of the payment method type {of}.", **fields)


def _spaced(name: str) -> str:
    return name.replace("_", " ")


_hashes: Any = {
    of: (_hash(of), Field(default=ABSENT, description=f"Details of the type {of}; present if it is the type."))
    for of in TYPES
}
_Typed: Any = create_model("_Typed", __base__=_Made, **_hashes)


class PaymentMethod(_Typed):
    """What a customer pays with."""

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
