"""Test clocks: create, advance, finish an advance, delete. Test mode only."""

import os

from events import customer, ids
from events.customer import CUSTOMER
from events.errors import Missing, Refusal
from events.testclock import TEST_CLOCK, Advance, Arrive, CreateClock, DeleteClock
from events.unit_of_work import UnitOfWork
from service.commands import customer as customers
from service.commands.customer.testclock import join


async def create(unit: UnitOfWork, frozen_time: int, name: str | None, guest: str | None) -> str:
    """Create a clock, optionally with an existing customer; returns its id. Raises Refusal."""
    id = ids.new("clock", os.urandom(ids.ID_BYTES))
    unit.begin(TEST_CLOCK, id)
    command = CreateClock(id=id, created=int(unit.origin.at.timestamp()), frozen_time=frozen_time, name=name)
    unit.do(TEST_CLOCK, id, command)
    if guest is not None:
        state = await unit.load(CUSTOMER, guest)
        if not state.exists:
            raise Refusal(f"No such {customer.KIND}: '{guest}'", code="resource_missing", param="customer")
        await join(unit, guest, id, param="customer")
    return id


async def advance(unit: UnitOfWork, id: str, frozen_time: int) -> None:
    """Advance a clock to a time; it arrives when everything due until then is done. Raises Missing, Refusal."""
    await unit.load(TEST_CLOCK, id)
    unit.do(TEST_CLOCK, id, Advance(id=id, at=int(unit.origin.at.timestamp()), frozen_time=frozen_time))


async def arrive(unit: UnitOfWork, id: str, frozen_time: int) -> None:
    """Finish the advance of a clock. Raises Missing, Refusal."""
    await unit.load(TEST_CLOCK, id)
    unit.do(TEST_CLOCK, id, Arrive(id=id, frozen_time=frozen_time))


async def delete(unit: UnitOfWork, id: str) -> None:
    """Delete a clock and its customers, at the time of the clock. Raises Missing."""
    clock = await unit.load(TEST_CLOCK, id)
    if not clock.exists:
        raise Missing("test clock", id)
    for guest in clock.customers:
        await customers.delete(unit, guest, clock.frozen_time)
    unit.do(TEST_CLOCK, id, DeleteClock(id=id))
