"""What time it is for a customer: that of its test clock, or everybody's."""

from events.customer import Customer
from events.unit_of_work import UnitOfWork


async def moment(unit: UnitOfWork, customer: Customer) -> int:
    """The time at which a request acts on a customer, in Unix seconds."""
    return int(unit.origin.at.timestamp())


async def at_creation(unit: UnitOfWork, test_clock: str | None) -> int:
    """The time at which a customer comes into being, in Unix seconds."""
    return int(unit.origin.at.timestamp())
