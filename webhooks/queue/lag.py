"""The lag monitor: backlog and lag of relay, fan-out, search and deliveries, and the state of the lanes, for /metrics.

A scrape gets the last sample: the database is queried periodically, by one statement that
costs the same however much there is.
"""

import asyncio
from datetime import timedelta
from typing import NamedTuple

import structlog

from events.database import Pool, load_sql
from events.supervision import Retries, set_within

log = structlog.get_logger("webhooks")

EVERY_S = 15.0
TIMEOUT_S = 5.0
COUNTED_MAX = 10_000


class Backlog(NamedTuple):
    """One sample: the columns of webhooks/sql/read_backlog.sql.

    A lag is the age of the oldest item that waits; None while nothing waits.
    """

    relay_notices: int  # not published yet
    relay_lag: timedelta | None
    fan_out_notices: int  # above the watermark of fan-out
    fan_out_lag: timedelta | None
    search_events: int  # that the search index is behind
    search_lag: timedelta | None
    due_lag: timedelta | None  # of scheduled work that is due
    pending: int  # deliveries, counted up to COUNTED_MAX; so are lanes and endpoints
    overdue: timedelta | None  # the delivery that has been due longest, in lanes that are ready
    idle: int  # lanes with nothing to deliver,
    scheduled: int  # lanes with deliveries due later,
    ready: int  # lanes that wait for a worker,
    leased: int  # lanes that a worker has leased
    closed: int  # breakers that are closed,
    open: int  # open,
    half_open: int  # or half-open
    quiet: int  # lanes whose receivers sent Retry-After,
    gone: int  # or answered 410 Gone
    set_aside: int  # lanes whose stored data is unusable
    paused: int  # endpoints
    held: int  # held deliveries, which keep others from being sent
    parked: int  # streams that a read model cannot take in


class LagMonitor:
    """Samples every `every_s`; `seen` is the last sample, None while the database is unavailable."""

    def __init__(self, pool: Pool, *, every_s: float = EVERY_S) -> None:
        self._pool = pool
        self._every_s = every_s
        self._read = load_sql("webhooks", "read_backlog")
        self.seen: Backlog | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Sample until `stop` is set."""
        retries = Retries(log, "lag_monitor")
        while not stop.is_set():
            try:
                await self.look()
            except Exception as error:
                self.seen = None
                await retries.failed(error, stop)
                continue
            retries.worked()
            await set_within(self._every_s, stop)

    async def look(self) -> Backlog:
        """Sample once. Raises LogUnavailable."""
        row = await self._pool.fetchrow(self._read, COUNTED_MAX, timeout=TIMEOUT_S)
        self.seen = Backlog(*row)
        return self.seen
