"""Filling the next version of a read model: ranges of streams, each in batches, by any number of workers.

A batch's rows and how far its range is change in one transaction. So a kill at any instant loses the batch under way,
and whoever takes up the range goes on after the last one. A worker that was left behind by its parent ends with its
batch, and one whose range another took up stores nothing.
"""

import asyncio
import multiprocessing
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import asyncpg

from events.database import load_sql, open_connection
from projections.parked import park
from projections.rebuild import shadow
from projections.rebuild.model import DUE_COLUMNS, Made, Model
from projections.runner import Touched

BATCH_EVENTS, BATCH_STREAMS = 5_000, 1_000
RANGES_PER_WORKER = 8
NICE = 10  # a worker gives way to the service
SETTINGS = {
    "timezone": "UTC",
    "jit": "off",
    "statement_timeout": "0",
    "log_parameter_max_length_on_error": "0",
    "default_transaction_isolation": "read committed",
}


class Superseded(Exception):
    """Another worker has taken up the range."""


class Range(NamedTuple):
    """A range of streams: those after `upto`, up to `last`."""

    number: int
    upto: str
    last: str | None


async def connect(dsn: str) -> asyncpg.Connection:
    """A connection as the role that the URL names, which owns the tables. Raises DatabaseUnavailable."""
    arguments = {"server_settings": {"application_name": "rollbook rebuild"}}
    return await open_connection(dsn, arguments, SETTINGS)


async def cut(connection: asyncpg.Connection, model: Model, ranges: int) -> None:
    """Cut the streams into ranges of about equal numbers."""
    after, before = ("", "\U0010ffff") if model.kind is None else (f"{model.kind}-", f"{model.kind}.")
    shares = [number / ranges for number in range(1, ranges)]
    found: list[str | None] | None = await connection.fetchval(
        load_sql("projections", "cut_streams"), shares, after, before
    )
    ends = sorted({end for end in found or () if end is not None})
    starts, lasts = [after, *ends], [*ends, None if model.kind is None else before]
    await connection.executemany(
        "INSERT INTO projections.rebuild_range (name, number, upto, last) VALUES ($1, $2, $3, $4)",
        [(model.name, number, *bounds) for number, bounds in enumerate(zip(starts, lasts, strict=True))],
    )


async def fill(
    connection: asyncpg.Connection,
    model: Model,
    snapshot: int,
    numbers: Sequence[int] | None = None,
    go_on: Callable[[], bool] = lambda: True,
) -> None:
    """Fill ranges, all or those with some numbers, until they are finished or `go_on` says no."""
    rows = await connection.fetch(
        "SELECT number, upto, last FROM projections.rebuild_range WHERE name = $1 AND NOT finished ORDER BY number",
        model.name,
    )
    for row in rows:
        part = Range(*row)
        if numbers is None or part.number in numbers:
            next: str | None = part.upto
            while next is not None and go_on():
                next = await _batch(connection, model, snapshot, part._replace(upto=next))


async def _batch(connection: asyncpg.Connection, model: Model, snapshot: int, part: Range) -> str | None:
    """Fill the next streams of a range; gives the last of them, None when it was the range's last batch."""
    async with connection.transaction():
        await connection.execute("SET LOCAL synchronous_commit = off")  # the swap's commit makes it all durable
        found = await connection.fetch(load_sql("projections", "next_streams"), part.upto, part.last, BATCH_STREAMS)
        streams: list[Touched] = []
        events = 0
        for row in found:
            if streams and events + row["version"] > BATCH_EVENTS:
                break
            events += row["version"]
            streams.append(Touched(row["account"], row["livemode"], row["stream"]))
        finished = len(streams) == len(found) < BATCH_STREAMS
        made = await model.make(connection, streams, snapshot, contiguous=True) if streams else Made()
        for table in model.tables:
            await _copy(connection, table.name, table.columns, made.rows[table.name])
        for name in model.merged:
            await _copy(connection, name, DUE_COLUMNS, made.rows[name])
        await set_aside(connection, model, made)
        upto = streams[-1].stream if streams else part.upto
        changed = await connection.execute(
            "UPDATE projections.rebuild_range SET upto = $4, events = events + $5, finished = $6 "
            "WHERE name = $1 AND number = $2 AND upto = $3 AND NOT finished",
            model.name,
            part.number,
            part.upto,
            upto,
            made.events,
            finished,
        )
        if changed != "UPDATE 1":
            raise Superseded
    return None if finished else upto


async def set_aside(connection: asyncpg.Connection, model: Model, made: Made, *, swapped: bool = False) -> None:
    """Park streams whose rows could not be made, and keep the rows that are in use."""
    for parked in made.parked:
        await park(connection, model.name, parked.stream.scope, parked.stream.stream, parked.error)
        await model.keep(connection, parked.stream, swapped=swapped)


async def _copy(
    connection: asyncpg.Connection, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]
) -> None:
    if rows:
        await connection.copy_records_to_table(table, schema_name=shadow.NEXT, records=rows, columns=columns)


class Workers:
    """Processes that fill ranges side by side."""

    def __init__(
        self, make: Callable[[], Model], dsn: str, snapshot: int, numbers: Sequence[int], workers: int
    ) -> None:
        spawning = multiprocessing.get_context("spawn")
        self._processes: list[Any] = []
        self._errors: list[Connection] = []
        for worker in range(workers):
            receiving, sending = spawning.Pipe(duplex=False)
            process = spawning.Process(
                target=_work, args=(make, dsn, snapshot, numbers[worker::workers], sending), daemon=True
            )
            process.start()
            sending.close()
            self._processes.append(process)
            self._errors.append(receiving)

    def working(self) -> bool:
        """Whether any of them is not done. Raises what one of them raised."""
        for process, errors in zip(self._processes, self._errors, strict=True):
            if process.exitcode is not None and process.exitcode != 0:
                with suppress(EOFError):
                    raise errors.recv()
                raise RuntimeError(f"a worker of the rebuild ended with {process.exitcode}")
        return any(process.exitcode is None for process in self._processes)

    def stop(self) -> None:
        """End them; what they have stored stays."""
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.join()


def _work(make: Callable[[], Model], dsn: str, snapshot: int, numbers: Sequence[int], errors: Connection) -> None:
    """The whole of a worker process."""
    os.nice(NICE)
    parent = multiprocessing.parent_process()
    assert parent is not None

    async def run() -> None:
        connection = await connect(dsn)
        try:
            await fill(connection, make(), snapshot, numbers, parent.is_alive)
        finally:
            await connection.close()

    try:
        asyncio.run(run())
    except Exception as error:
        errors.send(error)
        raise SystemExit(1) from None
