"""Postgres: connections as the service's role, and the statements beside the code."""

import asyncio
from importlib import resources
from typing import Any

import asyncpg

from events.errors import LogUnavailable

SERVICE_ROLE = "rollbook_service"
CONNECT_TIMEOUT_S = 5.0
STATEMENT_TIMEOUT_S = 30.0

# What a lost or refused connection looks like, whoever noticed it.
LOST = (
    OSError,
    asyncio.TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # cut between two messages, the driver loses count of them
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.InvalidCatalogNameError,  # the database is not there, or not yet
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.IdleSessionTimeoutError,
    asyncpg.TooManyConnectionsError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InvalidParameterValueError,  # at connecting: the role is not there before the first migration
)

# Our statements' plans are made once and for all: pinned to indexes, whatever the statistics of a young table say, and
# never compiled at run time, which costs more than the statement.
PINNED_PLANS = {
    "jit": "off",
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
}


class ServiceConnection(asyncpg.Connection):  # type: ignore[misc]  # asyncpg is not typed
    """A connection that is not scrubbed between uses: we leave no session state behind, and it costs a round trip."""

    def get_reset_query(self) -> str:
        """Nothing to run on release."""
        return ""


def load_sql(package: str, name: str) -> str:
    """The text of `package`/sql/`name`.sql."""
    return resources.files(package).joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")


async def connect(dsn: str, *, application: str, **settings: str) -> ServiceConnection:
    """One connection as the service's role. Raises LogUnavailable when there is none to be had."""
    try:
        connection: ServiceConnection = await asyncpg.connect(
            dsn,
            connection_class=ServiceConnection,
            timeout=CONNECT_TIMEOUT_S,
            command_timeout=STATEMENT_TIMEOUT_S,
            server_settings=_server_settings(application, settings),
        )
    except LOST as error:
        raise LogUnavailable(f"no connection to Postgres: {type(error).__name__}") from error
    return connection


async def create_pool(dsn: str, *, application: str, size_max: int, **settings: str) -> asyncpg.Pool:
    """A pool that connects when it is first used, so that it can be made while Postgres is away.

    Unless `settings` say otherwise its plans are pinned like the append's: else pages of a long list are planned anew
    each time, which costs more than reading them.
    """
    return await asyncpg.create_pool(
        dsn,
        min_size=0,
        max_size=size_max,
        connection_class=ServiceConnection,
        timeout=CONNECT_TIMEOUT_S,
        command_timeout=STATEMENT_TIMEOUT_S,
        server_settings=_server_settings(application, settings or PINNED_PLANS),
    )


def _server_settings(application: str, settings: dict[str, str]) -> dict[str, str]:
    return {
        "application_name": f"rollbook {application}",
        "role": SERVICE_ROLE,
        "timezone": "UTC",
        # Each statement of the append sees what was committed before it got the head row, and so must have a view of
        # its own, whatever the server's default is.
        "default_transaction_isolation": "read committed",
        **settings,
    }


class DedicatedConnection:
    """One connection for one kind of call, made when needed and made again when lost. Calls do not overlap."""

    def __init__(self, dsn: str, *, application: str, **settings: str) -> None:
        self._dsn = dsn
        self._application = application
        self._settings = settings
        self._connection: ServiceConnection | None = None
        self._statements: dict[str, Any] = {}

    async def fetch(self, query: str, *arguments: object) -> list[Any]:
        """Rows of one prepared statement.

        Raises LogUnavailable when the connection cannot be made or is lost meanwhile (what was asked may or may not
        have happened), and asyncpg.PostgresError when the statement itself failed.
        """
        try:
            if self._connection is None or self._connection.is_closed():
                self._statements = {}
                self._connection = await connect(self._dsn, application=self._application, **self._settings)
            statement = self._statements.get(query)
            if statement is None:
                statement = self._statements[query] = await self._connection.prepare(query)
            rows: list[Any] = await statement.fetch(*arguments)
        except LOST as error:
            self._drop()
            raise LogUnavailable(f"Postgres was lost: {type(error).__name__}") from error
        except (asyncio.CancelledError, GeneratorExit):
            self._drop()
            raise
        return rows

    async def close(self) -> None:
        """Close it; it opens again when used again."""
        connection, self._connection = self._connection, None
        if connection is not None and not connection.is_closed():
            await connection.close(timeout=CONNECT_TIMEOUT_S)

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None
