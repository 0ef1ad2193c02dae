"""The customer balance transaction object."""

from typing import TYPE_CHECKING, Literal

from service.http.schemas.schema import Shape

if TYPE_CHECKING:
    from service.http.schemas.customer import Customer, DeletedCustomer


class BalanceTransaction(Shape):
    """An amount that was added to a customer's balance."""

    id: str
    """What the transaction is called by."""
    object: Literal["customer_balance_transaction"]
    """Says that this is a transaction of a customer's balance."""
    amount: int
    """What was added, in minor units: negative for credit."""
    checkout_session: None
    """No checkout leads to one here."""
    created: int
    """When it was created, in Unix seconds."""
    credit_note: None
    """There are no credit notes here."""
    currency: str
    """Currency of the amount."""
    customer: "str | Customer | DeletedCustomer"
    """Whose balance it is of; may be expanded."""
    customer_account: None
    """No account represents a customer here."""
    description: str | None
    """What the transaction is about."""
    ending_balance: int
    """Where the balance stood after it, in minor units."""
    invoice: None
    """There are no invoices here."""
    livemode: bool
    """Whether it is of live mode, or of test mode."""
    metadata: dict[str, str]
    """Keys and values of the caller's own."""
    type: Literal["adjustment", "initial"]
    """What brought it about."""
