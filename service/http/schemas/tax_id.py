"""The tax id object."""

from typing import TYPE_CHECKING, Literal

from service.http.schemas.schema import ABSENT, Deleted, Shape

if TYPE_CHECKING:
    from service.http.schemas.customer import Customer, DeletedCustomer


class Owner(Shape):
    """Whose a tax id is."""

    customer: "str | Customer | DeletedCustomer" = ABSENT
    """The customer whose it is, where it is a customer's. Expandable."""
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
    """Unique identifier of the tax id."""
    object: Literal["tax_id"]
    """Type of the object: a tax id."""
    country: str | None
    """Country the number is of, in two letters of ISO 3166-1."""
    created: int
    """Time of creation, in Unix seconds."""
    customer: "str | Customer | DeletedCustomer | None"
    """Customer that owns it; null if the account does. Expandable."""
    customer_account: None
    """No account represents a customer here."""
    livemode: bool
    """Whether the object exists in live mode (true) or in test mode (false)."""
    owner: Owner
    """Customer that owns it."""
    type: str
    """What kind of number it is: `eu_vat`, `us_ein` and so on."""
    value: str
    """The number."""
    verification: Verification | None
    """What became of checking the number; null for the account's own."""


class DeletedTaxId(Deleted):
    """What is left to show of a deleted tax id."""

    object: Literal["tax_id"]
    """Type of the object: a tax id."""
