"""Databases for tests, migrated and empty: cloned from a template, and used again where a test left only rows behind.

A clone costs the server ten times what emptying one does. A database is used again when its catalogs are as the
template's are (no table, constraint, trigger, privilege or planner statistic was touched: the transaction that wrote
each row of them is compared) and it has not grown; any other is dropped. The partitions of today are there already, so
that a test that appends makes none; `take_fresh` gives a database that has none.
"""

import secrets

import asyncpg

from events.clock import SystemClock
from events.database import create_pool
from events.migrate import migrate
from service.jobs.partitions import maintain
from tests.servers.postgres import with_database

GROWTH_BYTES_MAX = 4 * 1024 * 1024
FIRST_OID = 16384  # FirstNormalObjectId: what is numbered below came with PostgreSQL
END_TIMEOUT_MS = 10_000

OF_USERS = {  # by the column that says whose it is
    "pg_class": "oid",
    "pg_attribute": "attrelid",
    "pg_attrdef": "adrelid",
    "pg_constraint": "conrelid",
    "pg_index": "indexrelid",
    "pg_inherits": "inhrelid",
    "pg_trigger": "tgrelid",
    "pg_rewrite": "ev_class",
    "pg_proc": "oid",
    "pg_type": "oid",
    "pg_namespace": "oid",
    "pg_statistic": "starelid",
    "pg_extension": "oid",
    "pg_publication": "oid",
    "pg_default_acl": "oid",
}
SIGNATURE = (
    " UNION ALL ".join(
        f"SELECT '{catalog}', count(*), sum(xmin::text::bigint)::text FROM {catalog} WHERE {owner} >= {FIRST_OID}"
        for catalog, owner in OF_USERS.items()
    )
    + f"""
    UNION ALL SELECT 'sizes', sum(relpages)::bigint, sum(reltuples)::text FROM pg_class WHERE oid >= {FIRST_OID}
        AND relkind IN ('r', 'p')
    UNION ALL SELECT 'settings', count(*), '' FROM pg_db_role_setting
        WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
)
TABLES = f"SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND oid >= {FIRST_OID} ORDER BY oid"
END_OTHERS = f"""
    SELECT bool_and(pg_terminate_backend(pid, {END_TIMEOUT_MS})) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


class Databases:
    """The databases on one server, for one session of tests; `open` before and `close` after."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._fresh = f"rollbook_template_{secrets.token_hex(4)}"
        self._template = f"{self._fresh}_today"
        self._clean: list[str] = []
        self._names: set[str] = set()
        self._signature: list[asyncpg.Record] = []
        self._empty = ""
        self._size_bytes = 0

    async def open(self) -> None:
        """Make the templates."""
        await self._execute(f"CREATE DATABASE {self._fresh}")
        await migrate(self.dsn(self._fresh))
        await self._execute(f"CREATE DATABASE {self._template} TEMPLATE {self._fresh}")
        pool = await create_pool(self.dsn(self._template), application="test", size_max=1)
        try:
            await maintain(pool, SystemClock())
        finally:
            await pool.close()
        connection = await asyncpg.connect(self.dsn(self._template))
        try:
            self._signature = await connection.fetch(SIGNATURE)
            self._size_bytes = await connection.fetchval("SELECT pg_database_size(current_database())")
            self._empty = await self._emptying(connection)
        finally:
            await connection.close()

    async def close(self) -> None:
        """Drop every database that was made."""
        for name in (*self._names, self._template, self._fresh):
            await self._drop(name)

    def dsn(self, name: str) -> str:
        """Where the database of this name is."""
        return with_database(self._dsn, name)

    async def take(self) -> str:
        """The name of a migrated, empty database that nobody else uses."""
        if self._clean:
            return self._clean.pop()
        return await self._clone(self._template)

    async def take_fresh(self) -> str:
        """The name of a database as the migrations leave it, without a partition."""
        return await self._clone(self._fresh)

    async def give_back(self, name: str) -> None:
        """Empty the database for the next test, ending whatever is still connected, or drop it."""
        if await self._is_empty_again(name):
            self._clean.append(name)
        else:
            await self._drop(name)
            self._names.discard(name)

    async def _clone(self, template: str) -> str:
        name = f"rollbook_test_{secrets.token_hex(4)}"
        await self._execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        self._names.add(name)
        return name

    async def _is_empty_again(self, name: str) -> bool:
        try:
            connection = await asyncpg.connect(self.dsn(name))
        except (OSError, asyncpg.PostgresError):  # the test renamed it, dropped it, or lets nobody in
            return False
        try:
            await connection.execute(END_OTHERS)
            if await connection.fetch(SIGNATURE) != self._signature:
                return False
            await connection.execute(self._empty)
            size_bytes: int = await connection.fetchval("SELECT pg_database_size(current_database())")
            return size_bytes < self._size_bytes + GROWTH_BYTES_MAX
        except asyncpg.PostgresError:  # emptying needs rights that the tests' role may not have
            return False
        finally:
            await connection.close()

    async def _emptying(self, connection: asyncpg.Connection) -> str:
        """The statements that give every table the rows that it has now, past triggers and foreign keys."""
        statements = ["BEGIN", "SET LOCAL session_replication_role = replica", "SET LOCAL synchronous_commit = off"]
        for (table,) in await connection.fetch(TABLES):
            statements.append(f"DELETE FROM {table}")
            for (row,) in await connection.fetch(f"SELECT quote_literal(each::text) FROM {table} AS each"):
                statements.append(f"INSERT INTO {table} SELECT ({row}::{table}).*")
        return ";\n".join([*statements, "SELECT pg_stat_reset()", "COMMIT"])

    async def _drop(self, name: str) -> None:
        await self._execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    async def _execute(self, statement: str) -> None:
        connection = await asyncpg.connect(self._dsn)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()
