"""The log is read by its indexes, however long it is and however many partitions it has."""

from hashlib import sha256

import asyncpg

from events.database import create_pool, load_sql
from tests.plans import explain

FILL = """
UPDATE events.head SET partition_size = 4000;
SELECT events.extend_log(20000);
INSERT INTO events.log (position, stream, version, account, livemode, type, schema_version, payload, hash, recorded_at,
    actor)
SELECT n, 'note-' || n % 5000, 1 + n / 5000, 'acct_1', false, 'noted', 1, '{}', '', now(), 'key_1'
FROM generate_series(1, 20000) AS n;
INSERT INTO keys.subject (stream, wrapped) SELECT 'note-' || n, '' FROM generate_series(0, 4999) AS n;
SELECT events.make_day('events.receipt', ((now() - days * interval '1 day') AT TIME ZONE 'UTC')::date)
FROM generate_series(0, 2) AS days;
INSERT INTO events.receipt (account, livemode, key, answered_at, route, fingerprint, request_id, status, body)
SELECT 'acct_1', false, 'key ' || n, now() - n % 40 * interval '1 hour', '', '', '', 200, ''
FROM generate_series(1, 10000) AS n;
INSERT INTO events.snapshot (stream, code, version, kept_at, body)
SELECT 'note-' || n, sha256(''), 3, now(), '' FROM generate_series(0, 4999) AS n;
ANALYZE events.log;
ANALYZE events.snapshot;
ANALYZE events.receipt;
ANALYZE keys.subject;
"""


async def test_the_log_is_read_by_its_indexes(owner: asyncpg.Connection, database: str) -> None:
    await owner.execute(FILL)
    pool = await create_pool(database, application="test", size_max=1)
    async with pool.acquire() as connection:
        await reads_by_index(connection)
    await pool.close()


async def reads_by_index(connection: asyncpg.Connection) -> None:
    stream = await explain(connection, load_sql("events", "load_stream"), "note-77", 0)
    assert "Seq Scan" not in stream.kinds, str(stream)
    assert stream.touched <= 2 * 4 + 2, stream

    state = await explain(connection, load_sql("events", "load_state"), "note-77", "\\x" + sha256(b"").hexdigest())
    assert "Seq Scan" not in state.kinds, str(state)
    assert state.touched <= 2 * 4 + 2, state

    onward = await explain(connection, load_sql("events", "read_log"), 9_990, 20)
    assert not onward.kinds & {"Seq Scan", "Sort"}
    assert onward.touched <= 20 + 2, onward

    receipt = await explain(connection, load_sql("events", "find_receipt"), "acct_1", False, "key 5")
    assert "Seq Scan" not in receipt.kinds
    assert receipt.touched <= 2, receipt
