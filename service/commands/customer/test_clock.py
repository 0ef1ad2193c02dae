"""`test_clock`: the clock on whose time a new customer lives."""

from collections.abc import Iterable

from events.customer import CUSTOMER
from events.customer.test_clock import JoinClock
from events.testclock import TEST_CLOCK, TakeIn
from events.unit_of_work import UnitOfWork
from service.commands import clocks
from service.http.params.customer import CreateCustomer
from service.http.pipeline import RequestContext

PARAMETERS: tuple[str, ...] = ("test_clock",)


async def apply(unit: UnitOfWork, call: RequestContext, id: str, parameters: CreateCustomer, at: int) -> None:
    """Let the customer live under the clock. Raises Refusal when that is not there, or full."""
    assert parameters.test_clock is not None
    await join(unit, id, parameters.test_clock, param="test_clock")


def streams(call: RequestContext, parameters: CreateCustomer) -> Iterable[str]:
    """The clock's, which holds the limit of its customers."""
    assert parameters.test_clock is not None
    return (TEST_CLOCK.stream(parameters.test_clock),)


async def join(unit: UnitOfWork, customer: str, clock: str, *, param: str) -> None:
    """Let a customer that the unit has loaded or begun live under a clock. Raises Refusal."""
    await clocks.load(unit, clock, param=param)
    unit.do(TEST_CLOCK, clock, TakeIn(id=clock, customer=customer))
    unit.do(CUSTOMER, customer, JoinClock(test_clock=clock))
