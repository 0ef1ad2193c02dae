"""Appends that wait in the database for as long as a test needs them to."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from tests.waiting import until

APPENDING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


@asynccontextmanager
async def appends_blocked(database: str) -> AsyncIterator[asyncpg.Connection]:
    """Every append of every process waits in the database until the block is left."""
    connection = await asyncpg.connect(database)
    try:
        async with connection.transaction():
            await connection.execute("SELECT FROM events.head FOR UPDATE")
            yield connection
    finally:
        await connection.close()


async def until_blocked(connection: asyncpg.Connection, appends: int = 1) -> None:
    """Return once so many appends wait."""

    async def waits() -> bool:
        await connection.execute("SELECT pg_stat_clear_snapshot()")  # else a transaction sees the first reading again
        count: int = await connection.fetchval(APPENDING)
        return count == appends

    await until(waits)
