"""Partitions of tables: created in advance, and dropped when their retention ends.

Several processes may do it concurrently. Nothing depends on it: an append creates a missing partition itself.
"""

import asyncio
from datetime import timedelta

import asyncpg
import structlog

from events.clock import Clock
from events.database import Pool, load_sql
from events.outage import DatabaseUnavailable, Kind
from events.supervision import Retries, set_within

log = structlog.get_logger("service")

EVERY_S = 60.0
# Tables partitioned by day, with their retention in days (API reference: keys at least 24 hours, events 30 days).
KEPT_DAYS = {"events.receipt": 2, "projections.notice": 31, "webhooks.attempt": 31}
MAKE_DAY = "SELECT events.make_day($1::text::regclass, $2)"
DROP_DAYS = "SELECT events.drop_days($1::text::regclass, $2)"


class UpkeepFailed(Exception):
    """The maintenance of some tables failed; that of the others is done."""


async def run(pool: Pool, clock: Clock, stop: asyncio.Event) -> None:
    """Maintain the database every minute until `stop` is set."""
    retries = Retries(log, "partitions")
    while not stop.is_set():
        try:
            dropped = await maintain(pool, clock)
            if dropped:
                log.info("partitions.dropped", count=dropped)
        except UpkeepFailed as error:
            log.warning("partitions.incomplete", error=str(error))
        except Exception as error:
            await retries.failed(error, stop)
            continue
        else:
            retries.worked()
        await set_within(EVERY_S, stop)


async def maintain(pool: Pool, clock: Clock) -> int:
    """Create the partitions of today, tomorrow and the next range of the log; drop expired ones. Returns the number
    dropped.

    Raises UpkeepFailed, after the other tables, if one table failed; DatabaseUnavailable if the database is
    unavailable.
    """
    today = clock.now().date()
    failed: dict[str, Exception] = {}
    dropped = 0
    steps: list[tuple[str, tuple[object, ...]]] = [
        ("SELECT events.prepare_log()", ()),
        *((MAKE_DAY, (parent, day)) for parent in KEPT_DAYS for day in (today, today + timedelta(days=1))),
        (load_sql("events", "drop_receipt_keys"), (today - timedelta(days=KEPT_DAYS["events.receipt"]),)),
        *((DROP_DAYS, (parent, today - timedelta(days=days))) for parent, days in KEPT_DAYS.items()),
    ]
    for statement, arguments in steps:
        try:
            gave = await pool.fetchval(statement, *arguments)
        except DatabaseUnavailable as error:
            if error.kind not in (Kind.BUSY, Kind.NOT_MIGRATED):  # a lock timeout, for example
                raise
            failed[_named(statement, arguments, error)] = error
        except asyncpg.PostgresError as error:
            failed[_named(statement, arguments, error)] = error
        else:
            dropped += gave if statement == DROP_DAYS else 0
    if failed:
        raise UpkeepFailed("; ".join(failed)) from next(iter(failed.values()))
    return dropped


def _named(statement: str, arguments: tuple[object, ...], error: DatabaseUnavailable | asyncpg.PostgresError) -> str:
    """What failed, with its SQLSTATE: the message of PostgreSQL may quote a row."""
    of_days = statement in (MAKE_DAY, DROP_DAYS)
    what = str(arguments[0]) if of_days else "events.receipt_key" if arguments else "events.log"
    state = error.state if isinstance(error, DatabaseUnavailable) else error.sqlstate
    return f"{what}: {type(error).__name__} ({state})"
