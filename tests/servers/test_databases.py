"""Databases that are used again: they are as new, or they are not used again."""

import asyncpg
import pytest

from tests.servers.databases import Databases

ROWS = """
    SELECT 'events.head', to_jsonb(h)::text FROM events.head h UNION ALL
    SELECT 'events.migration', to_jsonb(m)::text FROM events.migration m UNION ALL
    SELECT 'keys.subject', to_jsonb(s)::text FROM keys.subject s ORDER BY 1, 2
"""


async def run(databases: Databases, name: str, statement: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(databases.dsn(name))
    try:
        rows: list[asyncpg.Record] = await connection.fetch(statement)
        return rows
    finally:
        await connection.close()


async def test_what_a_test_wrote_is_gone_and_what_the_migrations_wrote_is_there(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.servers.databases.GROWTH_BYTES_MAX", 1 << 40)  # whatever tests before it made of it
    name = await databases.take()
    as_new = await run(databases, name, ROWS)
    await run(databases, name, "UPDATE events.head SET position = 7, partition_size = 4")
    await run(databases, name, "DELETE FROM events.migration")
    await run(databases, name, "INSERT INTO keys.subject SELECT 'cus_1', '\\x00'")
    other = await asyncpg.connect(databases.dsn(name))
    await databases.give_back(name)
    assert other.is_closed() or await _is_ended(other)
    again = await databases.take()
    assert again == name
    assert await run(databases, again, ROWS) == as_new
    await databases.give_back(again)


@pytest.mark.parametrize(
    "change",
    [
        "CREATE TABLE events.more (id int)",
        "ALTER TABLE events.log DISABLE TRIGGER log_is_append_only",
        "ALTER TABLE events.head ADD COLUMN more int",
        "GRANT SELECT ON keys.subject TO PUBLIC",
        "CREATE FUNCTION events.more() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "ANALYZE events.head",
    ],
)
async def test_a_database_that_was_changed_otherwise_is_not_used_again(databases: Databases, change: str) -> None:
    name = await databases.take()
    await run(databases, name, change)
    await databases.give_back(name)
    again = await databases.take()
    assert again != name
    await databases.give_back(again)


async def _is_ended(connection: asyncpg.Connection) -> bool:
    try:
        await connection.execute("SELECT 1")
    except (asyncpg.PostgresConnectionError, asyncpg.InterfaceError):
        return True
    return False
