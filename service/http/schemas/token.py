"""The token object."""

from typing import Literal

from service.http.schemas.schema import ABSENT, Shape
from service.http.schemas.source import BankAccount, Card


class Token(Shape):
    """A single-use token for the details of a card or bank account."""

    id: str
    """Unique identifier of the token."""
    object: Literal["token"]
    """Type of the object: a token."""
    bank_account: BankAccount = ABSENT
    """Bank account of the token; present if its type is `bank_account`."""
    card: Card = ABSENT
    """Card of the token; present if its type is `card`."""
    client_ip: None
    """Always null: IP addresses of clients are not stored."""
    created: int
    """Time of creation, in Unix seconds."""
    livemode: bool
    """Whether the object exists in live mode (true) or in test mode (false)."""
    type: Literal["bank_account", "card", "cvc_update", "pii"]
    """The object that the promotion code redeems."""
    used: bool
    """Whether it was used; a token can be used once."""
