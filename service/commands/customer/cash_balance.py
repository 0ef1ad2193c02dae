"""The cash balance of a customer: its reconciliation settings, and the bank transfers that fund it."""

import os
import secrets
from dataclasses import dataclass

from events import ids
from events.customer import CUSTOMER
from events.customer.cash_balance import NUMBER_DIGITS, FundCashBalance, Mode, OpenVirtualAccount, SetReconciliation
from events.unit_of_work import UnitOfWork
from service.commands.caller import Caller
from service.commands.customer import moment


@dataclass(frozen=True, slots=True)
class Reconcile:
    """Set the reconciliation mode; None for the default of the account."""

    mode: Mode | None

    async def apply(self, unit: UnitOfWork, caller: Caller, customer: str, at: int) -> None:
        """Set the reconciliation mode."""
        unit.do(CUSTOMER, customer, SetReconciliation(mode=self.mode))

    def streams(self, caller: Caller) -> tuple[str, ...]:
        """No further streams."""
        return ()


async def change(unit: UnitOfWork, customer: str, reconcile: Reconcile | None) -> None:
    """Change the settings of a cash balance. Raises Missing, Refusal."""
    await moment(unit, customer)  # not while its clock advances
    if reconcile is not None:
        unit.do(CUSTOMER, customer, SetReconciliation(mode=reconcile.mode))


async def fund(unit: UnitOfWork, customer: str, amount: int, currency: str, reference: str | None) -> str:
    """Record an incoming bank transfer of an amount in minor units; returns the id of the transaction. Raises Missing,
    Refusal.
    """
    id = ids.new("ccsbtxn", os.urandom(ids.ID_BYTES))
    at = await moment(unit, customer)
    command = FundCashBalance(id=id, amount=amount, at=at, currency=currency, reference=reference)
    unit.do(CUSTOMER, customer, command)
    return id


async def open_virtual_account(unit: UnitOfWork, customer: str, country: str, currency: str) -> None:
    """Open a virtual account for the customer's transfers, one per currency and country. Raises Missing."""
    await moment(unit, customer)  # not while its clock advances
    number = "".join(secrets.choice("0123456789") for _ in range(NUMBER_DIGITS))
    unit.do(CUSTOMER, customer, OpenVirtualAccount(country=country, currency=currency, number=number))
