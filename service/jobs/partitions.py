"""Partitions of tables: made ahead of need, and dropped when their time is over.

Any number of processes may do it at once. Nothing waits for it: an append makes the partition it needs itself.
"""

import asyncio
from datetime import timedelta

import asyncpg
import structlog

from events.clock import Clock
from events.database import Pool, load_sql
from events.outage import DatabaseUnavailable, Kind
from events.supervision import DATABASE_ERRORS, Retries, set_within

log = structlog.get_logger("service")

EVERY_S = 60.0
# Partitioned by day, and for how many whole days they are kept (API reference: keys at least 24 hours, events 30 days).
KEPT_DAYS = {"events.receipt": 2, "projections.notice": 31, "webhooks.attempt": 31}
MAKE_DAY = "SELECT events.make_day($1::text::regclass, $2)"
DROP_DAYS = "SELECT events.drop_days($1::text::regclass, $2)"


class UpkeepFailed(Exception):
    """Some of the upkeep failed, and the rest is done."""


async def run(pool: Pool, clock: Clock, stop: asyncio.Event) -> None:
    """Maintain the database every minute until `stop` is set."""
    retries = Retries(log, "partitions")
    while not stop.is_set():
        try:
            dropped = await maintain(pool, clock)
            if dropped:
                log.info("partitions.dropped", count=dropped)
        except DATABASE_ERRORS as error:
            await retries.failed(error, stop)
            continue
        except UpkeepFailed as error:
            log.warning("partitions.failed", error=str(error))
        else:
            retries.worked()
        await set_within(EVERY_S, stop)


async def maintain(pool: Pool, clock: Clock) -> int:
    """Make the partitions of today, tomorrow and the log's next stretch; drop old days. Gives how many were dropped.

    Raises UpkeepFailed, after the others, for what failed of one table; DatabaseUnavailable for a database that
    cannot be used.
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
            if error.kind not in (Kind.BUSY, Kind.NOT_MIGRATED):  # a lock that is not to be had in time, say
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
    """What failed, and with which SQLSTATE: PostgreSQL's own words may quote a row."""
    of_days = statement in (MAKE_DAY, DROP_DAYS)
    what = str(arguments[0]) if of_days else "events.receipt_key" if arguments else "events.log"
    state = error.state if isinstance(error, DatabaseUnavailable) else error.sqlstate
    return f"{what}: {type(error).__name__} ({state})"
