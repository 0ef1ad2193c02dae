"""The balance of a customer: set by one balance transaction."""

import os
from dataclasses import dataclass
from typing import Literal

from events import ids
from events.customer import CUSTOMER
from events.customer.balance import SetBalance
from events.unit_of_work import UnitOfWork
from service.commands.caller import Caller

DEFAULT_CURRENCY = "usd"  # of a balance that is set before the customer has a currency


@dataclass(frozen=True, slots=True)
class BringBalance:
    """Bring the balance to an amount, in the customer's own currency."""

    balance: int  # in minor units; negative is credit
    type: Literal["initial", "adjustment"]

    async def apply(self, unit: UnitOfWork, caller: Caller, customer: str, at: int) -> None:
        """Adjust the balance."""
        command = SetBalance(
            id=ids.new("cbtxn", os.urandom(ids.ID_BYTES)),
            at=at,
            balance=self.balance,
            currency=unit.state(CUSTOMER, customer).currency or DEFAULT_CURRENCY,
            type=self.type,
        )
        unit.do(CUSTOMER, customer, command)

    def streams(self, caller: Caller) -> tuple[str, ...]:
        """None but the customer's."""
        return ()
