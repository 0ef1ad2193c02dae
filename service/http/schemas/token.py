"""The token object."""

from typing import Literal

from service.http.schemas.schema import ABSENT, Shape
from service.http.schemas.source import BankAccount, Card


class Token(Shape):
    """What stands for a card or bank account until it is attached to a customer, once."""

    id: str
    """What the token is called by."""
    object: Literal["token"]
    """Says that this is a token."""
    bank_account: BankAccount = ABSENT
    """The bank account it stands for, where it does for one."""
    card: Card = ABSENT
    """The card it stands for, where it does for one."""
    client_ip: None
    """Addresses of callers are not kept here."""
    created: int
    """When it was created, in Unix seconds."""
    livemode: bool
    """Whether it is of live mode, or of test mode."""
    type: Literal["bank_account", "card", "cvc_update", "pii"]
    """What it stands for."""
    used: bool
    """Whether it was used; it can be once."""
