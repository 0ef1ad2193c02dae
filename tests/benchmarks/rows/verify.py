"""Sealing and verifying a log of a million events: from the database, and offline from an export.

The events are linked by the chain and copied into the log directly, ten a stream and some 300 bytes of payload each.
The baselines are what was promised: a million events verified within 30 s, and 1,000 appends a second sealed.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import asyncpg

from events import chain, checkpoint_keys, cloudevents
from events.database import create_pool
from events.record import Origin, Record
from events.sealer import Sealer
from events.verify_database import DatabaseVerifier
from tests.benchmarks.figures import Bound, Figure, Rounds
from tests.benchmarks.servers import Bench

ROOT = Path(__file__).parents[3]
EVENTS, EVENTS_A_STREAM = 1_000_000, 10
COPIED = 20_000  # at once
PROMISED_S, PROMISED_APPENDS = 30.0, 1_000.0
ORIGIN = Origin("acct_benchmarks0000", False, datetime(2026, 11, 1, tzinfo=UTC), "key_benchmarks", "req_benchmarks00")
KEYS = checkpoint_keys.new("rollbook.example/log")
COLUMNS = (
    *("position", "stream", "version", "type", "schema_version", "payload", "hash"),
    *("account", "livemode", "recorded_at", "actor", "request_id"),
)


async def verify(bench: Bench) -> Sequence[Figure]:
    """Events a second that are sealed, verified in the database and verified offline."""
    events = EVENTS // 10 if bench.quick else EVENTS
    async with bench.database() as dsn:
        export, kept = bench.scratch("export") / "export.ndjson", bench.scratch("kept") / "checkpoint"
        await _write(dsn, events, export)
        pool = await create_pool(dsn, application="benchmark", size_max=2)
        sealer = Sealer(pool, lambda: KEYS)
        sealed = await _timed(events, sealer.catch_up())
        assert sealer.newest is not None
        kept.write_text(sealer.newest.note)
        in_database = [await _timed(events, _verify_database(dsn)) for _ in range(bench.rounds)]
        offline = [await _timed(events, _verify_offline(export, kept)) for _ in range(bench.rounds)]
        await pool.close()
    promised = f"{EVENTS:,} events within {PROMISED_S:.0f} s"
    return [
        Rounds([PROMISED_APPENDS], [sealed]).figure(
            row="seal", what="a log that has no tree yet", unit="events/s", baseline_is="1,000 appends a second",
            bound=Bound("at least", 1.0),
        ),
        *(
            Rounds([EVENTS / PROMISED_S] * len(found), found).figure(
                row="verify", what=what, unit="events/s", baseline_is=promised, bound=Bound("at least", 1.0)
            )
            for what, found in (("in the database", in_database), ("offline, from an export", offline))
        ),
    ]  # fmt: skip


def _records(events: int) -> Iterator[Record]:
    previous = chain.START
    for position in range(1, events + 1):
        number, version = (position - 1) // EVENTS_A_STREAM, (position - 1) % EVENTS_A_STREAM + 1
        stream, payload = f"customer-cus_{number:014}", b'{"email":{"sealed":"%s"},"id":"%014d"}' % (b"x" * 260, number)
        previous = chain.link(
            previous if version > 1 else chain.START,
            stream=stream, version=version, type="customer.updated", schema_version=1, payload=payload, origin=ORIGIN,
        )  # fmt: skip
        yield Record(position, stream, version, "customer.updated", 1, payload, previous, ORIGIN)


async def _write(dsn: str, events: int, export: Path) -> None:
    """Fill the log, and write its export."""
    owner = await asyncpg.connect(dsn)
    await owner.execute(f"SELECT events.extend_log({events})")
    copied: list[Record] = []
    with export.open("wb") as lines:
        for record in _records(events):
            copied.append(record)
            if len(copied) == COPIED:
                await _copy(owner, copied)
                lines.writelines(map(cloudevents.line, copied))
                copied = []
    await owner.execute(f"UPDATE events.head SET position = {events}")
    await owner.execute("VACUUM ANALYZE events.log")
    await owner.close()


async def _copy(owner: asyncpg.Connection, records: Sequence[Record]) -> None:
    rows = [
        (*record[:7], ORIGIN.account, ORIGIN.livemode, ORIGIN.at, ORIGIN.actor, ORIGIN.request_id) for record in records
    ]
    await owner.copy_records_to_table("log", schema_name="events", records=rows, columns=COLUMNS)
    heads = [
        (record.stream, ORIGIN.account, ORIGIN.livemode, record.version, record.hash)
        for record in records
        if record.version == EVENTS_A_STREAM
    ]
    await owner.copy_records_to_table("stream", schema_name="events", records=heads)


async def _verify_database(dsn: str) -> None:
    pool = await create_pool(dsn, application="benchmark", size_max=2)
    try:
        async for _ in DatabaseVerifier(pool, keys=KEYS.verifiers).run():
            pass
    finally:
        await pool.close()


async def _verify_offline(export: Path, kept: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "events.verify", str(export)),
        *("--checkpoint", str(kept), "--key", str(KEYS.verifiers[0])),
        cwd=ROOT,
    )
    assert await process.wait() == 0, "the export is verified"


async def _timed(events: int, work: Awaitable[object]) -> float:
    """Events a second of some work."""
    began = time.perf_counter()
    await work
    return events / (time.perf_counter() - began)
