"""Outages of PostgreSQL: classifies driver errors into failures of the server and failures of a statement.

Code that uses the database raises the result of `diagnose`, so that every role, listener and command reports the same
one-line cause, and knows whether a retry can help.
"""

import asyncio
import os
import socket
import ssl
from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Protocol

import asyncpg

from events.database_url import DatabaseUrl, InvalidDatabaseUrl
from events.errors import DatabaseUnsuitable, LogUnavailable

VERSION_MIN, VERSION_MAX = 15, 18
# X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH (OpenSSL, X509_STORE_CTX_get_error).
NAME_MISMATCHES = frozenset({62, 64})
# Exceptions of the driver about the server, the network, and its own state after a connection was cut between two
# messages.
DRIVER_ERRORS = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
SERVICE_ROLE = "rollbook_service"


class Kind(Enum):
    """Category of an outage, as /readyz reports it: strangers can read that, so it names no host, role or database."""

    UNREACHABLE = "PostgreSQL cannot be reached"
    TLS = "TLS with PostgreSQL fails"
    SILENT = "PostgreSQL does not answer"
    STARTING = "PostgreSQL is starting or stopping"
    BUSY = "PostgreSQL is busy"
    CROWDED = "PostgreSQL has no connection left"
    NO_DATABASE = "the database does not exist"
    LOGIN_REFUSED = "PostgreSQL refuses the login"
    NO_PERMISSION = "PostgreSQL denies a permission"
    READ_ONLY = "PostgreSQL is read-only"
    FULL = "PostgreSQL's disk is full"
    STORAGE = "PostgreSQL cannot read or write its files"
    NOT_MIGRATED = "not migrated"
    RETIRED_KEY = "ROLLBOOK_MASTER_KEY begins with a retired key"
    NOT_MIGRATABLE = "the database cannot be migrated"
    UNSUITABLE = "the database is not suitable"
    TOO_OLD = "PostgreSQL is too old"
    MISCONFIGURED = "DATABASE_URL cannot work"


# A retry helps against every other kind.
HOPELESS = frozenset({Kind.TOO_OLD, Kind.MISCONFIGURED})
# These errors make the connection unusable, and others to the same server.
STALE = frozenset(Kind) - {Kind.BUSY, Kind.FULL, Kind.NOT_MIGRATED, Kind.NO_PERMISSION, Kind.RETIRED_KEY}

ADVICE: Mapping[Kind, str] = MappingProxyType(
    {
        Kind.UNREACHABLE: "Is the server running, and is DATABASE_URL right?",
        Kind.CROWDED: "Raise max_connections, or the role's or database's connection limit, or run fewer processes.",
        Kind.NO_DATABASE: "Create it, or name another one in DATABASE_URL.",
        Kind.LOGIN_REFUSED: "Check role and password in DATABASE_URL, and the server's pg_hba.conf.",
        Kind.READ_ONLY: "It is a standby, or default_transaction_read_only is on.",
        Kind.FULL: "Free space on the server.",
        Kind.STORAGE: "See the server's log.",
        Kind.NOT_MIGRATED: "Run `rollbook migrate`.",
        Kind.TOO_OLD: f"Rollbook needs PostgreSQL {VERSION_MIN} to {VERSION_MAX}.",
    }
)


class Watcher(Protocol):
    """Verifies whether a reported error is an outage: see events/availability.py."""

    async def verdict(self, stop: asyncio.Event) -> bool:
        """Whether it is an outage; returns once it is over or `stop` is set."""
        ...


class DatabaseUnavailable(LogUnavailable):
    """The database is unavailable; the message is one line for operators, without secrets."""

    def __init__(self, message: str, kind: Kind, state: str = "") -> None:
        super().__init__(message)
        self.kind = kind
        self.state = state or kind.value  # for /readyz, which strangers may read
        self.reported_to: Watcher | None = None

    @property
    def hopeless(self) -> bool:
        """Whether a retry cannot help."""
        return self.kind in HOPELESS

    @property
    def advised(self) -> str:
        """The message, with advice."""
        advice = ADVICE.get(self.kind)
        return f"{self}. {advice}" if advice else f"{self}."


