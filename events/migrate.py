"""The migration runner: migrates a database to the schema of this version, and reports how the two differ.

Migrations expand first and contract later: processes of the previous release keep working while `rollbook migrate` of
the next one runs, and afterwards. So a migration adds columns (with defaults), tables and functions; what the previous
release calls (a function's arguments and result, an attribute of a composite type) goes a release later. A migration
that keeps this promise opens with a line

    -- compatible from: events/migrations/0007_name.sql

naming a migration: processes that know that one work with the database after this one too. They stay ready. Without
the line only processes that know the migration itself do.

The locks on tables that are altered are taken before anything is changed, all of them within a time that is shorter
than PostgreSQL's deadlock_timeout: so of a deadlock with the running service the victim is the migration, which is
tried again, and not a statement of the service.

A function file replaces its functions whenever its text changed. One whose result or arguments changed cannot be
replaced in place: the new one is created beside it, and it has another name until the calls that run are over. A call
that began before the migration may have waited for its locks, and PostgreSQL looks the function up again as it returns.
"""

import asyncio
import hashlib
import random
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources

import asyncpg

from events import index_builds
from events.database import Pool, as_outage, load_sql, open_connection
from events.database_url import parse
from events.errors import DatabaseUnsuitable
from events.master_key import require_keys
from events.outage import DRIVER_ERRORS, SERVICE_ROLE, not_migratable

PACKAGES = ("events", "projections", "webhooks")  # in the order in which they stand on each other
SCHEMAS = (*PACKAGES, "keys")
MIGRATION_LOCK = 0x0_7011_B00C
# Others queue behind a migration that waits for its locks, so it waits for a short time, and is tried again. It is
# shorter than PostgreSQL's deadlock_timeout (1 s).
LOCK_TIMEOUT_S = 0.5
TRIES_MAX = 30
PAUSE_S = 1.0
GRANTS = "grants"  # the row of events.migration with the digest of who may do what; in lists, that it was granted again
NOT_MIGRATED = "not migrated"
SHOWN_MAX = 3  # names in a message
RETIRED = "__replaced"  # ends the names of functions that were replaced by others, until their last calls are over
LAST_CALLS_S_MAX = 5.0  # how long a migration waits for those; what is left is dropped by the next one
POLL_S = 0.02

# What passes when the migration is tried again: the running service held a lock, or changed the same row of a catalog
# ("tuple concurrently updated").
CONTENDED = (
    asyncpg.DeadlockDetectedError,
    asyncpg.LockNotAvailableError,
    asyncpg.SerializationError,
    asyncpg.InternalServerError,
)

COMPATIBLE_FROM = re.compile(r"^-- compatible from: (\S+)$", re.MULTILINE)
GRANT = re.compile(r"^(?:GRANT|REVOKE)\b[^;]*;", re.MULTILINE)
CHANGED = re.compile(r"^(?:ALTER|DROP) (?:TABLE|INDEX)(?: IF EXISTS)?(?: ONLY)? (\w+\.\w+)", re.MULTILINE)
TRIGGER = re.compile(r"^CREATE (?:OR REPLACE )?TRIGGER[^;]*? ON (\w+\.\w+)", re.MULTILINE)
TABLE_OF = (  # itself, or that of an index
    "SELECT coalesce((SELECT indrelid::regclass::text FROM pg_index WHERE indexrelid = c.oid), c.oid::regclass::text) "
    "FROM pg_class c WHERE c.oid = to_regclass($1) AND c.relkind IN ('r', 'p', 'i', 'I')"
)
FUNCTION = re.compile(r"^CREATE OR REPLACE (?:FUNCTION|PROCEDURE) (\w+)\.(\w+)", re.MULTILINE | re.IGNORECASE)

