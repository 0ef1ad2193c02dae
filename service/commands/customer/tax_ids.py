"""Tax ids of a customer: those that a new one has from the beginning, all of them or no customer."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

from events import ids
from events.customer import CUSTOMER
from events.customer.tax_id import AddTaxId
from events.tax_id_types import Number
from events.unit_of_work import UnitOfWork
from service.commands.caller import Caller


@dataclass(frozen=True, slots=True)
class NewTaxId:
    """A number and its type."""

    type: str
    number: Number


@dataclass(frozen=True, slots=True)
class BringTaxIds:
    """Note the numbers of a new customer down."""

    tax_ids: Sequence[NewTaxId]

    async def apply(self, unit: UnitOfWork, caller: Caller, customer: str, at: int) -> None:
        """Add each. Raises Refusal."""
        for given in self.tax_ids:
            add(unit, customer, given, at)

    def streams(self, caller: Caller) -> tuple[str, ...]:
        """None but the customer's."""
        return ()


def add(unit: UnitOfWork, customer: str, given: NewTaxId, at: int) -> str:
    """Note a number of a customer that the unit has down, as it is kept; gives its id. Raises Refusal."""
    id, number = ids.new("txi", os.urandom(ids.ID_BYTES)), given.number
    unit.do(CUSTOMER, customer, AddTaxId(id=id, at=at, country=number.country, type=given.type, value=number.value))
    return id
