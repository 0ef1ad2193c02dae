"""The card and the bank account object, which are the sources of a customer."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, RootModel

from service.http.schemas.schema import ABSENT, Deleted, Shape

if TYPE_CHECKING:
    from service.http.schemas.customer import Customer, DeletedCustomer

Check = Literal["fail", "pass", "unavailable", "unchecked"]


class CardNetworks(Shape):
    """Networks of a co-branded card."""

    preferred: str | None
    """Preferred network of the customer."""


class Card(Shape):
    """A card; only the last four digits of its number are stored."""

    id: str
    """Unique identifier of the card."""
    object: Literal["card"]
    """Type of the object: a card."""
    address_city: str | None
    """City, district, suburb, town or village of the billing address."""
    address_country: str | None
    """Country of the billing address."""
    address_line1: str | None
    """Street and number, or post office box, of the billing address."""
    address_line1_check: Check | None
    """Result of the check by the card issuer."""
    address_line2: str | None
    """Flat, suite, unit or building of the billing address."""
    address_state: str | None
    """State, county, province or region of the billing address."""
    address_zip: str | None
    """ZIP or postal code of the billing address."""
    address_zip_check: Check | None
    """Result of the check by the card issuer."""
    brand: str
    """Brand of the card."""
    country: str | None
    """Country of the issuer, in two letters of ISO 3166-1."""
    customer: "str | Customer | DeletedCustomer | None" = ABSENT
    """Customer that owns the card; null in a token. Expandable."""
    cvc_check: Check | None
    """Result of the CVC check by the card issuer."""
    dynamic_last4: None
    """Always null: there are no wallet cards."""
    exp_month: int
    """Expiration month."""
    exp_year: int
    """Expiration year."""
    fingerprint: str | None
    """Fingerprint of the card number; equal for the same number within the account."""
    funding: Literal["credit", "debit", "prepaid", "unknown"]
    """Funding type of the card."""
    last4: str
    """Last four digits of the number."""
    metadata: dict[str, str]
    """Key-value pairs for your own use."""
    name: str | None
    """Full name of the holder."""
    networks: CardNetworks = ABSENT
    """Card network of the charge; present in a token."""
    regulated_status: None
    """Always null: not known."""
    tokenization_method: None
    """Always null: there are no wallet cards."""


class BankAccount(Shape):
    """A bank account; only the last four digits of its number are stored."""

    id: str
    """Unique identifier of the bank account."""
    object: Literal["bank_account"]
    """Type of the object: a bank account."""
    account_holder_name: str | None
    """Full name of the holder."""
    account_holder_type: Literal["company", "individual"] | None
    """Whether the holder is a company or an individual."""
    account_type: Literal["checking", "futsu", "savings", "toza"] | None
    """Type of the account."""
    bank_name: str | None
    """Name of the bank."""
    country: str
    """Country of the bank, in two letters of ISO 3166-1."""
    currency: str
    """Currency of the account."""
    customer: "str | Customer | DeletedCustomer | None" = ABSENT
    """Customer that owns the bank account; null in a token. Expandable."""
    fingerprint: str | None
    """Fingerprint of the account number; equal for the same number within the account."""
    last4: str
    """Last four digits of the number."""
    metadata: dict[str, str] = ABSENT
    """Key-value pairs for your own use; absent in a token."""
    routing_number: str | None
    """Routing number of the bank."""
    status: Literal["errored", "new", "validated", "verification_failed", "verified"]
    """State of the verification."""


class Source(RootModel[Annotated[Card | BankAccount, Field(discriminator="object")]]):
    """A card or a bank account of a customer."""


class DeletedCard(Deleted):
    """A deleted card."""

    object: Literal["card"]
    """Type of the object: a card."""


class DeletedBankAccount(Deleted):
    """A deleted bank account."""

    object: Literal["bank_account"]
    """Type of the object: a bank account."""
