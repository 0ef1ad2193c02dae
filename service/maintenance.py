"""What keeps the database in shape: partitions made ahead of need, and dropped when their time is over.

Any number of processes may do it at once. Nothing waits for it: an append makes the partition it needs itself.
"""

import asyncio
from datetime import timedelta

import asyncpg
import structlog

from events.clock import Clock
from events.database import LOST, load_sql

log = structlog.get_logger("service")

EVERY_S = 60.0
# Partitioned by day, and for how many whole days they are kept (API reference: keys at least 24 hours, events 30 days).
KEPT_DAYS = {"events.receipt": 2, "projections.notice": 31, "webhooks.attempt": 31}


async def run(pool: asyncpg.Pool, clock: Clock, stop: asyncio.Event) -> None:
    """Maintain the database every minute until told to stop."""
    while not stop.is_set():
        try:
            dropped = await maintain(pool, clock)
            if dropped:
                log.info("partitions.dropped", count=dropped)
        except (*LOST, asyncpg.PostgresError) as error:
            log.warning("maintenance.failed", error=type(error).__name__)
        try:
            async with asyncio.timeout(EVERY_S):
                await stop.wait()
        except TimeoutError:
            continue


async def maintain(pool: asyncpg.Pool, clock: Clock) -> int:
    """Make the partitions of today, tomorrow and the log's next stretch; drop old days. Gives how many were dropped."""
    today = clock.now().date()
    dropped = 0
    await pool.execute("SELECT events.prepare_log()")
    await pool.execute(load_sql("events", "drop_receipt_keys"), today - timedelta(days=KEPT_DAYS["events.receipt"]))
    for parent, days in KEPT_DAYS.items():
        for day in (today, today + timedelta(days=1)):
            await pool.execute("SELECT events.make_day($1::text::regclass, $2)", parent, day)
        dropped += await pool.fetchval(
            "SELECT events.drop_days($1::text::regclass, $2)", parent, today - timedelta(days=days)
        )
    return dropped