# Not there before the first migration; not readable after one of an early release, or a restore without privileges.
READABLE = (
    "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'events' "
    "AND c.relname = 'migration' AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')"
)
RETIRED_FUNCTIONS = (
    "SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace "
    "WHERE n.nspname = ANY($1) AND right(p.proname, length($2)) = $2"
)
OTHER_TRANSACTIONS = (
    "SELECT l.virtualtransaction FROM pg_locks l JOIN pg_stat_activity a USING (pid) "
    "WHERE l.locktype = 'virtualxid' AND a.datname = current_database() AND l.pid <> pg_backend_pid() "
    "AND coalesce(a.backend_type, 'client backend') = 'client backend'"  # null for another role's
)
APPLIED = "SELECT name, digest, to_jsonb(m) ->> 'compatible_from' AS compatible_from FROM events.migration m"


@dataclass(frozen=True, slots=True)
class Applied:
    """What the database has of one file."""

    digest: str
    compatible_from: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """How the database's schema differs from the one this code needs, by the names of files."""

    missing: Sequence[str] = ()  # migrations and functions the database has not had
    changed: Sequence[str] = ()  # functions that have another text there
    edited: Sequence[str] = ()  # migrations that were applied with another text
    newer: Sequence[str] = ()  # migrations that this code does not know, and that it cannot work with
    compatible: Sequence[str] = ()  # migrations that it does not know either, which were made for it to go on
    ungranted: bool = False  # privileges are not as the last migration left them; only `check` looks

    @property
    def fault(self) -> str | None:
        """Why this code cannot work with the database, and what to do; None when it can.

        Functions of another text are no fault: the next release's migration replaces them under running processes.
        """
        if self.newer:
            return (
                f"The database was migrated by a newer version of Rollbook ({_listed(self.newer)}): "
                "start that version here too"
            )
        if self.edited:
            return (
                f"The text of an applied migration differs from that of this version ({_listed(self.edited)}): "
                "shipped migrations must not be edited; install the release that made this database"
            )
        if self.missing:
            return _not_migrated(self.missing)
        return None

    @property
    def state(self) -> str:
        """The fault in a few words."""
        return (
            "migrated by a newer version" if self.newer else "a migration was edited" if self.edited else NOT_MIGRATED
        )

    def require(self, *, functions: bool = False) -> None:
        """Raises DatabaseUnsuitable when this code cannot work with the database; with `functions` they count too.

        Those of another text are not of a newer release where no migration of one is there.
        """
        if self.fault is not None:
            raise DatabaseUnsuitable(self.fault, self.state)
        if functions and self.changed and not self.compatible:
            raise DatabaseUnsuitable(_not_migrated(self.changed), NOT_MIGRATED)

    @property
    def pending(self) -> Sequence[str]:
        """What `migrate` would apply."""
        return [] if self.compatible else [*self.missing, *self.changed, *([GRANTS] if self.ungranted else [])]


def compare(applied: Mapping[str, Applied]) -> Difference:
    """How a database with these files applied differs from what this code needs."""
    migrations = {name: text for package in PACKAGES for name, text in sql_files(package, "migrations")}
    functions = {name: text for package in PACKAGES for name, text in sql_files(package, "sql/functions")}
    ours = {f"{package}/migrations/" for package in PACKAGES}
    unknown = [name for name in applied if name not in migrations and any(map(name.startswith, ours))]
    return Difference(
        missing=[name for name in (*migrations, *functions) if name not in applied],
        changed=[name for name, text in functions.items() if name in applied and applied[name].digest != _digest(text)],
        edited=[name for name, text in migrations.items() if name in applied and applied[name].digest != _digest(text)],
        newer=[name for name in unknown if applied[name].compatible_from not in migrations],
        compatible=[name for name in unknown if applied[name].compatible_from in migrations],
    )


async def difference(connection: asyncpg.Connection | Pool) -> Difference:
    """How the database of a connection differs from what this code needs. Raises asyncpg.PostgresError."""
    if not await connection.fetchval(READABLE):
        return compare({})
    rows = await connection.fetch(APPLIED)
    return compare({row["name"]: Applied(row["digest"], row["compatible_from"]) for row in rows})


async def check(dsn: str) -> Difference:
    """What `migrate` would find. Raises LogUnavailable."""
    connection = await open_connection(dsn)
    try:
        found = await difference(connection)
        if found.pending or found.compatible or found.newer:
            return found
        return replace(found, ungranted=not await _granted(connection))
    finally:
        await connection.close()


