"""Replays of the log into scratch schemas: the owner's connection, the range, and the record of the read."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import asyncpg

from events.database import PINNED_PLANS, as_outage, open_connection
from events.outage import DRIVER_ERRORS
from events.scope import Scope
from projections import replay
from projections.replay import NotReplayed, Range, Replay
from service.commands.audit import operator, record_read
from service.history import HIDDEN, SECRETS
from service.wiring import Core

SESSION = {"timezone": "UTC", "log_parameter_max_length_on_error": "0", **PINNED_PLANS}  # slices go by the index
ARGUMENTS = {"server_settings": {"application_name": "rollbook replay"}}
SCOPES = "SELECT DISTINCT account, livemode FROM events.stream ORDER BY 1, 2"


@asynccontextmanager
async def owners_connection(core: Core) -> AsyncIterator[Any]:
    """A connection as the role of DATABASE_URL itself: the service's role may make no schema."""
    connection = await open_connection(core.dsn, ARGUMENTS, SESSION)
    try:
        yield connection
    except asyncpg.InsufficientPrivilegeError as error:
        raise NotReplayed(
            f"PostgreSQL refuses it ({error.message}): do it as the role that owns the database."
        ) from None
    except DRIVER_ERRORS as error:
        raise as_outage(error, core.dsn) from error
    finally:
        await connection.close()


async def range_of(connection: Any, until: int | datetime, start: int | datetime | None) -> Range:
    """The events after one position or time up to another. Raises NotReplayed where there are none."""
    head = await connection.fetchval("SELECT position FROM events.head")
    last = until if isinstance(until, int) else await replay.position_at(connection, until)
    first = start if isinstance(start, int) else 0 if start is None else await replay.position_at(connection, start)
    if last > head:
        raise NotReplayed(f"The log ends at position {head}.")
    if first >= last:
        raise NotReplayed("The log has no event in that range.")
    return Range(first, last)


async def record(core: Core, connection: Any, schema: str, events: Range) -> None:
    """Record in the audit trail of each account and mode that its history is read."""
    for row in await connection.fetch(SCOPES):
        origin = operator(Scope(row["account"], row["livemode"]), core.clock)
        filters = {"after": events.after, "into": schema, "until": events.until}
        await record_read(core.executor, origin, "replay", filters=filters)


def replay_over(core: Core, connection: Any) -> Replay:
    """What fills scratch schemas over an owner's connection."""
    return Replay(connection, core.folds, dict.fromkeys(SECRETS, HIDDEN))
