"""Postgres: connection pools under the role of the service, and loading of .sql statements."""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from importlib import resources
from types import MappingProxyType
from typing import Any, NoReturn

import asyncpg

from events import availability
from events.availability import CONNECT_TIMEOUT_S, Availability
from events.database_tls import context_for
from events.database_url import InvalidDatabaseUrl, parse
from events.outage import (
    DRIVER_ERRORS,
    SERVICE_ROLE,
    STALE,
    VERSION_MIN,
    DatabaseUnavailable,
    Kind,
    diagnose,
    refusal,
    too_old,
)

STATEMENT_TIMEOUT_S = 30.0
NO_ARGUMENTS: Mapping[str, Any] = MappingProxyType({})
POOL_TIMEOUT_S = 15.0  # longest wait for a free connection of a pool
RELEASE_TIMEOUT_S = 1.0  # longest wait for the server to cancel an abandoned statement
# A host that disappears is given up after this time without an acknowledgement (TCP user timeout, keepalive).
TCP_TIMEOUT_S = 10
TCP_OPTIONS = (
    ("SO_KEEPALIVE", socket.SOL_SOCKET, 1),
    ("TCP_USER_TIMEOUT", socket.IPPROTO_TCP, TCP_TIMEOUT_S * 1000),
    ("TCP_KEEPIDLE", socket.IPPROTO_TCP, TCP_TIMEOUT_S // 2),
    ("TCP_KEEPINTVL", socket.IPPROTO_TCP, 1),
    ("TCP_KEEPCNT", socket.IPPROTO_TCP, TCP_TIMEOUT_S // 2),
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
    """A connection that is not reset between uses: our statements leave no session state, and a reset costs a round
    trip.
    """

    def __init__(self, protocol: Any, transport: asyncio.Transport, *more: Any, **named: Any) -> None:
        super().__init__(protocol, transport, *more, **named)
        _notice_silence(transport.get_extra_info("socket"))

    def get_reset_query(self) -> str:
        """Nothing to run on release."""
        return ""


def _notice_silence(connected: Any) -> None:
    if connected.family in (socket.AF_INET, socket.AF_INET6):
        for name, level, value in TCP_OPTIONS:
            if hasattr(socket, name):  # each system has its own
                connected.setsockopt(level, getattr(socket, name), value)


def load_sql(package: str, name: str) -> str:
    """The text of `package`/sql/`name`.sql."""
    return resources.files(package).joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")


def availability_of(dsn: str) -> Availability:
    """The availability of the database at a URL, as this process knows it."""
    return availability.of(dsn, lambda: open_connection(dsn, _arguments("watch"), _as_service()))


async def connect(dsn: str, *, application: str, **settings: str) -> ServiceConnection:
    """One connection under the role of the service. Raises DatabaseUnavailable."""
    known = availability_of(dsn)
    known.refuse()
    try:
        connection = await open_connection(dsn, _arguments(application), _as_service(settings))
    except DatabaseUnavailable as error:
        known.report(error)
        raise
    known.worked()
    return connection


async def open_connection(
    dsn: str, arguments: Mapping[str, Any] = NO_ARGUMENTS, settings: Mapping[str, str] = NO_ARGUMENTS
) -> ServiceConnection:
    """A connection to the first host that accepts it, beginning with the one that did so last.

    `settings` are set in the session and not at its start: poolers refuse or ignore unknown startup parameters.

    Raises DatabaseUnavailable, and reports nothing.
    """
    known = availability_of(dsn)
    refused: DatabaseUnavailable | None = None
    try:
        url = parse(dsn)
        context = context_for(url.for_driver)
    except InvalidDatabaseUrl as error:
        raise DatabaseUnavailable(f"DATABASE_URL {error}", Kind.MISCONFIGURED) from None
    secured = {} if context is None else {"ssl": context}
    hosts: Sequence[Any] = url.hosts
    for number in range(max(len(hosts), 1)):
        index = (known.host + number) % max(len(hosts), 1)
        where = {} if len(hosts) < 2 else {"host": hosts[index][0], "port": hosts[index][1]}
        try:
            connection: ServiceConnection = await asyncpg.connect(
                url.for_driver,
                connection_class=ServiceConnection,
                timeout=CONNECT_TIMEOUT_S,
                **where,
                **secured,
                **arguments,
            )
            await _set_up(connection, settings, known)
        except Exception as error:
            found = refusal(error, url)
            if found is None:
                raise
            # Of several errors that of a host which answers is the most useful.
            if refused is None or refused.kind in (Kind.UNREACHABLE, Kind.SILENT):
                refused = found
                refused.__cause__ = error
            continue
        known.host = index
        version = connection.get_server_version().major
        if version < VERSION_MIN:
            connection.terminate()
            raise too_old(version, url)
        return connection
    assert refused is not None
    raise refused


async def _set_up(connection: ServiceConnection, settings: Mapping[str, str], known: Availability) -> None:
    if not settings:
        return
    try:
        values = ", ".join(f"set_config('{name}', '{value}', false)" for name, value in settings.items())
        await connection.execute(f"SELECT {values}", timeout=CONNECT_TIMEOUT_S)
        row = await connection.fetchrow(availability.SERVER, timeout=CONNECT_TIMEOUT_S)
        known.reached(row["server"], read_only=row["read_only"])
    except BaseException:
        connection.terminate()
        raise


def _arguments(application: str) -> dict[str, Any]:
    return {
        "command_timeout": STATEMENT_TIMEOUT_S,
        "server_settings": {"application_name": f"rollbook {application}"},
    }


def _as_service(settings: Mapping[str, str] = NO_ARGUMENTS) -> dict[str, str]:
    return {
        "role": SERVICE_ROLE,
        "timezone": "UTC",
        "log_parameter_max_length_on_error": "0",  # else the server's log may quote what customers sent
        # Each statement of the append sees what was committed before it got the head row, and so must have a view of
        # its own, whatever the server's default is.
        "default_transaction_isolation": "read committed",
        **settings,
    }


class Pool:
    """A connection pool under the role of the service; connections are made on demand, and replaced when lost or
    outdated.

    Each method raises DatabaseUnavailable if the database is unavailable (the statement may or may not have been
    executed), and asyncpg.PostgresError if the statement itself failed.
    """

    def __init__(self, dsn: str, pool: asyncpg.Pool) -> None:
        self._dsn = dsn
        self._pool = pool
        self.availability = availability_of(dsn)
        self._generation = self.availability.generation

    async def fetch(self, query: str, *arguments: object, timeout: float | None = None) -> list[Any]:
        """The rows of a query."""
        connection = await self._take()
        try:
            rows: list[Any] = await connection.fetch(query, *arguments, timeout=timeout)
        except BaseException as error:
            await self._give_up(connection, error)
        await self._pool.release(connection)
        return rows

    async def fetchrow(self, query: str, *arguments: object, timeout: float | None = None) -> Any:
        """The first row of a query; None when there is none."""
        rows = await self.fetch(query, *arguments, timeout=timeout)
        return rows[0] if rows else None

    async def fetchval(self, query: str, *arguments: object, timeout: float | None = None) -> Any:
        """The first column of the first row of a query; None when there is none."""
        row = await self.fetchrow(query, *arguments, timeout=timeout)
        return None if row is None else row[0]

    async def execute(self, query: str, *arguments: object, timeout: float | None = None) -> str:
        """Execute a statement, or several without arguments; gives the status of the last."""
        connection = await self._take()
        try:
            status: str = await connection.execute(query, *arguments, timeout=timeout)
        except BaseException as error:
            await self._give_up(connection, error)
        await self._pool.release(connection)
        return status

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[asyncpg.Connection]:
        """Acquire a connection of the pool."""
        connection = await self._take()
        try:
            yield connection
        except BaseException as error:
            await self._give_up(connection, error)
        else:
            await self._pool.release(connection)

    async def close(self) -> None:
        """Close every connection after its current use."""
        await self._pool.close()

    async def _take(self) -> Any:
        if self._generation != self.availability.generation:
            self._generation = self.availability.generation
            await self._pool.expire_connections()
        try:
            connection = await self._pool.acquire(timeout=POOL_TIMEOUT_S)
        except TimeoutError:
            raise DatabaseUnavailable(f"No free connection within {POOL_TIMEOUT_S:.0f} s", Kind.BUSY) from None
        except asyncpg.InterfaceError as error:
            raise as_outage(error, self._dsn) from error
        self.availability.worked()
        return connection

    async def _give_up(self, connection: Any, error: BaseException) -> NoReturn:
        """Discard a connection after an error, and raise the error, as DatabaseUnavailable if it is about the
        database.
        """
        outage = as_outage(error, self._dsn) if isinstance(error, Exception) else error
        # One that was closed has left its pool by itself.
        with suppress(*DRIVER_ERRORS):
            stale = isinstance(outage, DatabaseUnavailable) and outage.kind in STALE
            if stale and not isinstance(error, TimeoutError):
                connection.terminate()
            await self._pool.release(connection, timeout=RELEASE_TIMEOUT_S)
        raise outage


def as_outage(error: Exception, dsn: str) -> Exception:
    """Convert a driver error about the database to DatabaseUnavailable, and report it; other errors are unchanged."""
    unavailable = diagnose(error, parse(dsn))
    if unavailable is None or unavailable is error:
        return error
    availability_of(dsn).report(unavailable)
    unavailable.__cause__ = error
    return unavailable


async def create_pool(dsn: str, *, application: str, size_max: int, **settings: str) -> Pool:
    """Create a pool, which connects at its first use, so that Postgres need not be available yet.

    Unless `settings` say otherwise its plans are pinned like those of the append: otherwise pages of a long list are
    planned again each time, which costs more than reading them.
    """

    async def connect_one(*_: Any, **__: Any) -> ServiceConnection:
        return await connect(dsn, application=application, **(settings or PINNED_PLANS))

    pool = await asyncpg.create_pool(
        dsn, min_size=0, max_size=size_max, connection_class=ServiceConnection, connect=connect_one
    )
    return Pool(dsn, pool)


class DedicatedConnection:
    """A dedicated connection for one kind of call, made on demand and replaced when lost. Calls do not overlap."""

    def __init__(self, dsn: str, *, application: str, **settings: str) -> None:
        self._dsn = dsn
        self._application = application
        self._settings = settings
        self._availability = availability_of(dsn)
        self._generation = 0
        self._connection: ServiceConnection | None = None
        self._statements: dict[str, Any] = {}

    async def fetch(self, query: str, *arguments: object) -> list[Any]:
        """Rows of one prepared statement.

        Raises DatabaseUnavailable if the connection cannot be made or is lost (the statement may or may not have been
        executed), and asyncpg.PostgresError if the statement itself failed.
        """
        try:
            if self._connection is None or self._connection.is_closed() or self._outdated:
                self._drop()
                self._statements = {}
                self._generation = self._availability.generation
                self._connection = await connect(self._dsn, application=self._application, **self._settings)
            statement = self._statements.get(query)
            if statement is None:
                statement = self._statements[query] = await self._connection.prepare(query)
            rows: list[Any] = await statement.fetch(*arguments)
        except DatabaseUnavailable:
            raise
        except (asyncio.CancelledError, GeneratorExit):
            self._drop()
            raise
        except Exception as error:
            outage = as_outage(error, self._dsn)
            if not isinstance(outage, DatabaseUnavailable):
                raise
            if outage.kind in STALE or isinstance(error, asyncpg.InvalidCachedStatementError):
                self._drop()
            raise outage from error
        return rows

    async def close(self) -> None:
        """Close the connection; it is opened again at the next use."""
        connection, self._connection = self._connection, None
        if connection is not None and not connection.is_closed():
            with suppress(*DRIVER_ERRORS):  # it is closed in any case
                await connection.close(timeout=CONNECT_TIMEOUT_S)

    @property
    def _outdated(self) -> bool:
        return self._generation != self._availability.generation

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None
