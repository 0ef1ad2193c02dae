"""Audit reads: each read of history is recorded as an event of the audit trail before anything of it is shown."""

import getpass
from collections.abc import Mapping

from events import audit_trail
from events.audit_trail import AUDIT_TRAIL, RecordRead
from events.clock import Clock
from events.record import Origin
from events.scope import Scope
from events.transact import Executor
from events.unit_of_work import UnitOfWork

FILTER_CHARACTERS_MAX = 500
NO_FILTERS: Mapping[str, object] = {}


async def record_read(
    executor: Executor, origin: Origin, operation: str, subject: str = "", filters: Mapping[str, object] = NO_FILTERS
) -> None:
    """Record that the actor of `origin` reads history of its account and mode.

    `operation` is the name of the API's operation or of the command, `subject` the stream, if it is one. Filters that
    are None were not given. To be awaited before the answer is given: what cannot be recorded is not shown.
    Raises LogUnavailable, LockTimeout.
    """
    id = audit_trail.key(origin.scope, origin.at.date())
    given = {name: str(value)[:FILTER_CHARACTERS_MAX] for name, value in filters.items() if value is not None}
    command = RecordRead(filters=given, operation=operation, subject=subject)

    async def act(unit: UnitOfWork) -> None:
        await unit.load(AUDIT_TRAIL, id)
        unit.do(AUDIT_TRAIL, id, command)

    await executor.transact(act, origin, serialized_on=(AUDIT_TRAIL.stream(id),))


def operator(scope: Scope, clock: Clock) -> Origin:
    """The origin of a read by a command: the actor is the user of the operating system who ran it."""
    return Origin(scope.account, scope.livemode, clock.now(), actor=f"operator:{_user()}")


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user need not have a name
        return "unknown"
