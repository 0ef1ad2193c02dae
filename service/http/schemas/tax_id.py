"""The tax id object."""

from typing import TYPE_CHECKING, Literal

from service.http.schemas.schema import ABSENT, Deleted, Shape

if TYPE_CHECKING:
    from service.http.schemas.customer import Customer, DeletedCustomer


class Owner(Shape):
    """Whose a tax id is."""

    customer: "str | Customer | DeletedCustomer" = ABSENT
    """The customer whose it is, where it is a customer's; may be expanded."""
    customer_account: None
    """No account represents a customer here."""
    type: Literal["customer", "self"]
    """Whether it is a customer's, or the account's own."""


class Verification(Shape):
    """What became of checking a number."""

    status: Literal["pending", "unavailable", "unverified", "verified"]
    """How far that is."""
    verified_address: str | None
    """Address the number is registered under."""
    verified_name: str | None
    """Name the number is registered under."""


class TaxId(Shape):
    """A number by which tax authorities know a customer or the account."""

    id: str
    """What the tax id is called by."""
    object: Literal["tax_id"]
    """Says that this is a tax id."""
    country: str | None
    """Country the number is of, in two letters of ISO 3166-1."""
    created: int
    """When it was created, in Unix seconds."""
    customer: "str | Customer | DeletedCustomer | None"
    """Whose it is; null for the account's own. May be expanded."""
    customer_account: None
    """No account represents a customer here."""
    livemode: bool
    """Whether it is of live mode, or of test mode."""
    owner: Owner
    """Whose it is."""
    type: str
    """What kind of number it is: `eu_vat`, `us_ein` and so on."""
    value: str
    """The number."""
    verification: Verification | None
    """What became of checking the number; null for the account's own."""


class DeletedTaxId(Deleted):
    """What is left to show of a deleted tax id."""

    object: Literal["tax_id"]
    """Says that this was a tax id."""