async def migrate(dsn: str) -> list[str]:
    """Bring the database to the schema this code needs; gives the names of what was applied.

    A fresh database gets the `schema.sql` of each package; an older one gets the migrations it has not had. What the
    service's role may do is granted again where it is not as it was left, as after a restore without privileges; where
    nothing else was applied, the one name given is `grants`. An advisory lock lets several processes start at once;
    everything happens in one transaction, so a kill leaves the old schema or the new one; but for indexes of tables
    that are there, which are built before it while writes go on (events/index_builds.py). Raises DatabaseUnsuitable
    when an operator has to do something first, LogUnavailable.
    """
    connection = await open_connection(dsn)
    try:
        for tries in range(1, TRIES_MAX + 1):
            try:
                await index_builds.build(connection, await _pending_on_tables(connection))
                async with connection.transaction():
                    await connection.execute("SET LOCAL statement_timeout = 0")
                    await connection.execute("SELECT pg_advisory_xact_lock($1)", MIGRATION_LOCK)
                    await connection.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_S * 1000:.0f}ms'")
                    applied = await _migrate(connection)
                if applied:
                    await _end_retired(connection)
                return applied
            except CONTENDED as error:
                if isinstance(error, asyncpg.InternalServerError) and "concurrently" not in str(error):
                    raise
                if tries == TRIES_MAX:
                    raise DatabaseUnsuitable(
                        f"The migration did not get its locks in {TRIES_MAX} tries ({error.message}): a long "
                        "transaction, such as a dump, holds them; nothing was changed, run it again when that is over"
                    ) from error
                await asyncio.sleep(PAUSE_S * (0.5 + random.random()))
        raise AssertionError("unreachable")
    except asyncpg.InsufficientPrivilegeError as error:
        raise DatabaseUnsuitable(
            f"The migration was refused ({error.message}): it runs as the role that owns the database and its schemas"
        ) from error
    except asyncpg.PostgresError as error:
        raise not_migratable(error, parse(dsn)) from error
    except DRIVER_ERRORS as error:
        raise as_outage(error, dsn) from error
    finally:
        await connection.close()


async def _pending_on_tables(connection: asyncpg.Connection) -> list[str]:
    """The texts of the migrations that an older database, which this code may migrate, has not had."""
    if not await connection.fetchval(READABLE):  # not there yet, or another role's
        return []
    found = await difference(connection)
    if found.newer or found.edited or found.compatible:
        return []
    return [text for package in PACKAGES for name, text in sql_files(package, "migrations") if name in found.missing]


async def _migrate(connection: asyncpg.Connection) -> list[str]:
    await _require_utf8(connection)
    found = await difference(connection)
    if found.newer or found.edited:
        found.require()
    if found.compatible:  # a newer release's own functions are in place
        return []
    if not found.missing:
        await require_keys(connection)  # there is nothing to grant on
    if not found.pending and await _granted(connection):
        return []
    await _require_owner(connection)
    await _ensure_role(connection)
    await connection.execute(load_sql("events", "migration"))
    applied = await _apply(connection)
    await _grant(connection)
    return applied or [GRANTS]


async def _apply(connection: asyncpg.Connection) -> list[str]:
    """Apply what the database has not had, package by package."""
    done = {row["name"]: row["digest"] for row in await connection.fetch(APPLIED)}
    applied: list[str] = []
    await _lock_tables(connection, [text for text in _texts() if _digest(text) not in done.values()])
    await _drop(connection, await _retired(connection))

    async def note(name: str, text: str) -> None:
        compatible = COMPATIBLE_FROM.search(text)
        await connection.execute(
            "INSERT INTO events.migration (name, digest, compatible_from) VALUES ($1, $2, $3) "
            "ON CONFLICT (name) DO UPDATE SET digest = excluded.digest, applied_at = now()",
            name,
            _digest(text),
            compatible and compatible[1],
        )
        applied.append(name)

    for package in PACKAGES:
        migrations = sql_files(package, "migrations")
        fresh = not any(name.startswith(f"{package}/migrations/") for name in done)
        if fresh and migrations:
            await connection.execute(load_sql(package, "schema"))
        for name, text in migrations:
            if name not in done:
                if not fresh:
                    await connection.execute(index_builds.unless_built(text))
                await note(name, text)
        # In order of name a function may come before one that it calls, which PostgreSQL would refuse.
        await connection.execute("SET LOCAL check_function_bodies = off")
        for name, text in sql_files(package, "sql/functions"):
            if done.get(name) != _digest(text):
                await replace_functions(connection, text)
                await note(name, text)
    return applied


