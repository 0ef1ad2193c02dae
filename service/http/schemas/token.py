"""The token object."""

from typing import Literal

from service.http.schemas.schema import ABSENT, Shape
from service.http.schemas.source import BankAccount, Card


class Token(Shape):
    """What stands for a card or bank account until it is attached to a customer, once."""

    id: str
    """Unique identifier of the token."""
    object: Literal["token"]
    """Type of the object: a token."""
    bank_account: BankAccount = ABSENT
    """The bank account it stands for, where it does for one."""
    card: Card = ABSENT
    """The card it stands for, where it does for one."""
    client_ip: None
    """Addresses of callers are not kept here."""
    created: int
    """Time of creation, in Unix seconds."""
    livemode: bool
    """Whether the object exists in live mode (true) or in test mode (false)."""
    type: Literal["bank_account", "card", "cvc_update", "pii"]
    """What it stands for."""
    used: bool
    """Whether it was used; it can be once."""