# By SQLSTATE (PostgreSQL's documentation, appendix A), the longest prefix first.
STATES: Mapping[str, Kind] = MappingProxyType(
    {
        "08": Kind.UNREACHABLE,
        "0A000": Kind.BUSY,  # only where a cached plan is outdated: see `_kind`
        "25006": Kind.READ_ONLY,
        "28": Kind.LOGIN_REFUSED,
        "3D000": Kind.NO_DATABASE,
        "3F000": Kind.NOT_MIGRATED,
        "40001": Kind.BUSY,
        "40P01": Kind.BUSY,
        "42501": Kind.NOT_MIGRATED,  # a restore without the privileges, for example
        "42703": Kind.NOT_MIGRATED,
        "42704": Kind.NOT_MIGRATED,
        "42883": Kind.NOT_MIGRATED,
        "42P01": Kind.NOT_MIGRATED,
        "53000": Kind.BUSY,
        "53100": Kind.FULL,
        "53200": Kind.BUSY,
        "53300": Kind.CROWDED,
        "53400": Kind.BUSY,
        "55P03": Kind.BUSY,
        "57014": Kind.BUSY,
        "57P01": Kind.STARTING,
        "57P02": Kind.STARTING,
        "57P03": Kind.STARTING,
        "57P04": Kind.NO_DATABASE,
        "57P05": Kind.UNREACHABLE,
        "58": Kind.STORAGE,
        "RB001": Kind.RETIRED_KEY,  # ours: see events/sql/functions/refuse_retired.sql
        "XX001": Kind.STORAGE,
        "XX002": Kind.STORAGE,
    }
)
# Meaning of the same SQLSTATEs in response to the startup message, which sets the role and our parameters.
STATES_AT_CONNECT: Mapping[str, Kind] = MappingProxyType(
    {
        "08P01": Kind.MISCONFIGURED,  # from a pooler, for parameters that it does not pass on
        "22023": Kind.NOT_MIGRATED,  # the role is not there before the first migration
        "42501": Kind.NO_PERMISSION,
        "42704": Kind.MISCONFIGURED,  # an unknown parameter in the URL
        "0A000": Kind.MISCONFIGURED,
    }
)


def diagnose(error: BaseException, url: DatabaseUrl, *, connecting: bool = False) -> DatabaseUnavailable | None:
    """The outage that an error indicates; None if the error is about the statement, or not from the database."""
    if isinstance(error, DatabaseUnavailable):
        return error
    if isinstance(error, InvalidDatabaseUrl):
        return DatabaseUnavailable(f"DATABASE_URL {error}", Kind.MISCONFIGURED)
    kind = _kind(error, connecting)
    if kind is None:
        return None
    return DatabaseUnavailable(f"{url} {_says(error, kind, url)}", kind)


def refusal(error: Exception, url: DatabaseUrl) -> DatabaseUnavailable | None:
    """The outage that an error during connection startup indicates; None if it is not from the database."""
    found = diagnose(error, url, connecting=True)
    if found is None and isinstance(error, asyncpg.PostgresError):
        return DatabaseUnavailable(f"{url} refuses the connection: {_reason(error)}", Kind.LOGIN_REFUSED)
    return found


def too_old(version: int, url: DatabaseUrl) -> DatabaseUnavailable:
    """The outage of a server whose major version is not supported."""
    return DatabaseUnavailable(f"{url} is version {version}", Kind.TOO_OLD)


def not_migratable(error: asyncpg.PostgresError, url: DatabaseUrl) -> DatabaseUnavailable:
    """The outage of a database in which a migration fails."""
    found = diagnose(error, url)
    if found is not None and found.kind is not Kind.NOT_MIGRATED:
        return found
    reason = f"{url} cannot be migrated: {_reason(error)} ({type(error).__name__})"
    return DatabaseUnavailable(reason, Kind.NOT_MIGRATABLE)


def failing(error: Exception, url: DatabaseUrl) -> DatabaseUnavailable:
    """The outage of a database in which an indispensable statement fails."""
    if isinstance(error, DatabaseUnsuitable):
        return DatabaseUnavailable(str(error), Kind.UNSUITABLE, error.state)
    return diagnose(error, url) or DatabaseUnavailable(
        f"{url} fails: {_reason(error)} ({type(error).__name__})", Kind.STORAGE
    )


