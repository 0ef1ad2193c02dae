"""Bringing a database to shape: from nothing, from any older shape, by many processes at once."""

import asyncio
import secrets
from collections.abc import Sequence

import asyncpg
import pytest

from events import migrate as module
from events.database import connect, load_sql
from events.errors import DatabaseUnsuitable, LogUnavailable
from events.migrate import GRANTS, PACKAGES, SCHEMAS, check, migrate, sql_files
from events.outage import SERVICE_ROLE
from events.roles import setup_statement
from tests.servers.postgres import PrivatePostgres, with_database
from tests.shape import shape_of
from tests.waiting import until


@pytest.fixture
def database(fresh_database: str) -> str:
    """A database as the migrations leave it, without a partition."""
    return fresh_database


async def test_the_migrations_one_after_another_reach_the_shape_of_the_schema(
    empty_database: str, database: str
) -> None:
    connection = await asyncpg.connect(empty_database)
    await connection.execute(load_sql("events", "roles"))
    await connection.execute(load_sql("events", "migration"))
    await connection.execute("SET check_function_bodies = off")  # as the runner does: files go in order of name
    for package in PACKAGES:
        for folder in ("migrations", "sql/functions"):
            for _, text in sql_files(package, folder):
                await connection.execute(text)
    await connection.close()
    by_migrations, by_schema = await shape_of(empty_database), await shape_of(database)
    assert by_migrations.splitlines() == by_schema.splitlines()
    for table in ("events.log", "projections.customer", "webhooks.delivery"):
        schema, name = table.split(".")
        assert f"relation: {schema} | {name} |" in by_schema


async def test_a_second_run_applies_nothing(empty_database: str) -> None:
    first = await migrate(empty_database)
    shape_first = await shape_of(empty_database)
    assert {name.split("/")[0] for name in first} == set(PACKAGES)
    assert await migrate(empty_database) == []
    assert await shape_of(empty_database) == shape_first


async def test_processes_that_start_together_migrate_once(empty_database: str, database: str) -> None:
    applied = await asyncio.gather(*(migrate(empty_database) for _ in range(6)))
    assert sorted(map(bool, applied)) == [False] * 5 + [True]
    assert await shape_of(empty_database) == await shape_of(database)


async def test_databases_of_one_server_are_migrated_side_by_side(postgres_dsn: str) -> None:
    names = [f"rollbook_test_{secrets.token_hex(4)}" for _ in range(3)]
    owner = await asyncpg.connect(postgres_dsn)
    for name in names:
        await owner.execute(f"CREATE DATABASE {name}")
    try:
        await asyncio.gather(*(migrate(with_database(postgres_dsn, name)) for name in names))
    finally:
        for name in names:
            await owner.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await owner.close()


