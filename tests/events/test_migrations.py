"""Bringing a database to shape: from nothing, from any older shape, by many processes at once."""

import asyncio
import secrets
from collections.abc import Sequence

import asyncpg
import pytest

from events import database as module
from events.database import FLOORS, SERVICE_ROLE, connect, load_sql, migrate, sql_files
from events.errors import LogUnavailable
from tests.servers.postgres import PrivatePostgres, with_database
from tests.shape import shape


async def shape_of(dsn: str) -> str:
    connection = await asyncpg.connect(dsn)
    try:
        return await shape(connection)
    finally:
        await connection.close()


async def test_the_migrations_one_after_another_reach_the_shape_of_the_schema(
    empty_database: str, database: str
) -> None:
    connection = await asyncpg.connect(empty_database)
    await connection.execute(load_sql("events", "roles"))
    await connection.execute(load_sql("events", "migration"))
    for floor in FLOORS:
        for folder in ("migrations", "sql/functions"):
            for _, text in sql_files(floor, folder):
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
    assert {name.split("/")[0] for name in first} == set(FLOORS)
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

    def add(self, floor: str, folder: str, name: str, text: str) -> None:
        self._added.setdefault((floor, folder), {})[f"{floor}/{folder}/{name}"] = text

    def _files(self, floor: str, folder: str) -> Sequence[tuple[str, str]]:
        return sorted({**dict(sql_files(floor, folder)), **self._added.get((floor, folder), {})}.items())


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


async def test_a_migration_that_fails_leaves_the_old_shape(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = await shape_of(database)
    files = Files(monkeypatch)
    files.add("events", "migrations", "9998_good.sql", "CREATE TABLE events.good (n integer);")
    files.add("webhooks", "migrations", "9999_bad.sql", "SELECT 1 / 0;")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(database)
    assert await shape_of(database) == before
    files.add("webhooks", "migrations", "9999_bad.sql", "SELECT 1;")
    assert await migrate(database) == ["events/migrations/9998_good.sql", "webhooks/migrations/9999_bad.sql"]


async def test_the_owner_need_not_be_a_superuser(private_postgres: PrivatePostgres) -> None:
    """As on managed servers: who owns the database may create roles, and is nobody otherwise."""
    server = private_postgres.start()
    superuser = await asyncpg.connect(server)
    await superuser.execute("CREATE ROLE landlord LOGIN CREATEROLE")
    await superuser.execute("CREATE DATABASE house OWNER landlord")
    await superuser.execute("CREATE DATABASE shed OWNER landlord")
    await superuser.close()
    for name in ("house", "shed"):  # the second finds the service's role made
        dsn = with_database(server, name).replace("postgresql://postgres@", "postgresql://landlord@")
        assert await migrate(dsn) != []
        connection = await connect(dsn, application="test")
        assert await connection.fetchval("SELECT current_user") == SERVICE_ROLE
        await connection.execute("SELECT events.prepare_log()")
        await connection.close()
        assert await migrate(dsn) == []


async def test_without_a_server_migrating_says_so() -> None:
    with pytest.raises(LogUnavailable):
        await migrate("postgresql://nobody@127.0.0.1:1/nothing")


# What the service's role may do

PRIVILEGES = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")


async def held(connection: asyncpg.Connection, table: str) -> set[str]:
    """The privileges that the service's role has on a table."""
    return {
        privilege
        for privilege in PRIVILEGES
        if await connection.fetchval("SELECT has_table_privilege($1, $2, $3)", SERVICE_ROLE, table, privilege)
    }


async def test_the_service_may_add_to_the_log_and_read_it_and_nothing_else(database: str) -> None:
    owner = await asyncpg.connect(database)
    assert await held(owner, "events.log") == {"SELECT", "INSERT"}
    assert await held(owner, "events.receipt") == {"SELECT", "INSERT"}
    assert await held(owner, "events.stream") == {"SELECT", "INSERT", "UPDATE"}
    assert await held(owner, "events.head") == {"SELECT", "UPDATE"}
    assert await held(owner, "events.migration") == set()
    assert await held(owner, "keys.subject") == {"SELECT", "INSERT", "DELETE"}
    assert await held(owner, "projections.notice") == {"SELECT", "INSERT"}
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
