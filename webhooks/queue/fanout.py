"""Fan-out: a notice becomes one delivery for each subscribed endpoint, idempotently.

It runs in Postgres, in one transaction a batch; webhooks/sql/functions/fan_out.sql says how each notice is fanned out
once. The watermark of fan-out is the sequence below which every notice was fanned out.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

from events.database import DedicatedConnection
from webhooks.queue.metrics import FanOutMetrics
from webhooks.queue.store import LOOKUPS_ONLY

AHEAD_OF_WATERMARK = (
    "SELECT webhooks.fan_out(ARRAY(SELECT n.sequence FROM projections.notice n, webhooks.watermark w "
    "WHERE n.sequence > w.sequence AND n.appended_at >= w.appended_at ORDER BY n.sequence LIMIT $1))"
)


class Progress(NamedTuple):
    """The result of one step of the watermark along the notices."""

    passed: int  # notices that the watermark moved past
    missed: int  # of those, fanned out by this step
    made: int  # deliveries
    in_order: bool  # some endpoints have ordered delivery: see `catch_up_in_order`


class InOrder(NamedTuple):
    """The result of one step of ordered fan-out."""

    passed: int  # notices
    made: int  # deliveries


class Recovered(NamedTuple):
    """The result of one step of recovery."""

    done: int  # deliveries made or canceled
    more: bool  # more is left to recover


class FanOut:
    """Fans out over a dedicated connection. Calls do not overlap; each raises LogUnavailable if that fails."""

    def __init__(self, dsn: str, metrics: FanOutMetrics | None = None) -> None:
        self.metrics = metrics or FanOutMetrics()
        self._connection = DedicatedConnection(dsn, application="fan-out", **LOOKUPS_ONLY)

    async def fan_out(self, sequences: Sequence[int]) -> int:
        """Fan out these notices, except those fanned out already; gives the deliveries made. Raises LogUnavailable."""
        rows = await self._connection.fetch("SELECT webhooks.fan_out($1)", sequences)
        made: int = rows[0][0]
        self.metrics.batches += 1
        self.metrics.notices += len(sequences)
        self.metrics.deliveries += made
        return made

    async def look_ahead(self, batch: int) -> int:
        """Fan out part of the next `batch` notices, round robin by account; gives the deliveries made.

        Raises LogUnavailable.
        """
        rows = await self._connection.fetch(AHEAD_OF_WATERMARK, batch)
        made: int = rows[0][0]
        self.metrics.deliveries += made
        return made

    async def catch_up(self, delay: timedelta, batch: int) -> Progress:
        """Move the watermark past at most `batch` notices, fanning out those still not fanned out after `delay`.

        Raises LogUnavailable.
        """
        rows = await self._connection.fetch("SELECT * FROM webhooks.catch_up($1, $2)", delay, batch)
        progress = Progress(*rows[0])
        if progress.missed:
            self.metrics.batches += 1
            self.metrics.notices += progress.missed
            self.metrics.deliveries += progress.made
        return progress

    async def catch_up_in_order(self, batch: int) -> InOrder:
        """Fan out at most `batch` notices below the watermark to endpoints with ordered delivery.

        Raises LogUnavailable.
        """
        rows = await self._connection.fetch("SELECT * FROM webhooks.catch_up_in_order($1)", batch)
        step = InOrder(*rows[0])
        self.metrics.deliveries += step.made
        return step

    async def recover(self, batch: int, outstanding_max: int) -> Recovered:
        """Recover part of what endpoints missed: see webhooks/sql/functions/recover.sql. Raises LogUnavailable."""
        rows = await self._connection.fetch("SELECT * FROM webhooks.recover($1, $2)", batch, outstanding_max)
        recovered = Recovered(*rows[0])
        self.metrics.recovered += recovered.done
        return recovered

    async def sweep(self, batch: int) -> int:
        """Delete what is no longer needed, at most `batch` rows of a table. Raises LogUnavailable."""
        rows = await self._connection.fetch("SELECT webhooks.sweep($1)", batch)
        swept: int = rows[0][0]
        self.metrics.swept += swept
        return swept

    async def close(self) -> None:
        """Close the connection."""
        await self._connection.close()
