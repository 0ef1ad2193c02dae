"""Rebuilding the customers' read model: emptied and filled again from the log, by the fold that writes it inline.

All of it is one transaction that holds the log's head row: readers see the old rows until they see the new ones,
appends wait meanwhile, and a kill at any instant leaves the old rows. Nothing is sent again: a read model has no side
effects.
"""

from collections.abc import AsyncIterator

import asyncpg
import structlog

from events import database
from events.codec import Codec
from events.customer import Customer
from events.decider import Change
from events.errors import BrokenHistory
from events.keys import MasterKeys
from events.log import record_of
from events.personal import SubjectKey
from projections.customers import CUSTOMER, CustomerProjection
from projections.progress import Meter, Progress

log = structlog.get_logger("projections")

BATCH = 5_000
STREAMS_BATCH = 1_000


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
            streams = connection.cursor(database.load_sql("projections", "read_customer_streams"), prefetch=BATCH)
            rebuilt: list[tuple[object, ...]] = []
            gathered: list[asyncpg.Record] = []
            async for row in streams:
                if gathered and row["stream"] != gathered[-1]["stream"]:
                    rebuilt.append(_row(gathered, codec, master_keys))
                    done += len(gathered)
                    gathered = []
                    if len(rebuilt) == STREAMS_BATCH:
                        await _insert(connection, rebuilt)
                        rebuilt = []
                        yield meter.at(done)
                gathered.append(row)
            if gathered:
                rebuilt.append(_row(gathered, codec, master_keys))
                done += len(gathered)
            await _insert(connection, rebuilt)
            yield meter.at(done)
    finally:
        await connection.close()
    log.info("customers.rebuilt", events=done)


async def _insert(connection: asyncpg.Connection, rows: list[tuple[object, ...]]) -> None:
    await connection.copy_records_to_table(
        "customer",
        schema_name="projections",
        records=rows,
        columns=(
            "account",
            "livemode",
            "id",
            "created",
            "version",
            "deleted",
            "email",
            "invoice_prefix",
            "body",
            "test_clock",
            "position",
        ),
    )


def _row(rows: list[asyncpg.Record], codec: Codec, master_keys: MasterKeys) -> tuple[object, ...]:
    """The read model's row of one stream, out of all its events."""
    stream = rows[0]["stream"]
    wrapped = rows[0]["wrapped"]
    key: SubjectKey | None = master_keys.unwrap(wrapped, stream) if wrapped else None
    state: Customer = CUSTOMER.initial
    for row in rows:
        state = CUSTOMER.evolve(state, codec.decode(record_of(row), key=key))
    last = record_of(rows[-1])
    if last.version != len(rows):
        raise BrokenHistory(f"{stream} has {len(rows)} events and ends at version {last.version}")
    change = Change(
        kind=CUSTOMER.kind,
        stream=stream,
        before=CUSTOMER.initial,
        after=state,
        version=last.version,
        steps=(),
        origin=last.origin,
    )
    return (*CustomerProjection.row(change), rows[0]["position"])
