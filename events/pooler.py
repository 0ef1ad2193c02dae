"""Connection poolers between this process and PostgreSQL, such as PgBouncer.

In session mode a pooled connection is as good as one of our own. In transaction mode a session is shared, and what we
keep in ours would be lost, or met by others: the role, pinned plans, prepared statements, notifications that are
listened for, the relay's advisory lock. So that is refused, when it is found at the start.
"""

from typing import Any

from events.database import as_outage, open_connection
from events.database_url import parse
from events.outage import DRIVER_ERRORS, DatabaseUnavailable, Kind

UNNAMED = {"statement_cache_size": 0}  # prepared statements that need no session
STATEMENT_MODE = "transaction blocks not allowed in statement pooling mode"  # PgBouncer's words
OUR_SESSION = "SELECT pg_backend_pid()"


async def require_sessions(dsn: str) -> None:
    """Raises DatabaseUnavailable, of a kind that waiting cannot help, where sessions are shared with other processes.

    Costs a direct connection one statement: a pooler is known by giving another process id than PostgreSQL's.
    """
    try:
        shared = await _is_shared(dsn)
    except DRIVER_ERRORS as error:
        if STATEMENT_MODE not in str(error):
            raise as_outage(error, dsn) from error
        shared = True
    if shared:
        raise DatabaseUnavailable(
            f"{parse(dsn)} is a pooler in transaction or statement mode, where sessions are shared, and Rollbook needs "
            "its own for notifications, advisory locks and prepared statements: set pool_mode = session there, or "
            "connect to PostgreSQL itself",
            Kind.MISCONFIGURED,
        )


async def _is_shared(dsn: str) -> bool:
    first = await open_connection(dsn, UNNAMED)
    try:
        session = await _session(first)
        if session == first.get_server_pid():
            return False
        second = await open_connection(dsn, UNNAMED)
        try:
            async with second.transaction():
                # The first one is idle, so in transaction mode its session is given to the second, or, where that is
                # given another, the first gets one that it did not have.
                return session == await second.fetchval(OUR_SESSION) or session != await _session(first)
        finally:
            second.terminate()
    finally:
        first.terminate()


async def _session(connection: Any) -> int:
    async with connection.transaction():
        pid: int = await connection.fetchval(OUR_SESSION)
    return pid
