"""The test clock of a customer: attaching it."""

from dataclasses import dataclass

from events.customer import CUSTOMER
from events.customer.test_clock import JoinClock
from events.testclock import TEST_CLOCK, TakeIn
from events.unit_of_work import UnitOfWork
from service.commands import customer_time
from service.commands.caller import Caller


@dataclass(frozen=True, slots=True)
class LiveUnder:
    """Let a new customer live under a clock."""

    test_clock: str

    async def apply(self, unit: UnitOfWork, caller: Caller, customer: str, at: int) -> None:
        """Join the clock. Raises Refusal when that is not there, or full."""
        await join(unit, customer, self.test_clock, param="test_clock")

    def streams(self, caller: Caller) -> tuple[str, ...]:
        """The clock's, which holds the limit of its customers."""
        return (TEST_CLOCK.stream(self.test_clock),)


async def join(unit: UnitOfWork, customer: str, clock: str, *, param: str) -> None:
    """Let a customer that the unit has loaded or begun live under a clock. Raises Refusal."""
    await customer_time.clock_named(unit, clock, param=param)
    unit.do(TEST_CLOCK, clock, TakeIn(id=clock, customer=customer))
    unit.do(CUSTOMER, customer, JoinClock(test_clock=clock))
