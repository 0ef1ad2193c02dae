"""Read models against the log: each stream folded from all its events, compared with the rows that the API shows."""

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

import asyncpg
import orjson

from events.database import Pool
from projections.rebuild.model import CUSTOMER_TABLE, RESOURCE_TABLE, InlineModel, Table
from projections.runner import Touched
from service.wiring import Core
from webhooks.endpoints.endpoint import KIND as ENDPOINTS

BATCH = 500
IN_ORDER = (
    "SELECT account, livemode, stream FROM events.stream WHERE stream > $1 AND version > 0 ORDER BY stream LIMIT $2"
)
AT_RANDOM = "SELECT account, livemode, stream FROM events.stream WHERE version > 0 ORDER BY random() LIMIT $1"
HEAD = "SELECT position FROM events.head"
MENDED_BY = "`rollbook rebuild customers` makes its rows anew"


class Differs(Exception):
    """A read model is not what the events give."""


async def streams(core: Core, sample: int | None) -> AsyncIterator[int]:
    """Compare all streams, or so many at random; gives how many are compared, time after time. Raises Differs."""
    model, done = InlineModel(core.folds), 0
    async for batch in _batches(core.pool, sample):
        async with core.pool.acquire() as connection:
            await _compare(connection, model, batch)
        done += len(batch)
        yield done


async def _batches(pool: Pool, sample: int | None) -> AsyncIterator[list[Touched]]:
    if sample is not None:
        chosen = [Touched(*row) for row in await pool.fetch(AT_RANDOM, sample)]
        for start in range(0, len(chosen), BATCH):
            yield chosen[start : start + BATCH]
        return
    after = ""
    while rows := await pool.fetch(IN_ORDER, after, BATCH):
        yield [Touched(*row) for row in rows]
        after = rows[-1]["stream"]


async def _compare(connection: asyncpg.Connection, model: InlineModel, batch: Sequence[Touched]) -> None:
    """Compare streams in one snapshot, in which events and rows are of the same moment. Raises Differs."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        upto = await connection.fetchval(HEAD)
        made = await model.make(connection, batch, upto, contiguous=False)
        for parked in made.parked:
            raise Differs(f"{parked.stream.stream} cannot be folded: {parked.error}")
        for table in (CUSTOMER_TABLE, RESOURCE_TABLE):
            await _compare_rows(connection, table, made.rows[table.name])


async def _compare_rows(connection: asyncpg.Connection, table: Table, folded: Sequence[tuple[Any, ...]]) -> None:
    at = [table.columns.index(name) for name in table.key]
    rows = await connection.fetch(
        f"SELECT {', '.join(f't.{name}' for name in table.columns)} FROM projections.{table.name} AS t "
        f"JOIN unnest({', '.join(f'${n}::{_type(name)}[]' for n, name in enumerate(table.key, 1))}) "
        f"AS k({', '.join(table.key)}) USING ({', '.join(table.key)})",
        *([row[index] for row in folded] for index in at),
    )
    stored = {tuple(row[index] for index in at): tuple(row) for row in rows}
    for row in folded:
        key = tuple(row[index] for index in at)
        shown = stored.get(key)
        if shown is None:
            raise Differs(f"{key[-1]} has events and no row: {MENDED_BY}")
        if _compared(table, row, shown) != _compared(table, shown, shown):
            raise Differs(f"{key[-1]} is shown otherwise than its events say: {MENDED_BY}")


def _type(column: str) -> str:
    return "boolean" if column == "livemode" else "text"


def _compared(table: Table, row: Iterable[Any], stored: Iterable[Any]) -> dict[str, Any]:
    """What is compared of a row: a unique value may have passed to another, and secrets are sealed anew each time."""
    values, shown = dict(zip(table.columns, row, strict=True)), dict(zip(table.columns, stored, strict=True))
    if table.unique is not None and shown[table.unique] is None:
        del values[table.unique]
    if "facts" in values:
        values["facts"] = orjson.loads(values["facts"])
        if values["kind"] == ENDPOINTS:
            values["facts"].pop("secrets", None)
    return values
