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
    """No checkout leads to one here."""
    created: int
    """Time of creation, in Unix seconds."""
    credit_note: None
    """There are no credit notes here."""
    currency: str
    """Currency of the amount."""
    customer: "str | Customer | DeletedCustomer"
    """Customer that owns it. Expandable."""
    customer_account: None
    """No account represents a customer here."""
    description: str | None
    """What the transaction is about."""
    ending_balance: int
    """Balance after the transaction, in minor units."""
    invoice: None
    """There are no invoices here."""
    livemode: bool
    """Whether the object exists in live mode (true) or in test mode (false)."""
    metadata: dict[str, str]
    """Key-value pairs for your own use."""
    type: Literal["adjustment", "initial"]
    """Type of the transaction."""