class Files:
    """The .sql files as they will be after somebody added or changed some."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._added: dict[tuple[str, str], dict[str, str]] = {}
        monkeypatch.setattr(module, "sql_files", self._files)

    def add(self, package: str, folder: str, name: str, text: str) -> None:
        self._added.setdefault((package, folder), {})[f"{package}/{folder}/{name}"] = text

    def _files(self, package: str, folder: str) -> Sequence[tuple[str, str]]:
        return sorted({**dict(sql_files(package, folder)), **self._added.get((package, folder), {})}.items())


async def test_an_older_database_gets_the_migrations_it_has_not_had(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = Files(monkeypatch)
    files.add("events", "migrations", "9998_rest.sql", "CREATE TABLE events.rest (n integer);")
    files.add("events", "migrations", "9999_more.sql", "ALTER TABLE events.rest ADD more integer;")
    assert await migrate(database) == ["events/migrations/9998_rest.sql", "events/migrations/9999_more.sql"]
    assert await migrate(database) == []
    assert "column: events | rest | 2 | more" in await shape_of(database)


async def test_a_function_is_replaced_when_its_text_changes(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    files = Files(monkeypatch)
    answer = "CREATE OR REPLACE FUNCTION events.answer() RETURNS integer LANGUAGE sql AS 'SELECT {}';"
    owner = await asyncpg.connect(database)
    for number in (1, 2, 1):
        files.add("events", "sql/functions", "answer.sql", answer.format(number))
        assert await migrate(database) == ["events/sql/functions/answer.sql"]
        assert await owner.fetchval("SELECT events.answer()") == number
    await owner.close()


@pytest.mark.parametrize(
    ("before", "after", "call"),
    [
        (
            "answer() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
            "answer() RETURNS text LANGUAGE sql AS 'SELECT 2'",
            "()",
        ),
        (
            "answer() RETURNS TABLE (a integer) LANGUAGE sql AS 'SELECT 1'",
            "answer() RETURNS TABLE (b text) LANGUAGE sql AS 'SELECT 2'",
            "()",
        ),
        (
            "answer(a integer) RETURNS text LANGUAGE sql AS 'SELECT 1'",
            "answer(b integer) RETURNS text LANGUAGE sql AS 'SELECT 2'",
            "(1)",
        ),
        (
            "answer(a integer) RETURNS text LANGUAGE sql AS 'SELECT 1'",
            "answer(a integer, b integer DEFAULT 1) RETURNS text LANGUAGE sql AS 'SELECT 2'",
            "(1)",
        ),
    ],
    ids=["result", "columns", "argument's name", "arguments"],
)
async def test_a_function_is_replaced_whatever_of_it_changed(
    database: str, monkeypatch: pytest.MonkeyPatch, before: str, after: str, call: str
) -> None:
    """PostgreSQL refuses to replace the first three in place, and keeps both of the last."""
    files = Files(monkeypatch)
    owner = await asyncpg.connect(database)
    for text in (before, after):
        grant = "GRANT EXECUTE ON FUNCTION events.answer TO rollbook_service;"
        files.add("events", "sql/functions", "answer.sql", f"CREATE OR REPLACE FUNCTION events.{text};\n{grant}")
        assert await migrate(database) == ["events/sql/functions/answer.sql"]
    assert str(await owner.fetchval(f"SELECT * FROM events.answer{call}")) == "2"
    assert await owner.fetchval("SELECT count(*) FROM pg_proc WHERE proname = 'answer'") == 1
    assert await owner.fetchval(
        "SELECT has_function_privilege($1, oid, 'EXECUTE') FROM pg_proc WHERE proname = 'answer'", SERVICE_ROLE
    )
    await owner.close()


async def test_a_call_that_runs_ends_with_the_function_that_it_began(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer waits within such a function for the migration; PostgreSQL looks its result up as it returns."""
    files = Files(monkeypatch)
    text = """CREATE OR REPLACE FUNCTION events.answer({}, OUT a integer, OUT b integer) LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_advisory_xact_lock(1); a := n; b := n; END $$;"""
    files.add("events", "sql/functions", "answer.sql", text.format("n integer"))
    await migrate(database)
    holder, caller = await asyncpg.connect(database), await asyncpg.connect(database)
    await holder.execute("SELECT pg_advisory_lock(1)")
    calling = asyncio.create_task(caller.fetchrow("SELECT * FROM events.answer(1)"))
    waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objid = 1"
    await until(lambda: holder.fetchval(waits))
    files.add("events", "sql/functions", "answer.sql", text.format("n integer, more integer DEFAULT 1"))
    migrating = asyncio.create_task(migrate(database))
    await until(lambda: holder.fetchval("SELECT count(*) FROM pg_proc WHERE proname = 'answer' AND pronargs = 2"))
    await holder.execute("SELECT pg_advisory_unlock(1)")
    assert tuple(await calling) == (1, 1)
    assert await migrating == ["events/sql/functions/answer.sql"]
    assert await holder.fetchval("SELECT count(*) FROM pg_proc WHERE proname LIKE 'answer%'") == 1
    await holder.close()
    await caller.close()


