"""The current time of a customer: that of its test clock, or real time."""

from events.customer import Customer
from events.errors import Refusal
from events.testclock import TEST_CLOCK, TestClock, time_of
from events.unit_of_work import UnitOfWork


async def now(unit: UnitOfWork, customer: Customer) -> int:
    """The time of a request on a customer, in Unix seconds. Raises ClockAdvancing while its clock advances."""
    if customer.test_clock is None:
        return int(unit.origin.at.timestamp())
    return time_of(await unit.load(TEST_CLOCK, customer.test_clock))


async def clock_named(unit: UnitOfWork, id: str, *, param: str) -> TestClock:
    """The test clock that a parameter names. Raises Refusal if there is none."""
    clock = await unit.load(TEST_CLOCK, id)
    if not clock.exists:
        raise Refusal(f"No such test clock: '{id}'", code="resource_missing", param=param)
    return clock
