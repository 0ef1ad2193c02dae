"""The actor `system`: origin of the events of jobs, which no request caused; each job has a trace of its own."""

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
    """Commit the changes that `act` makes to a unit of work atomically; retried when another writer was first.

    `serialized_on` names streams, as in Executor.transact. Raises Missing, Refusal; LogUnavailable.
    """
    await core.executor.transact(act, origin_of(core, due), serialized_on=serialized_on)


def origin_of(core: Core, due: Due) -> Origin:
    """The origin of the events of a piece of work: the actor `system`, in a new trace."""
    return Origin(
        account=due.account,
        livemode=due.livemode,
        at=core.clock.now(),
        actor="system",
        traceparent=trace.begin(os.urandom(trace.RANDOM_BYTES)),
    )