async def test_what_is_left_of_a_function_after_its_last_calls_is_dropped_by_the_next_migration(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LAST_CALLS_S_MAX", 0.0)
    files = Files(monkeypatch)
    text = "CREATE OR REPLACE FUNCTION events.answer({}) RETURNS integer LANGUAGE sql AS 'SELECT 1';"
    dump = await asyncpg.connect(database)
    counted = "SELECT count(*) FROM pg_proc WHERE proname LIKE 'answer%'"
    files.add("events", "sql/functions", "answer.sql", text.format(""))
    await migrate(database)
    async with dump.transaction():
        await dump.execute("SELECT 1")
        files.add("events", "sql/functions", "answer.sql", text.format("n integer"))
        await migrate(database)
        assert await dump.fetchval(counted) == 2
        assert await migrate(database) == []
    files.add("events", "sql/functions", "answer.sql", text.format("n integer, more integer"))
    await migrate(database)
    assert await dump.fetchval(counted) == 1
    await dump.close()


async def test_a_migration_that_was_edited_is_noticed(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    files = Files(monkeypatch)
    files.add("events", "migrations", "9998_rest.sql", "CREATE TABLE events.rest (n integer);")
    await migrate(database)
    files.add("events", "migrations", "9998_rest.sql", "CREATE TABLE events.rest (n bigint);")
    with pytest.raises(DatabaseUnsuitable, match=r"of this version .*events/migrations/9998_rest\.sql"):
        await migrate(database)
    assert (await check(database)).edited == ["events/migrations/9998_rest.sql"]


NEWER = (
    "INSERT INTO events.migration (name, digest, compatible_from) VALUES ('events/migrations/9999_next.sql', '', $1)"
)


async def test_a_database_of_a_newer_version_is_left_alone(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = await asyncpg.connect(database)
    await owner.execute(NEWER, None)
    Files(monkeypatch).add("events", "sql/functions", "extend_log.sql", "SELECT 1 / 0;")
    with pytest.raises(DatabaseUnsuitable, match=r"newer version of Rollbook \(events/migrations/9999_next\.sql\)"):
        await migrate(database)
    await owner.close()


async def test_a_process_works_on_after_a_migration_made_for_that(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its functions are the newer release's by then, and are not taken back."""
    owner = await asyncpg.connect(database)
    await owner.execute(NEWER, "events/migrations/0002_together.sql")
    Files(monkeypatch).add("events", "sql/functions", "extend_log.sql", "SELECT 1 / 0;")
    assert await migrate(database) == []
    found = await check(database)
    assert found.compatible == ["events/migrations/9999_next.sql"]
    assert found.fault is None
    await owner.close()


async def test_a_migration_says_from_where_on_processes_may_go_on(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "-- What it does.\n-- compatible from: events/migrations/0001_log.sql\nSELECT 1;"
    with monkeypatch.context() as patched:
        Files(patched).add("events", "migrations", "9999_next.sql", text)
        await migrate(database)
    assert (await check(database)).compatible == ["events/migrations/9999_next.sql"]


async def test_what_is_missing_is_named(database: str) -> None:
    owner = await asyncpg.connect(database)
    await owner.execute("DELETE FROM events.migration WHERE name LIKE 'projections/migrations/%'")
    await owner.close()
    found = await check(database)
    assert found.missing[0] == "projections/migrations/0001_read_models.sql"
    assert found.fault is not None
    assert "run `rollbook migrate`" in found.fault


async def test_a_lock_of_another_session_is_waited_for_in_short_tries(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Writers queue behind a waiting migration, so it lets them pass again and again."""
    monkeypatch.setattr(module, "LOCK_TIMEOUT_S", 0.05)
    monkeypatch.setattr(module, "PAUSE_S", 0.05)
    Files(monkeypatch).add("events", "migrations", "9999_more.sql", "ALTER TABLE events.head ADD more integer;")
    reader, writer = await asyncpg.connect(database), await asyncpg.connect(database)
    holding = reader.transaction()
    await holding.start()
    await reader.execute("LOCK TABLE events.head IN ACCESS SHARE MODE")
    migrating = asyncio.create_task(migrate(database))
    for _ in range(20):
        await writer.execute("UPDATE events.head SET position = position", timeout=1)
    assert not migrating.done()
    await holding.rollback()
    assert await migrating == ["events/migrations/9999_more.sql"]
    await reader.close()
    await writer.close()


@pytest.mark.parametrize("left", ["", "an invalid one"])
async def test_an_index_of_a_table_that_is_there_is_built_while_writes_go_on(
    database: str, monkeypatch: pytest.MonkeyPatch, left: str
) -> None:
    files = Files(monkeypatch)
    files.add("events", "migrations", "9999_more.sql", "CREATE INDEX head_more ON events.head (position);")
    reader, writer = await asyncpg.connect(database), await asyncpg.connect(database)
    if left:  # by a build that was killed
        await writer.execute("CREATE INDEX head_more ON events.head (position, position)")
        await writer.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'events.head_more'::regclass")
    holding = reader.transaction()
    await holding.start()
    await reader.execute("UPDATE events.head SET position = position")
    migrating = asyncio.create_task(migrate(database))

    async def waits() -> bool:
        building = (
            "SELECT count(*) FROM pg_stat_activity WHERE query ~ 'INDEX CONCURRENTLY' AND wait_event_type = 'Lock'"
        )
        return bool(await writer.fetchval(building))

    await until(waits)
    await writer.execute("INSERT INTO events.head SELECT * FROM events.head WHERE false", timeout=1)
    assert not migrating.done()
    await holding.rollback()
    assert await migrating == ["events/migrations/9999_more.sql"]
    definition = "SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indexrelid = to_regclass($1) AND indisvalid"
    assert (await writer.fetchval(definition, "events.head_more")).endswith('("position")')
    await reader.close()
    await writer.close()


async def test_an_index_that_cannot_be_built_beforehand_is_built_by_its_migration(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = Files(monkeypatch)
    text = """
CREATE TABLE events.fresh (n integer);
ALTER TABLE events.head ADD more integer;
CREATE INDEX fresh_n ON events.fresh (n);
CREATE UNIQUE INDEX head_more ON events.head (more);
CREATE INDEX receipt_more ON events.receipt (route);
"""
    files.add("events", "migrations", "9999_more.sql", text)
    assert await migrate(database) == ["events/migrations/9999_more.sql"]
    shape = await shape_of(database)
    assert all(name in shape for name in ("fresh_n", "head_more", "receipt_more"))


async def test_a_deadlock_with_the_running_service_is_retried(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE_S", 0.05)
    text = "LOCK TABLE events.head; SELECT pg_advisory_xact_lock(1); ALTER TABLE events.stream ADD more integer;"
    Files(monkeypatch).add("events", "migrations", "9999_more.sql", text)
    monkeypatch.setattr(module, "LOCK_TIMEOUT_S", 30.0)
    service = await asyncpg.connect(database)
    async with service.transaction():
        await service.execute("SET LOCAL deadlock_timeout = '60s'")  # so that the other one gives way
        await service.execute("LOCK TABLE events.stream IN ACCESS SHARE MODE; SELECT pg_advisory_xact_lock(1)")
        migrating = asyncio.create_task(migrate(database))
        waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objid = 1"
        await until(lambda: service.fetchval(waits))
        await service.execute("LOCK TABLE events.head IN ACCESS SHARE MODE")
    assert await migrating == ["events/migrations/9999_more.sql"]
    await service.close()


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
async def test_a_database_that_cannot_store_every_text_is_refused(postgres_dsn: str, encoding: str) -> None:
    name = f"rollbook_test_{secrets.token_hex(4)}"
    owner = await asyncpg.connect(postgres_dsn)
    await owner.execute(
        f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LOCALE_PROVIDER libc LOCALE 'C'"
    )
    try:
        with pytest.raises(DatabaseUnsuitable, match=f"encoded in {encoding} .*ENCODING 'UTF8'"):
            await migrate(with_database(postgres_dsn, name))
    finally:
        await owner.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await owner.close()


async def test_a_restore_without_privileges_is_mended(database: str, service: asyncpg.Connection) -> None:
    """As pg_restore --no-owner --no-acl leaves it: nobody was granted anything, and anybody may call functions."""
    owner = await asyncpg.connect(database)
    before = await privileges(owner)
    await owner.execute(f"REVOKE ALL ON SCHEMA events, keys, projections, webhooks FROM {SERVICE_ROLE}")
    for schema in SCHEMAS:
        await owner.execute(f"REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {SERVICE_ROLE}")
        await owner.execute(f"REVOKE ALL ON ALL ROUTINES IN SCHEMA {schema} FROM {SERVICE_ROLE}")
        await owner.execute(f"GRANT EXECUTE ON ALL ROUTINES IN SCHEMA {schema} TO public")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await service.fetch("SELECT * FROM events.head")
    assert (await check(database)).pending == [GRANTS]
    assert await migrate(database) == [GRANTS]
    assert await privileges(owner) == before
    assert (await check(database)).pending == []
    assert await migrate(database) == []
    await owner.close()


async def privileges(connection: asyncpg.Connection) -> list[str]:
    """Who may do what to what is ours, by default or since it was granted."""
    rows = await connection.fetch(
        "WITH ours AS (SELECT oid, nspname FROM pg_namespace WHERE nspname = ANY($1)), objects AS ("
        "SELECT nspname::text AS name, coalesce(nspacl, acldefault('n', nspowner)) AS acl FROM pg_namespace "
        "JOIN ours USING (oid, nspname) UNION ALL "
        "SELECT c.oid::regclass::text, coalesce(relacl, acldefault('r', relowner)) FROM pg_class c "
        "JOIN ours ON ours.oid = relnamespace WHERE relkind IN ('r', 'p') UNION ALL "
        "SELECT p.oid::regprocedure::text, coalesce(proacl, acldefault('f', proowner)) FROM pg_proc p "
        "JOIN ours ON ours.oid = pronamespace) "
        "SELECT concat_ws(' ', name, grantee::regrole, privilege_type) AS line FROM objects, aclexplode(acl)",
        SCHEMAS,
    )
    return sorted(row["line"] for row in rows)


async def test_a_migration_that_fails_leaves_the_old_shape(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = await shape_of(database)
    files = Files(monkeypatch)
    files.add("events", "migrations", "9998_good.sql", "CREATE TABLE events.good (n integer);")
    files.add("webhooks", "migrations", "9999_bad.sql", "SELECT 1 / 0;")
    with pytest.raises(LogUnavailable, match=r"cannot be migrated: division by zero \(DivisionByZeroError\)"):
        await migrate(database)
    assert await shape_of(database) == before
    files.add("webhooks", "migrations", "9999_bad.sql", "SELECT 1;")
    assert await migrate(database) == ["events/migrations/9998_good.sql", "webhooks/migrations/9999_bad.sql"]


async def test_the_owner_need_not_be_a_superuser(private_postgres: PrivatePostgres) -> None:
    """As on managed servers: who owns the database may create roles, and is nobody otherwise."""
    server = private_postgres.start()
    superuser = await asyncpg.connect(server)
    await superuser.execute("CREATE ROLE landlord LOGIN CREATEROLE")
    await superuser.execute("CREATE DATABASE shop OWNER landlord")
    await superuser.execute("CREATE DATABASE spare OWNER landlord")
    await superuser.close()
    for name in ("shop", "spare"):  # the second finds the service's role made
        dsn = with_database(server, name).replace("postgresql://postgres@", "postgresql://landlord@")
        assert await migrate(dsn) != []
        connection = await connect(dsn, application="test")
        assert await connection.fetchval("SELECT current_user") == SERVICE_ROLE
        await connection.execute("SELECT events.prepare_log()")
        await connection.close()
        assert await migrate(dsn) == []


async def test_an_owner_who_may_create_no_role_hears_what_a_superuser_does_once(
    private_postgres: PrivatePostgres,
) -> None:
    server = private_postgres.start()
    superuser = await asyncpg.connect(server)
    await superuser.execute("CREATE ROLE app LOGIN; CREATE ROLE other LOGIN; CREATE ROLE processes LOGIN")
    await superuser.execute("CREATE DATABASE shop OWNER app")
    as_app, as_other, as_processes = (
        with_database(server, "shop").replace("postgresql://postgres@", f"postgresql://{role}@")
        for role in ("app", "other", "processes")
    )
    with pytest.raises(DatabaseUnsuitable, match=r"app may not create .*`rollbook roles --sql`"):
        await migrate(as_app)
    await superuser.execute(setup_statement("app", "processes"))
    await superuser.execute(setup_statement("app", "processes"))
    assert await migrate(as_app) != []
    await _forget(as_app)
    with pytest.raises(DatabaseUnsuitable, match=r"other does not own the schema .*`GRANT rollbook_service TO other`"):
        await migrate(as_other)
    with pytest.raises(DatabaseUnsuitable, match=r"processes does not own the schema .* as app, who does$"):
        await migrate(as_processes)
    assert await migrate(as_app) != []
    assert await migrate(as_processes) == [], "who owns nothing may find that there is nothing to do"
    service = await connect(as_processes, application="test")
    await service.execute("SELECT events.prepare_log()")
    await service.close()
    await superuser.close()


async def _forget(dsn: str) -> None:
    """Have a function to be replaced again."""
    connection = await asyncpg.connect(dsn)
    await connection.execute("UPDATE events.migration SET digest = '' WHERE name LIKE '%/functions/append.sql'")
    await connection.close()


async def test_without_a_server_migrating_says_so() -> None:
    with pytest.raises(LogUnavailable):
        await migrate("postgresql://nobody@127.0.0.1:1/nothing")


# What the service's role may do

PRIVILEGES = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")


async def privileges_on(connection: asyncpg.Connection, table: str) -> set[str]:
    """The privileges that the service's role has on a table."""
    return {
        privilege
        for privilege in PRIVILEGES
        if await connection.fetchval("SELECT has_table_privilege($1, $2, $3)", SERVICE_ROLE, table, privilege)
    }


async def test_the_service_may_add_to_the_log_and_read_it_and_nothing_else(database: str) -> None:
    owner = await asyncpg.connect(database)
    assert await privileges_on(owner, "events.log") == {"SELECT", "INSERT"}
    assert await privileges_on(owner, "events.receipt") == {"SELECT", "INSERT"}
    assert await privileges_on(owner, "events.stream") == {"SELECT", "INSERT", "UPDATE"}
    assert await privileges_on(owner, "events.head") == {"SELECT", "UPDATE"}
    assert await privileges_on(owner, "events.migration") == {"SELECT"}
    assert await privileges_on(owner, "keys.subject") == {"SELECT", "INSERT", "UPDATE", "DELETE"}
    assert await privileges_on(owner, "projections.notice") == {"SELECT", "INSERT"}
    await owner.close()


async def test_the_service_owns_nothing_and_can_become_nobody_else(database: str) -> None:
    owner = await asyncpg.connect(database)
    role = await owner.fetchrow("SELECT * FROM pg_roles WHERE rolname = $1", SERVICE_ROLE)
    for power in ("rolsuper", "rolcreaterole", "rolcreatedb", "rolcanlogin", "rolreplication", "rolbypassrls"):
        assert not role[power], power
    assert await owner.fetchval("SELECT count(*) FROM pg_class WHERE relowner = $1", role["oid"]) == 0
    assert await owner.fetchval("SELECT count(*) FROM pg_auth_members WHERE member = $1", role["oid"]) == 0
    await owner.close()


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE events.mine (n integer)",
        "ALTER TABLE events.log DISABLE TRIGGER ALL",
        "DROP TABLE events.log",
        "ALTER TABLE events.log DETACH PARTITION events.log_0",
        "SET session_replication_role = replica",
        "CREATE FUNCTION events.mine() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        "CREATE OR REPLACE FUNCTION events.refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN END'",
    ],
)
async def test_the_service_cannot_change_the_shape(service: asyncpg.Connection, statement: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await service.execute(statement)


async def test_connections_are_the_services_own(database: str) -> None:
    connection = await connect(database, application="test")
    assert await connection.fetchval("SELECT current_user") == SERVICE_ROLE
    assert await connection.fetchval("SHOW timezone") == "UTC"
    await connection.close()


async def test_a_database_that_is_not_there_yet_is_waited_for(postgres_dsn: str) -> None:
    missing = with_database(postgres_dsn, f"rollbook_test_{secrets.token_hex(4)}")
    with pytest.raises(LogUnavailable):
        await connect(missing, application="tests")
    with pytest.raises(LogUnavailable):
        await migrate(missing)
