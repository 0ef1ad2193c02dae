"""The balance of a customer: adjusted by balance transactions, or set by one."""

import os
from dataclasses import dataclass
from typing import Literal

from events import ids
from events.customer import CUSTOMER
from events.customer.balance import AdjustBalance, EditTransaction, SetBalance, TransactionPatch
from events.unit_of_work import UnitOfWork
from service.commands.caller import Caller
from service.commands.customer import moment

DEFAULT_CURRENCY = "usd"  # currency of a balance that is set before the customer has one


@dataclass(frozen=True, slots=True)
class BringBalance:
    """Set the balance to an amount, in the currency of the customer."""

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
        """No further streams."""
        return ()


async def adjust(unit: UnitOfWork, customer: str, amount: int, currency: str, patch: TransactionPatch) -> str:
    """Adjust the balance by an amount in minor units, negative for a credit; returns the id of the transaction.

    Raises Missing, Refusal.
    """
    at = await moment(unit, customer)
    id = ids.new("cbtxn", os.urandom(ids.ID_BYTES))
    unit.do(CUSTOMER, customer, AdjustBalance(id=id, amount=amount, at=at, currency=currency, patch=patch))
    return id


async def edit(unit: UnitOfWork, customer: str, id: str, patch: TransactionPatch) -> None:
    """Update a transaction. Raises Missing, Refusal."""
    await moment(unit, customer)  # not while its clock advances
    unit.do(CUSTOMER, customer, EditTransaction(id=id, patch=patch))