def _kind(error: BaseException, connecting: bool) -> Kind | None:
    match error:
        case asyncpg.PostgresError():
            state = error.sqlstate or ""
            if connecting and state in STATES_AT_CONNECT:
                return STATES_AT_CONNECT[state]
            if state == "0A000" and not isinstance(error, asyncpg.InvalidCachedStatementError):
                return None
            return STATES.get(state) or STATES.get(state[:2])
        case asyncpg.TargetServerAttributeNotMatched():
            return Kind.READ_ONLY
        case asyncpg.ClientConfigurationError():
            return Kind.MISCONFIGURED
        case asyncpg.OutdatedSchemaCacheError():
            return Kind.BUSY
        case TimeoutError() | asyncio.TimeoutError():
            return Kind.SILENT
        case asyncpg.exceptions.DataError():
            return None  # an argument of our own
        case ssl.SSLError():
            return Kind.TLS
        case ConnectionError() if "rejected SSL upgrade" in str(error):
            return Kind.TLS
        # After a cut between two messages the driver loses its protocol state, and reports further use as a wrong use
        # of itself.
        case OSError() | asyncpg.InterfaceError() | asyncpg.InternalClientError():
            return Kind.LOGIN_REFUSED if connecting and isinstance(error, asyncpg.InterfaceError) else Kind.UNREACHABLE
        case ValueError() if connecting:
            return Kind.MISCONFIGURED
    return None


def _says(error: BaseException, kind: Kind, url: DatabaseUrl) -> str:
    """The message after the name of the server; only the first line of texts of others."""
    reason = _reason(error)
    match kind:
        case Kind.UNREACHABLE if isinstance(error, asyncpg.PostgresError | asyncpg.InternalClientError):
            return f"closed the connection: {reason}"
        case Kind.UNREACHABLE:
            return f"cannot be reached: {reason}"
        case Kind.TLS:
            return _tls_fails(error)
        case Kind.SILENT:
            return "does not answer in time"
        case Kind.LOGIN_REFUSED:
            return f"refuses the login: {reason}"
        case Kind.NO_PERMISSION:
            role = url.role or "its user"
            return f'refuses the login: {reason}. As its administrator run: GRANT {SERVICE_ROLE} TO "{role}"'
        case Kind.READ_ONLY if isinstance(error, asyncpg.TargetServerAttributeNotMatched):
            return "has no primary among its hosts"
        case Kind.READ_ONLY:
            return f"is read-only: {reason}"
        case Kind.NOT_MIGRATED:
            return f"has not the tables and functions of this version: {reason}"
        case Kind.MISCONFIGURED if isinstance(error, asyncpg.ProtocolViolationError):
            return f"is behind a pooler that refuses our connections: {reason}"
        case Kind.MISCONFIGURED if isinstance(error, asyncpg.PostgresError):
            return f"refuses a parameter of DATABASE_URL: {reason}"
        case Kind.MISCONFIGURED if isinstance(error, ValueError):
            return "cannot be connected to with this DATABASE_URL" + (
                f": {reason}" if isinstance(error, asyncpg.ClientConfigurationError) else ""
            )
    return f"says: {reason}"


def _tls_fails(error: BaseException) -> str:
    match error:
        case ssl.SSLCertVerificationError():
            advice = (
                "Name the server in DATABASE_URL by a name that its certificate is valid for"
                if error.verify_code in NAME_MISMATCHES
                else "Set sslrootcert in DATABASE_URL to the file of its authority's certificate, or to `system`"
            )
            return f"shows a certificate that is not accepted: {error.verify_message.rstrip('.')}. {advice}"
        case ssl.SSLError():
            return f"does not agree on TLS: {error.reason or type(error).__name__}"
    return "has no TLS, and sslmode in DATABASE_URL requires it. Turn ssl on at the server, or choose another sslmode"


def _reason(error: BaseException) -> str:
    match error:
        case OSError() if error.strerror:
            # asyncio replaces the system's message by the address; for name resolution its message is right.
            return error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno or 0)
    text = str(error.args[0]) if error.args else ""
    lines = text.strip().splitlines()
    return lines[0].strip().rstrip(".") if lines else type(error).__name__
