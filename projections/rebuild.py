"""Rebuilding the customers' read models, their own rows and those of all they have: emptied and filled again from the
log, by the fold that writes them inline.

All of it is one transaction that holds the log's head row: readers see the old rows until they see the new ones,
appends wait meanwhile, and a kill at any instant leaves the old rows. Nothing is sent again: a read model has no side
effects.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Any, NamedTuple

import asyncpg
import structlog

from events import database
from events.codec import Codec
from events.customer import CUSTOMER, Customer
from events.database import Pool
from events.decider import Change
from events.errors import BrokenHistory
from events.keys import MasterKeys
from events.log import record_of
from events.personal import SubjectKey
from projections.customers import KINDS, CustomerProjection, effects_of, last_of_each
from projections.progress import Meter, Progress
from projections.rows import CustomerRow, ResourceRow
from projections.runner import Runner
from projections.search.rows import SearchProjection

log = structlog.get_logger("projections")

BATCH = 5_000
STREAMS_BATCH = 1_000


async def search(pool: Pool) -> AsyncIterator[Progress]:
    """Empty what customers are found by and follow the log from its beginning, yielding how far it is.

    Until it is done customers are missing from searches. Stopped half-way, it is gone on with by whoever follows.
    """
    name = SearchProjection.name
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("UPDATE projections.checkpoint SET position = 0 WHERE name = $1", name)
        await connection.execute("TRUNCATE projections.search")
        total = await connection.fetchval("SELECT position FROM events.head")
    runner, meter, done = Runner(pool, SearchProjection()), Meter(total), 0
    while done < total:
        # Waits for who else follows meanwhile.
        done = await pool.fetchval("SELECT position FROM projections.checkpoint WHERE name = $1 FOR UPDATE", name)
        yield meter.at(min(done, total))
        await runner.advance()
    log.info("search.rebuilt", events=done)


async def customers(dsn: str, codec: Codec, master_keys: MasterKeys) -> AsyncIterator[Progress]:
    """Rebuild the customers, yielding how far it is after each batch.

    Raises BrokenHistory when the log does not decode; the read model is then as it was.
    """
    connection = await database.connect(dsn, application="rebuild", jit="off")
    try:
        async with connection.transaction():
            await connection.execute("SELECT FROM events.head FOR UPDATE")
            total = await connection.fetchval(database.load_sql("projections", "count_customer_streams"))
            meter = Meter(total)
            done = 0
            await connection.execute("DELETE FROM projections.customer")
            await connection.execute("DELETE FROM projections.resource WHERE kind = ANY ($1) AND parent <> ''", KINDS)
            streams = connection.cursor(database.load_sql("projections", "read_customer_streams"), prefetch=BATCH)
            rebuilt: list[Rebuilt] = []
            gathered: list[asyncpg.Record] = []
            async for row in streams:
                if gathered and row["stream"] != gathered[-1]["stream"]:
                    rebuilt.append(_rebuilt(gathered, codec, master_keys))
                    done += len(gathered)
                    gathered = []
                    if len(rebuilt) == STREAMS_BATCH:
                        await _insert(connection, rebuilt)
                        rebuilt = []
                        yield meter.at(done)
                gathered.append(row)
            if gathered:
                rebuilt.append(_rebuilt(gathered, codec, master_keys))
                done += len(gathered)
            await _insert(connection, rebuilt)
            yield meter.at(done)
    finally:
        await connection.close()
    log.info("customers.rebuilt", events=done)


class Rebuilt(NamedTuple):
    """The rows of one stream, each as its table's columns have it, its position last."""

    customer: tuple[object, ...]
    resources: Sequence[tuple[object, ...]]


async def _insert(connection: asyncpg.Connection, rebuilt: list[Rebuilt]) -> None:
    await connection.copy_records_to_table(
        "customer",
        schema_name="projections",
        records=[one.customer for one in rebuilt],
        columns=(*CustomerRow._fields, "position"),
    )
    columns = (*(name for name in ResourceRow._fields if name != "event"), "position")
    await connection.copy_records_to_table(
        "resource",
        schema_name="projections",
        records=[row for one in rebuilt for row in one.resources],
        columns=columns,
    )


def _rebuilt(rows: list[asyncpg.Record], codec: Codec, master_keys: MasterKeys) -> Rebuilt:
    """The read models' rows of one stream, out of all its events."""
    stream = rows[0]["stream"]
    wrapped = rows[0]["wrapped"]
    key: SubjectKey | None = master_keys.unwrap(wrapped, stream) if wrapped else None
    state: Customer = CUSTOMER.initial
    steps: list[tuple[Any, Customer]] = []
    for row in rows:
        event = codec.decode(record_of(row), key=key)
        state = CUSTOMER.evolve(state, event)
        steps.append((event, state))
    last = record_of(rows[-1])
    if last.version != len(rows):
        raise BrokenHistory(f"{stream} has {len(rows)} events and ends at version {last.version}")
    change = Change(
        kind=CUSTOMER.kind,
        stream=stream,
        before=CUSTOMER.initial,
        after=state,
        version=last.version,
        steps=steps,
        origin=last.origin,
    )
    resources = last_of_each(row for _, effects in effects_of(change) for row in effects.resources)
    return Rebuilt(
        customer=(*CustomerProjection.row(change), rows[0]["position"]),
        resources=[(*row[:-1], rows[row.event]["position"]) for row in resources],
    )
