"""What an error says about the database, in one line, and whether waiting can help."""

import errno
import os
import socket

import asyncpg
import pytest

from events.database_url import InvalidDatabaseUrl, parse
from events.outage import Kind, diagnose, refusal, too_old

URL = parse("postgresql://app:secret@db.example:6432/shop")
WHERE = 'PostgreSQL at db.example port 6432 (database "shop", role "app")'


def error(state: str, message: str) -> asyncpg.PostgresError:
    """An error as the server sends it."""
    made: asyncpg.PostgresError = asyncpg.PostgresError.new({"S": "ERROR", "C": state, "M": message})
    return made


@pytest.mark.parametrize(
    ("met", "kind", "said"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed"), Kind.UNREACHABLE, "Connection refused"),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), Kind.UNREACHABLE, "Name or service not"),
        (ConnectionError('PostgreSQL server at "x:1" rejected SSL upgrade'), Kind.TLS, "has no TLS, and"),
        (TimeoutError(), Kind.SILENT, "does not answer in time"),
        (error("28P01", 'password authentication failed'), Kind.LOGIN_REFUSED, "refuses the login: pass"),
        (error("28000", "no pg_hba.conf entry"), Kind.LOGIN_REFUSED, "refuses the login: no pg_hba.conf entry"),
        (error("3D000", 'database "shop" does not exist'), Kind.NO_DATABASE, 'says: database "shop" does not exist'),
        (error("42501", 'permission denied to set role'), Kind.NO_PERMISSION, 'GRANT rollbook_service TO "app"'),
        (error("22023", 'role "rollbook_service" does not exist'), Kind.NOT_MIGRATED, "Run `rollbook migrate`"),
        (error("53300", "sorry, too many clients already"), Kind.CROWDED, "Raise max_connections"),
        (error("57P03", "the database system is starting up"), Kind.STARTING, "is starting up"),
        (error("42704", 'unrecognized configuration parameter "schema"'), Kind.MISCONFIGURED, "refuses a parameter of"),
        (error("08P01", "unsupported startup parameter: role"), Kind.MISCONFIGURED, "is behind a pooler that refuses"),
        (error("55000", "database is not accepting connections"), Kind.LOGIN_REFUSED, "refuses the connection"),
        (asyncpg.TargetServerAttributeNotMatched("none"), Kind.READ_ONLY, "has no primary among its hosts"),
    ],
)  # fmt: skip
def test_what_refuses_a_connection_is_one_line(met: Exception, kind: Kind, said: str) -> None:
    found = refusal(met, URL)
    assert found is not None
    assert found.kind is kind
    assert found.advised.startswith(WHERE)
    assert said in found.advised
    assert "\n" not in found.advised
    assert "secret" not in found.advised
    assert found.hopeless == (kind in (Kind.MISCONFIGURED, Kind.TOO_OLD))


@pytest.mark.parametrize(
    ("met", "kind"),
    [
        (error("25006", "cannot execute INSERT in a read-only transaction"), Kind.READ_ONLY),
        (error("53100", "could not extend file: No space left on device"), Kind.FULL),
        (error("58030", "could not write block"), Kind.STORAGE),
        (error("XX001", "invalid page in block 7"), Kind.STORAGE),
        (error("42P01", 'relation "events.log" does not exist'), Kind.NOT_MIGRATED),
        (error("42883", "function events.append does not exist"), Kind.NOT_MIGRATED),
        (error("42501", "permission denied for schema events"), Kind.NOT_MIGRATED),
        (error("57P01", "terminating connection due to administrator command"), Kind.STARTING),
        (error("57014", "canceling statement due to user request"), Kind.BUSY),
        (error("40P01", "deadlock detected"), Kind.BUSY),
        (asyncpg.InterfaceError("connection is closed"), Kind.UNREACHABLE),
        (asyncpg.InternalClientError("got result for unknown protocol state 3"), Kind.UNREACHABLE),
        (OSError(errno.ECONNRESET, os.strerror(errno.ECONNRESET)), Kind.UNREACHABLE),
    ],
)
def test_what_makes_a_statement_fail_is_the_databases(met: Exception, kind: Kind) -> None:
    found = diagnose(met, URL)
    assert found is not None
    assert found.kind is kind
    assert not found.hopeless
    assert found.state == kind.value, "which names no host, role or database"


@pytest.mark.parametrize(
    "met",
    [
        error("23505", "duplicate key value"),
        error("22012", "division by zero"),
        error("0A000", "not supported"),
        asyncpg.exceptions.DataError("invalid input for query argument $1"),
        ValueError("ours"),
        KeyError("ours"),
    ],
)
def test_what_is_a_statements_own_is_none_of_the_databases(met: Exception) -> None:
    assert diagnose(met, URL) is None


def test_a_server_that_is_too_old_is_named_with_the_versions_that_will_do() -> None:
    assert too_old(13, URL).advised == f"{WHERE} is version 13. Rollbook needs PostgreSQL 15 to 18."
    assert too_old(13, URL).hopeless


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("postgresql://app@h/d", "h port 5432"),
        ("postgres://app:p%40ss@h:1/d?sslmode=require", "h port 1"),
        ("postgresql://app@h1,h2:2/d", "h1 port 5432 or h2 port 2"),
        ("postgresql://app@[::1]:7/d", "::1 port 7"),
        ("postgresql://app@/d?host=%2Frun%2Fpg&port=9", "/run/pg/.s.PGSQL.9"),
        ("postgresql:///d", None),
    ],
)
def test_a_url_names_its_server(url: str, server: str | None) -> None:
    assert parse(url).server == (f"PostgreSQL at {server}" if server else "PostgreSQL on this machine")


def test_what_only_libpq_understands_is_left_out() -> None:
    url = parse("postgresql://a:b@h/d?sslmode=require&channel_binding=require&connect_timeout=3&options=-c%20a%3Db")
    assert url.for_driver == "postgresql://a:b@h/d?sslmode=require&options=-c+a%3Db"
    assert url.warnings[0].startswith("channel_binding=require is not enforced")
    assert parse("postgresql://a@h/d?channel_binding=prefer").warnings == ()


def test_of_several_hosts_the_primary_is_meant() -> None:
    assert parse("postgresql://a@h1,h2/d").for_driver.endswith("?target_session_attrs=primary")
    assert parse("postgresql://a@h1,h2/d?target_session_attrs=any").for_driver.endswith("?target_session_attrs=any")


@pytest.mark.parametrize(
    "url",
    [
        "foo",
        "mysql://root:hunter2@h/d",
        "postgresql://app:hunter2/x@h/d",
        "postgresql://app:hunter2@x@h/d",
        "postgresql://app:hunter2#@h/d",
        "postgresql://app:hunter2@h:port/d",
        "postgresql://app:hunter2@h:0/d",
        "postgresql://app:hunter2@h1,,h2/d",
        "postgresql://app:hunter2@[::1/d",
        "postgresql://app:hunter2@h/d?sslmode=maybe",
        "postgresql://app:hunter2@h/d?hostaddr=1.2.3.4",
        "postgresql://app:hunter2@h/d?hunter2",
        "host=h user=app password=hunter2",
    ],
)
def test_a_url_that_can_never_work_is_refused_without_being_quoted(url: str) -> None:
    with pytest.raises(InvalidDatabaseUrl) as refused:
        parse(url)
    assert "hunter2" not in str(refused.value)
