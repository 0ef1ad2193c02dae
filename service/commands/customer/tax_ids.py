"""`tax_id_data`: the tax ids that a new customer has from the beginning, all of them or no customer."""

import os
from collections.abc import Iterable

from events import ids
from events.customer import CUSTOMER
from events.customer.tax_id import AddTaxId
from events.unit_of_work import UnitOfWork
from service.http.params.customer import CreateCustomer
from service.http.params.tax_id import TaxId
from service.http.pipeline import RequestContext

PARAMETERS = ("tax_id_data",)


async def apply(unit: UnitOfWork, call: RequestContext, id: str, parameters: CreateCustomer, at: int) -> None:
    """Note the numbers down."""
    for given in parameters.tax_id_data:
        unit.do(CUSTOMER, id, added(ids.new("txi", os.urandom(ids.ID_BYTES)), given, at))


def streams(call: RequestContext, parameters: CreateCustomer) -> Iterable[str]:
    """None but the customer's."""
    return ()


def added(id: str, given: TaxId, at: int) -> AddTaxId:
    """The command that notes a number down, as it is kept."""
    number = given.number()
    return AddTaxId(id=id, at=at, country=number.country, type=given.type, value=number.value)
