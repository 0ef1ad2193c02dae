"""The cash balance of a customer: its reconciliation settings."""

from dataclasses import dataclass

from events.customer import CUSTOMER
from events.customer.cash_balance import Mode, SetReconciliation
from events.unit_of_work import UnitOfWork
from service.commands.caller import Caller


@dataclass(frozen=True, slots=True)
class Reconcile:
    """Match cash so from now on; None for as the account does."""

    mode: Mode | None

    async def apply(self, unit: UnitOfWork, caller: Caller, customer: str, at: int) -> None:
        """Set the mode of reconciliation."""
        unit.do(CUSTOMER, customer, SetReconciliation(mode=self.mode))

    def streams(self, caller: Caller) -> tuple[str, ...]:
        """None but the customer's."""
        return ()
