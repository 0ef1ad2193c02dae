"""Tax ids of the account itself: create, delete."""

import os

from events import ids
from events.account_tax_id import ACCOUNT_TAX_ID, CreateTaxId, DeleteTaxId
from events.unit_of_work import UnitOfWork
from service.commands.customer.tax_ids import NewTaxId


async def create(unit: UnitOfWork, given: NewTaxId) -> str:
    """Create a tax id of the account; gives its id."""
    id = ids.new("txi", os.urandom(ids.ID_BYTES))
    command = CreateTaxId(
        id=id,
        country=given.number.country,
        created=int(unit.origin.at.timestamp()),
        type=given.type,
        value=given.number.value,
    )
    unit.begin(ACCOUNT_TAX_ID, id)
    unit.do(ACCOUNT_TAX_ID, id, command)
    return id


async def delete(unit: UnitOfWork, id: str) -> None:
    """Delete a tax id of the account. Raises Missing."""
    await unit.load(ACCOUNT_TAX_ID, id)
    unit.do(ACCOUNT_TAX_ID, id, DeleteTaxId(id=id))
