"""Tax ids of a customer: create, delete; and those created together with a customer."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

from events import ids
from events.customer import CUSTOMER
from events.customer.tax_id import AddTaxId, RemoveTaxId
from events.tax_id_types import Number
from events.unit_of_work import UnitOfWork
from service.commands.caller import Caller
from service.commands.customer import moment


@dataclass(frozen=True, slots=True)
class NewTaxId:
    """A tax id: its type and value."""

    type: str
    number: Number


@dataclass(frozen=True, slots=True)
class BringTaxIds:
    """Add the tax ids of a new customer."""

    tax_ids: Sequence[NewTaxId]

    async def apply(self, unit: UnitOfWork, caller: Caller, customer: str, at: int) -> None:
        """Add each. Raises Refusal."""
        for given in self.tax_ids:
            _add(unit, customer, given, at)

    def streams(self, caller: Caller) -> tuple[str, ...]:
        """No further streams."""
        return ()


async def create(unit: UnitOfWork, customer: str, given: NewTaxId) -> str:
    """Create a tax id; returns its id. Raises Missing, Refusal."""
    return _add(unit, customer, given, await moment(unit, customer))


async def delete(unit: UnitOfWork, customer: str, id: str) -> None:
    """Delete a tax id. Raises Missing, Refusal."""
    await moment(unit, customer)  # not while its clock advances
    unit.do(CUSTOMER, customer, RemoveTaxId(id=id))


def _add(unit: UnitOfWork, customer: str, given: NewTaxId, at: int) -> str:
    id, number = ids.new("txi", os.urandom(ids.ID_BYTES)), given.number
    unit.do(CUSTOMER, customer, AddTaxId(id=id, at=at, country=number.country, type=given.type, value=number.value))
    return id
