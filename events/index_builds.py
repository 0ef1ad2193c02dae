"""Concurrent index builds: the indexes of pending migrations, built while the service goes on writing.

A migration is one transaction, in which `CREATE INDEX` makes writes wait until it is built. So what pending migrations
create on tables that are there is built first, by `CREATE INDEX CONCURRENTLY`, and the migration finds it. Whatever
cannot be built so (a table or column that the migration itself makes, a partitioned table) is left to the migration.
A build that was interrupted leaves an invalid index, which is dropped and built again.
"""

import asyncio
import re
from collections.abc import Iterable

import asyncpg

BUILD_LOCK = 0x0_7011_B00D
POLL_S = 0.2
INDEX = re.compile(r"^CREATE (UNIQUE )?INDEX (\w+)(\s+ON (\w+)(\.\w+)\b[^;]*);", re.MULTILINE)
LEFT_TO_THE_MIGRATION = (
    asyncpg.InsufficientPrivilegeError,
    asyncpg.UndefinedColumnError,
    asyncpg.UndefinedFunctionError,
    asyncpg.UndefinedObjectError,
    asyncpg.UniqueViolationError,  # what the migration may mend first, or report
)
PLAIN_TABLE = "SELECT relkind = 'r' FROM pg_class WHERE oid = to_regclass($1)"
VALID = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass($1)"


def unless_built(text: str) -> str:
    """A migration's text, with the indexes that are built already left out."""
    return INDEX.sub(r"CREATE \1INDEX IF NOT EXISTS \2\3;", text)


def tables(text: str) -> list[str]:
    """The tables that a migration's text creates indexes on."""
    return [match[4] + match[5] for match in INDEX.finditer(text)]


async def build(connection: asyncpg.Connection, texts: Iterable[str]) -> None:
    """Build the indexes that these migrations create. Raises asyncpg.PostgresError.

    One process builds at a time. Others poll for its lock: a session that waits for one in PostgreSQL has a snapshot,
    which the build would wait for.
    """
    found = [match for text in texts for match in INDEX.finditer(text)]
    if not found:
        return
    while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", BUILD_LOCK):  # noqa: ASYNC110  # see above
        await asyncio.sleep(POLL_S)
    try:
        await connection.execute("SET statement_timeout = 0")
        for match in found:
            unique, name, what, schema, table = match.groups(default="")
            if await _is_plain_table(connection, schema + table):
                await _build(connection, f"{schema}.{name}", f"CREATE {unique}INDEX CONCURRENTLY {name}{what}")
    finally:
        if not connection.is_closed():
            await connection.execute("SELECT pg_advisory_unlock($1)", BUILD_LOCK)


async def _is_plain_table(connection: asyncpg.Connection, name: str) -> bool:
    try:
        return bool(await connection.fetchval(PLAIN_TABLE, name))
    except asyncpg.InsufficientPrivilegeError:  # the migration says who owns the schema
        return False


async def _build(connection: asyncpg.Connection, name: str, statement: str) -> None:
    valid = await connection.fetchval(VALID, name)
    if valid:
        return
    if valid is False:
        await connection.execute(f"DROP INDEX CONCURRENTLY {name}")
    try:
        await connection.execute(statement)
    except LEFT_TO_THE_MIGRATION:
        if await connection.fetchval(VALID, name) is False:
            await connection.execute(f"DROP INDEX CONCURRENTLY {name}")
