"""What becomes of test clocks by themselves: they end when their days are over."""

from events.testclock import TEST_CLOCK
from events.unit_of_work import UnitOfWork
from projections.due import Due
from service.http.routes import testclocks
from service.jobs import system
from service.wiring import Core


async def end_old(core: Core, due: Due) -> None:
    """Delete a clock whose days are over, and its customers with it."""

    async def act(unit: UnitOfWork) -> None:
        await testclocks.end(unit, due.id)

    await system.carry_out(core, due, act, serialized_on=(TEST_CLOCK.stream(due.id),))
