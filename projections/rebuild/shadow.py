"""Shadow tables: a second version of a read model's table beside the one in use, for a blue/green swap.

The version in use is in the schema `projections`, the next one in `projections_next`, the one before in
`projections_previous`, all under the same names: tables, indexes, constraints. So a swap moves tables between schemas
and renames nothing, and whoever names `projections.customer` finds the new one from the commit on; statements that are
prepared, and those inside functions, are planned again by PostgreSQL.
"""

from collections.abc import Sequence

import asyncpg

CURRENT, NEXT, PREVIOUS = "projections", "projections_next", "projections_previous"

COLUMNS = """
SELECT attname, format_type(atttypid, atttypmod) AS type FROM pg_attribute
WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped ORDER BY attnum
"""
OPTIONS = "SELECT array_to_string(reloptions, ', ') FROM pg_class WHERE oid = $1::regclass"
OWNER = "SELECT quote_ident(pg_get_userbyid(relowner)) FROM pg_class WHERE oid = $1::regclass"
GRANTS = """
SELECT quote_ident(pg_get_userbyid(a.grantee)) AS grantee, string_agg(a.privilege_type, ', ') AS privileges
FROM pg_class c, aclexplode(c.relacl) WITH ORDINALITY AS a(grantor, grantee, privilege_type, is_grantable, n)
WHERE c.oid = $1::regclass AND a.grantee NOT IN (0, c.relowner)
GROUP BY a.grantee ORDER BY min(a.n)
"""
INDEXES = """
SELECT c.relname AS name, pg_get_indexdef(i.indexrelid) AS definition, k.contype AS constraint
FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid AND k.conrelid = i.indrelid AND k.contype IN ('p', 'u')
WHERE i.indrelid = $1::regclass ORDER BY k.contype IS NULL, c.relname
"""
TRIGGERS = """
SELECT quote_ident(tgname) AS name, pg_get_triggerdef(oid) AS definition FROM pg_trigger
WHERE tgrelid = $1::regclass AND NOT tgisinternal ORDER BY tgname
"""


async def exists(connection: asyncpg.Connection, schema: str, table: str) -> bool:
    """Whether a schema has a table, in the form of the one in use."""
    columns = await connection.fetch(COLUMNS, f"{schema}.{table}")
    return bool(columns) and columns == await connection.fetch(COLUMNS, f"{CURRENT}.{table}")


async def create(connection: asyncpg.Connection, table: str) -> None:
    """Make an empty next version of a table, in its form and with its privileges, and without its indexes."""
    current, next = f"{CURRENT}.{table}", f"{NEXT}.{table}"
    for schema in (NEXT, PREVIOUS):
        await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    await drop(connection, NEXT, table)
    options = await connection.fetchval(OPTIONS, current)
    stored = f" WITH ({options})" if options else ""
    await connection.execute(f"CREATE TABLE {next} (LIKE {current} INCLUDING ALL EXCLUDING INDEXES){stored}")
    await connection.execute(f"ALTER TABLE {next} OWNER TO {await connection.fetchval(OWNER, current)}")
    for grant in await connection.fetch(GRANTS, current):
        await connection.execute(f"GRANT {grant['privileges']} ON {next} TO {grant['grantee']}")


async def index(connection: asyncpg.Connection, table: str) -> None:
    """Make the indexes and constraints of the next version, those that are missing."""
    made = {row["name"]: row["constraint"] for row in await connection.fetch(INDEXES, f"{NEXT}.{table}")}
    for name, definition, constraint in await connection.fetch(INDEXES, f"{CURRENT}.{table}"):
        if name not in made:
            await connection.execute(definition.replace(f" ON {CURRENT}.{table} ", f" ON {NEXT}.{table} ", 1))
        if constraint is not None and made.get(name) is None:
            kind = "PRIMARY KEY" if constraint == b"p" else "UNIQUE"
            await connection.execute(f'ALTER TABLE {NEXT}.{table} ADD CONSTRAINT "{name}" {kind} USING INDEX "{name}"')
    await connection.execute(f"VACUUM (ANALYZE) {NEXT}.{table}")


async def swap_of(connection: asyncpg.Connection, tables: Sequence[str]) -> str:
    """What puts the next versions in use and keeps those that were; the triggers go to the new ones.

    It is executed in a transaction with a lock_timeout, which holds whatever serializes the writers of the tables;
    readers wait until it commits. It raises asyncpg.LockNotAvailableError.
    """
    both = ", ".join(f"{schema}.{table}" for table in tables for schema in (CURRENT, NEXT))
    statements = [f"LOCK TABLE {both} IN ACCESS EXCLUSIVE MODE"]
    for table in tables:
        triggers = await connection.fetch(TRIGGERS, f"{CURRENT}.{table}")
        statements += [f"DROP TRIGGER {name} ON {CURRENT}.{table}" for name, _ in triggers]
        statements.append(f"ALTER TABLE {CURRENT}.{table} SET SCHEMA {PREVIOUS}")
        statements.append(f"ALTER TABLE {NEXT}.{table} SET SCHEMA {CURRENT}")
        statements += [definition for _, definition in triggers]
    return ";\n".join(statements)


async def restore(connection: asyncpg.Connection, tables: Sequence[str]) -> None:
    """Make the previous versions the next ones."""
    for table in tables:
        await connection.execute(f"ALTER TABLE {PREVIOUS}.{table} SET SCHEMA {NEXT}")


async def drop(connection: asyncpg.Connection, schema: str, table: str) -> None:
    """Drop a version that is not in use, if it is there."""
    assert schema != CURRENT
    await connection.execute(f"DROP TABLE IF EXISTS {schema}.{table}")
