"""`balance`: where the customer's balance is to stand, brought there by one transaction."""

import os
from collections.abc import Iterable

from events import ids
from events.customer import CUSTOMER
from events.customer.balance import SetBalance
from events.unit_of_work import UnitOfWork
from service.http.params.customer import CreateCustomer, UpdateCustomer
from service.http.pipeline import RequestContext

PARAMETERS = ("balance",)
DEFAULT_CURRENCY = "usd"  # of a balance that is set before the customer has a currency


async def apply(
    unit: UnitOfWork, call: RequestContext, id: str, parameters: CreateCustomer | UpdateCustomer, at: int
) -> None:
    """Adjust the balance in the customer's own currency."""
    assert parameters.balance is not None
    currency = unit.state(CUSTOMER, id).currency or DEFAULT_CURRENCY
    transaction = ids.new("cbtxn", os.urandom(ids.ID_BYTES))
    command = SetBalance(
        id=transaction,
        at=at,
        balance=parameters.balance,
        currency=currency,
        type="initial" if isinstance(parameters, CreateCustomer) else "adjustment",
    )
    unit.do(CUSTOMER, id, command)


def streams(call: RequestContext, parameters: CreateCustomer | UpdateCustomer) -> Iterable[str]:
    """None but the customer's."""
    return ()