async def replace_functions(connection: asyncpg.Connection, text: str) -> None:
    """Replace the functions of a file by name, whatever their arguments and results."""
    names = [".".join(found) for found in FUNCTION.findall(text)]
    before = await _functions(connection, names)
    try:
        async with connection.transaction():
            await connection.execute(text)
    except (
        asyncpg.InvalidFunctionDefinitionError,  # another result, or other names of arguments: not replaceable
        asyncpg.AmbiguousFunctionError,  # other arguments: its GRANT could mean both
    ):
        await _retire(connection, before)
        before = {}
        await connection.execute(text)
    after = await _functions(connection, names)
    # One that the file did not touch has other arguments than any in it: a call could mean both.
    await _retire(connection, [each for each, version in before.items() if after.get(each) == version])


async def _functions(connection: asyncpg.Connection, names: Sequence[str]) -> dict[str, object]:
    """The functions of these names, each with the version of its row in the catalog; those of triggers are left out."""
    rows = await connection.fetch(
        "SELECT p.oid::regprocedure::text AS signature, (p.ctid, p.xmin)::text AS version "
        "FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace "
        "WHERE n.nspname || '.' || p.proname = ANY($1) AND p.prorettype <> 'trigger'::regtype",
        names,
    )
    return {row["signature"]: row["version"] for row in rows}


def _texts() -> list[str]:
    """The texts of all migrations and function files."""
    return [
        text
        for package in PACKAGES
        for folder in ("migrations", "sql/functions")
        for _, text in sql_files(package, folder)
    ]


async def _lock_tables(connection: asyncpg.Connection, texts: Sequence[str]) -> None:
    """Take the locks that these files need, all within the timeout of one. Raises asyncpg.LockNotAvailableError."""
    modes = dict.fromkeys((name for text in texts for name in index_builds.tables(text)), "SHARE")
    modes |= dict.fromkeys((name for text in texts for name in TRIGGER.findall(text)), "SHARE ROW EXCLUSIVE")
    for text in texts:
        for name in CHANGED.findall(text):
            modes[await connection.fetchval(TABLE_OF, name) or name] = "ACCESS EXCLUSIVE"
    deadline = time.monotonic() + LOCK_TIMEOUT_S
    for name, mode in sorted(modes.items()):
        if await connection.fetchval(TABLE_OF, name) is not None:
            left_ms = max(1, round((deadline - time.monotonic()) * 1000))
            await connection.execute(f"SET LOCAL lock_timeout = '{left_ms}ms'")
            await connection.execute(f"LOCK TABLE {name} IN {mode} MODE")
    await connection.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_S * 1000:.0f}ms'")


async def _retire(connection: asyncpg.Connection, signatures: Iterable[str]) -> None:
    """Take functions' names away, and leave them to the calls that run."""
    for signature in signatures:
        name = signature.partition("(")[0].rpartition(".")[2]
        await connection.execute(f"ALTER ROUTINE {signature} RENAME TO {name}{RETIRED}")


async def _retired(connection: asyncpg.Connection) -> list[str]:
    return [row[0] for row in await connection.fetch(RETIRED_FUNCTIONS, SCHEMAS, RETIRED)]


async def _end_retired(connection: asyncpg.Connection) -> None:
    """Drop retired functions once each transaction that runs now is over; after a while they stay."""
    if not await _retired(connection):
        return
    begun = {row[0] for row in await connection.fetch(OTHER_TRANSACTIONS)}
    deadline = time.monotonic() + LAST_CALLS_S_MAX
    while not begun.isdisjoint(row[0] for row in await connection.fetch(OTHER_TRANSACTIONS)):
        if time.monotonic() > deadline:
            return
        await asyncio.sleep(POLL_S)
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", MIGRATION_LOCK)
        await _drop(connection, await _retired(connection))


