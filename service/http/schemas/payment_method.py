"""The payment method object: beside what all have, a hash that is called what its type is."""

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, create_model

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
    """Tax id of the person who pays."""


class CardChecks(Shape):
    """Results of the checks by the card issuer."""

    address_line1_check: Check | None
    """Of street and number."""
    address_postal_code_check: Check | None
    """Of the postal code."""
    cvc_check: Check | None
    """Of the security code."""


class Networks(Shape):
    """Networks a card is charged by."""

    available: list[str]
    """Those it can be charged by."""
    preferred: str | None
    """The one that the customer prefers."""


class ThreeDSecureUsage(Shape):
    """What can be done for the holder to prove who they are."""

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
    """Brand to show it by."""
    exp_month: int
    """Expiration month."""
    exp_year: int
    """Expiration year."""
    fingerprint: str | None
    """The same for every card of the same number in the account."""
    funding: Literal["credit", "debit", "prepaid", "unknown"]
    """Funding type of the card."""
    generated_from: None
    """It was made of nothing else."""
    last4: str
    """The last four digits of its number."""
    networks: Networks
    """Networks it is charged by."""
    regulated_status: None
    """Not known here."""
    three_d_secure_usage: ThreeDSecureUsage
    """What can be done for the holder to prove who they are."""
    wallet: None
    """There are no cards of wallets here."""


class Nothing(Shape):
    """Of this type nothing more is known."""


def _hash(of: str) -> type[Shape]:
    """What is shown of a payment method of this type; what is not known of it is null."""
    if of == "card":
        return PaymentMethodCard
    if of not in SHOWN:
        return Nothing
    fields: dict[str, Any] = {name: (str | None, Field(description=f"Its {_spaced(name)}.")) for name in SHOWN[of]}
    name = "PaymentMethod" + "".join(word.capitalize() for word in of.split("_"))
    return create_model(name, __base__=Shape, __doc__=f"What is known of a way to pay by {_spaced(of)}.", **fields)


def _spaced(name: str) -> str:
    return name.replace("_", " ")


_hashes: Any = {of: (_hash(of), Field(default=ABSENT, description=f"There when the type is {of}.")) for of in TYPES}
_Typed: Any = create_model("_Typed", __base__=Shape, **_hashes)


class PaymentMethod(_Typed):
    """What a customer pays with."""

    id: str
    """Unique identifier of the payment method."""
    object: Literal["payment_method"]
    """Type of the object: a payment method."""
    allow_redisplay: Literal["always", "limited", "unspecified"]
    """Whether it may be shown to the customer again."""
    billing_details: BillingDetails
    """Billing contact details."""
    created: int
    """Time of creation, in Unix seconds."""
    customer: "str | Customer | DeletedCustomer | None"
    """Customer that it is attached to; null if none. Expandable."""
    customer_account: None
    """No account represents a customer here."""
    livemode: bool
    """Whether the object exists in live mode (true) or in test mode (false)."""
    metadata: dict[str, str]
    """Key-value pairs for your own use."""
    type: str = Field(json_schema_extra={"enum": [*TYPES]})
    """What the customer pays with; there is a hash of the same name for what belongs to it."""
