"""How fast the log is exported to a file and imported from it, against PostgreSQL's own COPY of the same rows."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import asyncpg

from events.database import connect
from events.export import export
from events.log_import import load
from tests import exports
from tests.benchmarks.figures import Figure, take_turns
from tests.benchmarks.servers import Bench

EVENTS = 200_000


async def transfer(bench: Bench) -> Sequence[Figure]:
    """Events exported, and imported, a second."""
    count, scratch = int(bench.seconds(EVENTS)), bench.scratch("transfer")
    file, rows = scratch / "log.ndjson", scratch / "log.copy"
    await asyncio.to_thread(exports.write, file, count)
    async with bench.database() as dsn:
        await _imported(dsn, file)
        exported = await take_turns(
            lambda: _copied_out(dsn, rows, count),
            lambda: _exported(dsn, scratch / "export.ndjson"),
            rounds=bench.rounds,
        )

    async def copied_in() -> float:
        async with bench.database() as dsn:
            return await _copied_in(dsn, rows, count)

    async def imported() -> float:
        async with bench.database() as dsn:
            return await _imported(dsn, file)

    restored = await take_turns(copied_in, imported, rounds=bench.rounds)
    return [
        exported.figure(
            row="transfer",
            what=f"export of {count:,} events",
            unit="events/s",
            baseline_is="COPY of the rows to a file",
        ),
        restored.figure(
            row="transfer", what=f"import of {count:,} events", unit="events/s", baseline_is="COPY of its rows"
        ),
    ]


async def _exported(dsn: str, file: Path) -> float:
    await asyncio.to_thread(file.unlink, missing_ok=True)
    connection = await connect(dsn, application="bench")
    try:
        return await _rate(export(connection, file))
    finally:
        await connection.close()


async def _imported(dsn: str, file: Path) -> float:
    connection = await connect(dsn, application="bench")
    try:
        return await _rate(load(connection, file))
    finally:
        await connection.close()


async def _rate(work: AsyncIterator[tuple[int, int]]) -> float:
    started = time.perf_counter()
    counts = [done async for done, _ in work]
    return counts[-1] / (time.perf_counter() - started)


async def _copied_out(dsn: str, file: Path, count: int) -> float:
    connection = await asyncpg.connect(dsn)
    try:
        started = time.perf_counter()
        await connection.copy_from_query("SELECT * FROM events.log ORDER BY position", output=file, format="binary")
        return count / (time.perf_counter() - started)
    finally:
        await connection.close()


async def _copied_in(dsn: str, file: Path, count: int) -> float:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("SELECT events.extend_log($1)", count)
        started = time.perf_counter()
        await connection.copy_to_table("log", schema_name="events", source=file, format="binary")
        return count / (time.perf_counter() - started)
    finally:
        await connection.close()