async def _drop(connection: asyncpg.Connection, signatures: Iterable[str]) -> None:
    for signature in signatures:
        await connection.execute(f"DROP ROUTINE {signature}")


async def _require_utf8(connection: asyncpg.Connection) -> None:
    """Refuse a database that cannot hold, or does not check, the text that customers send."""
    encoding, name = await connection.fetchrow("SELECT current_setting('server_encoding'), current_database()")
    if encoding != "UTF8":
        raise DatabaseUnsuitable(
            f"The database {name} is encoded in {encoding} and cannot hold every text: create one with "
            f"`CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0`"
        )


async def _require_owner(connection: asyncpg.Connection) -> None:
    row = await connection.fetchrow(
        "SELECT nspname, pg_get_userbyid(nspowner) AS owner, current_user AS ours, "
        "EXISTS (SELECT FROM pg_roles WHERE rolname = $2 AND pg_has_role(oid, 'MEMBER')) AS member FROM pg_namespace "
        "WHERE nspname = ANY($1) AND NOT pg_has_role(nspowner, 'USAGE')",
        SCHEMAS,
        SERVICE_ROLE,
    )
    if row is not None:
        ours, owner = row["ours"], row["owner"]
        to_run = "" if row["member"] else f"; to run processes it needs `GRANT {SERVICE_ROLE} TO {ours}`"
        raise DatabaseUnsuitable(
            f"The role {ours} does not own the schema {row['nspname']}: migrate as {owner}, who does{to_run}"
        )


async def _ensure_role(connection: asyncpg.Connection) -> None:
    """Have the role of the processes exist, and be a member of it."""
    try:
        async with connection.transaction():
            await connection.execute(load_sql("events", "roles"))
    except asyncpg.InsufficientPrivilegeError as error:
        ours = await connection.fetchval("SELECT current_user")
        raise DatabaseUnsuitable(
            f"The role {ours} may not create the role {SERVICE_ROLE} or become it ({error.message}): "
            "have a superuser execute once what `rollbook roles --sql` prints"
        ) from error


async def _granted(connection: asyncpg.Connection) -> bool:
    """Whether the privileges are as the last migration left them."""
    kept = await connection.fetchval("SELECT digest FROM events.migration WHERE name = $1", GRANTS)
    return bool(kept == await connection.fetchval(load_sql("events", "digest_privileges"), SCHEMAS))


async def _grant(connection: asyncpg.Connection) -> None:
    """Grant what the service's role needs, and keep what that came to."""
    for package in PACKAGES:
        for text in (load_sql(package, "schema"), *(text for _, text in sql_files(package, "sql/functions"))):
            for statement in GRANT.findall(text):
                await connection.execute(statement)
    await connection.execute(
        "INSERT INTO events.migration (name, digest) VALUES ($1, $2) "
        "ON CONFLICT (name) DO UPDATE SET digest = excluded.digest, applied_at = now()",
        GRANTS,
        await connection.fetchval(load_sql("events", "digest_privileges"), SCHEMAS),
    )


def sql_files(package: str, folder: str) -> Sequence[tuple[str, str]]:
    """Names (`events/migrations/0001_log.sql`) and texts of a folder's .sql files, in order of name."""
    root = resources.files(package).joinpath(*folder.split("/"))
    if not root.is_dir():
        return []
    files = sorted((file for file in root.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)
    return [(f"{package}/{folder}/{file.name}", file.read_text(encoding="utf-8")) for file in files]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _not_migrated(names: Sequence[str]) -> str:
    return f"The database is not migrated ({_listed(names)}): run `rollbook migrate`"


def _listed(names: Sequence[str]) -> str:
    more = len(names) - SHOWN_MAX
    return ", ".join(names[:SHOWN_MAX]) + (f" and {more} more" if more > 0 else "")
