"""The test clock of a customer: attaching it."""

from dataclasses import dataclass

from events.customer import CUSTOMER
from events.customer.testclock import JoinClock
from events.testclock import TEST_CLOCK, TakeIn
from events.unit_of_work import UnitOfWork
from service.commands import customer_time
from service.commands.caller import Caller


@dataclass(frozen=True, slots=True)
class LiveUnder:
    """Attach a new customer to a test clock."""

    test_clock: str

    async def apply(self, unit: UnitOfWork, caller: Caller, customer: str, at: int) -> None:
        """Attach it. Raises Refusal if the clock does not exist or has the maximum number of customers."""
        await join(unit, customer, self.test_clock, param="test_clock")

    def streams(self, caller: Caller) -> tuple[str, ...]:
        """The stream of the clock, which limits the number of its customers."""
        return (TEST_CLOCK.stream(self.test_clock),)


async def join(unit: UnitOfWork, customer: str, clock: str, *, param: str) -> None:
    """Attach a customer that the unit has loaded or created to a test clock. Raises Refusal."""
    await customer_time.clock_named(unit, clock, param=param)
    unit.do(TEST_CLOCK, clock, TakeIn(id=clock, customer=customer))
    unit.do(CUSTOMER, customer, JoinClock(test_clock=clock))
