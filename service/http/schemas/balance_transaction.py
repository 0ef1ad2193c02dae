"""The customer balance transaction object."""

from typing import TYPE_CHECKING, Literal

from service.http.schemas.schema import Shape

if TYPE_CHECKING:
    from service.http.schemas.customer import Customer, DeletedCustomer


class BalanceTransaction(Shape):
    """An amount that was added to a customer's balance."""

    id: str
    """Unique identifier of the transaction."""
    object: Literal["customer_balance_transaction"]
    """Type of the object: a transaction of a customer's balance."""
    amount: int
    """Amount of the transaction in minor units; a negative amount is a credit."""
    checkout_session: None
    """Always null: there are no checkout sessions."""
    created: int
    """Time of creation, in Unix seconds."""
    credit_note: None
    """Always null: there are no credit notes."""
    currency: str
    """Currency of the amount."""
    customer: "str | Customer | DeletedCustomer"
    """Customer that owns it. Expandable."""
    customer_account: None
    """Always null: no account represents a customer."""
    description: str | None
    """Description of the transaction."""
    ending_balance: int
    """Balance after the transaction, in minor units."""
    invoice: None
    """Always null: there are no invoices."""
    livemode: bool
    """Whether the object exists in live mode (true) or in test mode (false)."""
    metadata: dict[str, str]
    """Key-value pairs for your own use."""
    type: Literal["adjustment", "initial"]
    """Type of the transaction."""
