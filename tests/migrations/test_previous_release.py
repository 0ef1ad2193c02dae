"""The previous release's processes go on while, and after, the next release's migration runs: expand, then contract.

Whoever has to change what they ask for adds a function, a column or a type beside the old one, and takes the old one
away a release later.
"""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from events.migrate import migrate
from tests.migrations.restore import restore

STATEMENTS = Path(__file__).parent / "statements"
PREVIOUS = "fe51aa8"
# Attributes of composite types that have another name since. Processes send them by position, so that is no matter.
RENAMED = {"webhooks.report": {"spare integer": "recovered integer"}}
FIELDS = """
SELECT a.attname || ' ' || format_type(a.atttypid, a.atttypmod) FROM pg_attribute a
WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""


@pytest.fixture(scope="module")
def asked() -> Any:
    return json.loads((STATEMENTS / f"{PREVIOUS}.json").read_text())


def shapes(statement: Any) -> dict[str, Any]:
    return {
        "parameters": [f"{each.schema}.{each.name}" for each in statement.get_parameters()],
        "columns": [[each.name, f"{each.type.schema}.{each.type.name}"] for each in statement.get_attributes()],
    }


async def test_the_previous_release_is_answered_as_before(database: str, asked: Any) -> None:
    """Connections that it opens from now on: a column more would do here, and less, or another type, would not."""
    service = await asyncpg.connect(database, server_settings={"role": "rollbook_service"})
    for statement, was in asked["statements"].items():
        assert shapes(await service.prepare(statement)) == was, statement
    for name, fields in asked["types"].items():
        renamed = RENAMED.get(name, {})
        assert [row[0] for row in await service.fetch(FIELDS, name)] == [renamed.get(it, it) for it in fields], name
    await service.close()


async def test_statements_that_are_prepared_go_on_through_a_migration(empty_database: str, asked: Any) -> None:
    """Connections that it has: PostgreSQL plans their statements again, and refuses those of another result."""
    await restore(empty_database, PREVIOUS)
    service = await asyncpg.connect(empty_database, server_settings={"role": "rollbook_service"})
    prepared = {text: await service.prepare(text) for text in asked["statements"]}
    assert await migrate(empty_database) != []
    for statement in prepared.values():
        transaction = service.transaction()
        await transaction.start()
        # Nulls will do: PostgreSQL plans a statement again before it looks at them.
        with suppress(asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, asyncpg.RaiseError):
            await statement.fetch(*[None] * len(statement.get_parameters()))
        await transaction.rollback()
    await service.close()
