"""The tax id object."""

from typing import TYPE_CHECKING, Literal

from service.http.schemas.schema import ABSENT, Deleted, Shape

if TYPE_CHECKING:
    from service.http.schemas.customer import Customer, DeletedCustomer


class Owner(Shape):
    """Owner of a tax id."""

    customer: "str | Customer | DeletedCustomer" = ABSENT
    """Customer that owns the tax id, if a customer does. Expandable."""
    customer_account: None
    """Always null: no account represents a customer."""
    type: Literal["customer", "self"]
    """Type of the owner: a customer or the account itself."""


class Verification(Shape):
    """Result of the verification of a tax id."""

    status: Literal["pending", "unavailable", "unverified", "verified"]
    """Status of the verification."""
    verified_address: str | None
    """Registered address."""
    verified_name: str | None
    """Registered name."""


class TaxId(Shape):
    """A tax id of a customer or of the account."""

    id: str
    """Unique identifier of the tax id."""
    object: Literal["tax_id"]
    """Type of the object: a tax id."""
    country: str | None
    """Country of the tax id, in two letters of ISO 3166-1."""
    created: int
    """Time of creation, in Unix seconds."""
    customer: "str | Customer | DeletedCustomer | None"
    """Customer that owns it; null if the account does. Expandable."""
    customer_account: None
    """Always null: no account represents a customer."""
    livemode: bool
    """Whether the object exists in live mode (true) or in test mode (false)."""
    owner: Owner
    """Customer that owns it."""
    type: str
    """Type of the tax id, such as `eu_vat` or `us_ein`."""
    value: str
    """Value of the tax id."""
    verification: Verification | None
    """Result of the verification; null for the tax ids of the account."""


class DeletedTaxId(Deleted):
    """A deleted tax id."""

    object: Literal["tax_id"]
    """Type of the object: a tax id."""
