"""`cash_balance`: how the customer's cash is matched to what it owes."""

from collections.abc import Iterable

from events.customer import CUSTOMER
from events.customer.cash_balance import SetReconciliation
from events.unit_of_work import UnitOfWork
from service.http.params.customer import CreateCustomer, UpdateCustomer
from service.http.pipeline import RequestContext

PARAMETERS = ("cash_balance",)


async def apply(
    unit: UnitOfWork, call: RequestContext, id: str, parameters: CreateCustomer | UpdateCustomer, at: int
) -> None:
    """Settle it, when something was said of it."""
    settings = parameters.cash_balance.settings if parameters.cash_balance is not None else None
    if settings is not None and settings.reconciliation_mode is not None:
        unit.do(CUSTOMER, id, SetReconciliation(mode=settings.mode()))


def streams(call: RequestContext, parameters: CreateCustomer | UpdateCustomer) -> Iterable[str]:
    """None but the customer's."""
    return ()
