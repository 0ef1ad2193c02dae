"""The actor `system`: what a job does is of nobody's request, and in a trace of its own."""

import os
from collections.abc import Awaitable, Callable, Iterable

from events import trace
from events.record import Origin
from events.unit_of_work import UnitOfWork
from projections.due import Due
from service.wiring import Core


async def transact(
    core: Core, due: Due, act: Callable[[UnitOfWork], Awaitable[None]], *, serialized_on: Iterable[str] = ()
) -> None:
    """Do in one commit whatever `act` does to the unit of work it is handed; again when another writer was first.

    `serialized_on` names streams, as in Executor.transact. Raises Missing, Refusal; LogUnavailable.
    """
    await core.executor.transact(act, origin_of(core, due), serialized_on=serialized_on)


def origin_of(core: Core, due: Due) -> Origin:
    """Where what is done for a piece of work comes from: a trace of its own."""
    return Origin(
        account=due.account,
        livemode=due.livemode,
        at=core.clock.now(),
        actor="system",
        traceparent=trace.begin(os.urandom(trace.RANDOM_BYTES)),
    )
