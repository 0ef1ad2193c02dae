"""Erasure and legal holds for operators, who act on customers of any account and mode."""

import os
from collections.abc import Mapping

from events import ids
from events.customer import CUSTOMER, KIND
from events.customer.erasure import EraseCustomer, Hold, PlaceHold, ReleaseHold
from events.errors import Missing
from events.history import History
from events.record import Origin
from events.unit_of_work import UnitOfWork
from service.commands.audit import operator
from service.wiring import Core


async def erase(
    core: Core,
    id: str,
    basis: str,
    *,
    requested_by: str,
    cancel_subscriptions: bool = False,
    account: str | None = None,
) -> bool:
    """Erase a customer, of that account if one is given; gives whether it was not erased before.

    Raises Missing, NotErasable, LockTimeout, LogUnavailable.
    """
    origin = await _origin(core, id)
    if account not in (None, origin.account):
        raise Missing(KIND, id)
    command = EraseCustomer(
        id=id,
        at=int(origin.at.timestamp()),
        basis=basis,
        cancel_subscriptions=cancel_subscriptions,
        requested_by=requested_by,
    )
    return await core.eraser.erase(command, origin)


async def place_hold(core: Core, id: str, reason: str) -> None:
    """Forbid the erasure of a customer. Raises Missing, Refusal."""
    origin = await _origin(core, id)
    hold = ids.new("hold", os.urandom(ids.ID_BYTES))
    await _do(core, id, origin, PlaceHold(id=hold, at=int(origin.at.timestamp()), reason=reason))


async def release(core: Core, id: str) -> None:
    """Release every hold of a customer. Raises Missing."""
    origin = await _origin(core, id)
    await _do(core, id, origin, ReleaseHold(id=None, at=int(origin.at.timestamp())))


async def holds(core: Core, id: str) -> Mapping[str, Hold]:
    """The holds of a customer. Raises Missing."""
    state = await core.executor.state(CUSTOMER, id, await _origin(core, id))
    return state.erasure.holds


async def _do(core: Core, id: str, origin: Origin, command: PlaceHold | ReleaseHold) -> None:
    async def act(unit: UnitOfWork) -> None:
        await unit.load(CUSTOMER, id)
        unit.do(CUSTOMER, id, command)

    await core.executor.transact(act, origin, serialized_on=(CUSTOMER.stream(id),))


async def _origin(core: Core, id: str) -> Origin:
    """The operator as who acts on a customer. Raises Missing."""
    head = await History(core.pool).head(CUSTOMER.stream(id))
    if head is None:
        raise Missing(KIND, id)
    return operator(head.scope, core.clock)
