"""The actor `system`: origin of the events of jobs, which no request caused; each job has a trace of its own."""

import os

from events import trace
from events.record import Origin
from projections.due import Due
from service.wiring import Core


def origin_of(core: Core, due: Due) -> Origin:
    """The origin of the events of a piece of work: the actor `system`, in a new trace."""
    return Origin(
        account=due.account,
        livemode=due.livemode,
        at=core.clock.now(),
        actor="system",
        traceparent=trace.begin(os.urandom(trace.RANDOM_BYTES)),
    )
