"""Comparing the next version of a table with the one in use: rows, a checksum of each, and the rows that differ.

A checksum is the sum of a hash of every row, so that the order of rows does not matter.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import asyncpg

from projections.rebuild import shadow
from projections.rebuild.model import Table

DIFFERING_MAX = 1_000  # rows that are looked at again
SHOWN_MAX = 10


class Comparison(NamedTuple):
    """What two versions of a table have in common."""

    table: str
    rows: int  # of the version in use
    rows_next: int
    checksum: str
    checksum_next: str
    differing: Sequence[tuple[Any, ...]]  # keys of rows that differ, or are in one of them only, DIFFERING_MAX at most

    @property
    def same(self) -> bool:
        """Whether no row differs."""
        return not self.differing

    @property
    def many(self) -> bool:
        """Whether more rows may differ than are named."""
        return len(self.differing) >= DIFFERING_MAX


async def compare(connection: asyncpg.Connection, table: Table) -> Comparison:
    """Compare two versions as they are in one snapshot."""
    async with connection.transaction(isolation="repeatable_read"):
        rows, checksum = await _checksum(connection, shadow.CURRENT, table)
        rows_next, checksum_next = await _checksum(connection, shadow.NEXT, table)
        differing: list[tuple[Any, ...]] = []
        if (rows, checksum) != (rows_next, checksum_next):
            differing = await _differing(connection, table)
    return Comparison(table.name, rows, rows_next, checksum, checksum_next, differing)


async def recheck(connection: asyncpg.Connection, table: Table, before: Comparison) -> Comparison:
    """Compare the rows that differed once more, in the transaction of the caller."""
    still = []
    for key in before.differing:
        ours, theirs = [
            await connection.fetchval(f"SELECT {_row(table)} FROM {schema}.{table.name} WHERE {_is_key(table)}", *key)
            for schema in (shadow.CURRENT, shadow.NEXT)
        ]
        if ours != theirs:
            still.append(key)
    return before._replace(differing=still)


async def _checksum(connection: asyncpg.Connection, schema: str, table: Table) -> tuple[int, str]:
    row = await connection.fetchrow(
        f"SELECT count(*), coalesce(sum({_row(table)}::numeric), 0)::text FROM {schema}.{table.name}"
    )
    return row[0], row[1]


async def _differing(connection: asyncpg.Connection, table: Table) -> list[tuple[Any, ...]]:
    key = ", ".join(table.key)
    select = f"SELECT {key}, {_row(table)} AS hash FROM"
    rows = await connection.fetch(
        f"SELECT {key} FROM ({select} {shadow.CURRENT}.{table.name}) AS ours "
        f"FULL JOIN ({select} {shadow.NEXT}.{table.name}) AS theirs USING ({key}) "
        f"WHERE ours.hash IS DISTINCT FROM theirs.hash ORDER BY {key} LIMIT {DIFFERING_MAX}"
    )
    return [tuple(row) for row in rows]


def _row(table: Table) -> str:
    """An expression for the hash of a row."""
    return f"hash_record_extended(ROW({', '.join(table.compared.get(name, name) for name in table.columns)}), 0)"


def _is_key(table: Table) -> str:
    return " AND ".join(f"{name} = ${number}" for number, name in enumerate(table.key, 1))
