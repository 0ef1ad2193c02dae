"""Databases as earlier revisions left them."""

import gzip
from pathlib import Path

import asyncpg

from events.database import load_sql

DUMPS = Path(__file__).parent / "dumps"
REVISIONS = sorted(path.name.removesuffix(".sql.gz") for path in DUMPS.glob("*.sql.gz"))


async def restore(dsn: str, revision: str) -> None:
    """Fill an empty database with what `revision` left."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(load_sql("events", "roles"))
        await connection.execute(gzip.decompress((DUMPS / f"{revision}.sql.gz").read_bytes()).decode())
    finally:
        await connection.close()
