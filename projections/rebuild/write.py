"""Writing rows of a read model by key, into any version of its tables."""

from collections.abc import Sequence
from typing import Any

import asyncpg

from projections.rebuild.model import Table


async def upsert(connection: asyncpg.Connection, schema: str, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    """Put rows in place of those that have their keys. Unique values may pass from one of them to another."""
    if not rows:
        return
    if table.unique is not None:
        keys = [table.columns.index(name) for name in table.key]
        await connection.executemany(
            f"UPDATE {schema}.{table.name} SET {table.unique} = NULL WHERE ({', '.join(table.key)}) = "
            f"({numbered(table.key)}) AND {table.unique} IS NOT NULL",
            [[row[index] for index in keys] for row in rows],
        )
    others = [name for name in table.columns if name not in table.key]
    await connection.executemany(
        f"INSERT INTO {schema}.{table.name} ({', '.join(table.columns)}) "
        f"VALUES ({numbered(table.columns)}) ON CONFLICT ({', '.join(table.key)}) DO UPDATE SET "
        + ", ".join(f"{name} = excluded.{name}" for name in others),
        rows,
    )


def numbered(columns: Sequence[str]) -> str:
    """A parameter for each column: $1, $2, ..."""
    return ", ".join(f"${number}" for number in range(1, len(columns) + 1))
