"""One command on one stream, as tests want it carried out."""

from collections.abc import Callable
from typing import Any

from events.decider import Command, Decider, Event, State
from events.record import Origin, Receipt
from events.transact import Executor
from events.unit_of_work import UnitOfWork

Answer = Callable[[State, Any], Any]  # from the state reached and the rows made of it, None when nothing changed


def nothing(state: Any, rows: Any) -> None:
    """No answer."""


async def create(
    executor: Executor,
    decider: Decider[State, Command, Event],
    id: str,
    command: Command,
    origin: Origin,
    *,
    answer: Answer[State] = nothing,
    record: Callable[[Any], Receipt] | None = None,
) -> Any:
    """Carry out a command on an object whose id is fresh; gives the answer."""

    async def act(unit: UnitOfWork) -> Any:
        unit.begin(decider, id)
        return answer(unit.do(decider, id, command), unit.rows_of(decider, id))

    return await executor.transact(act, origin, record=record)


async def update(
    executor: Executor,
    decider: Decider[State, Command, Event],
    id: str,
    command: Command,
    origin: Origin,
    *,
    answer: Answer[State] = nothing,
    record: Callable[[Any], Receipt] | None = None,
) -> Any:
    """Carry out a command on an object that may exist; gives the answer."""

    async def act(unit: UnitOfWork) -> Any:
        await unit.load(decider, id)
        return answer(unit.do(decider, id, command), unit.rows_of(decider, id))

    return await executor.transact(act, origin, serialized_on=(decider.stream(id),), record=record)
