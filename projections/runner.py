"""Asynchronous projections: they follow the log from a checkpoint; rows and checkpoint change in one transaction.

Any number of processes may run the same one: who holds the checkpoint's row advances it, the others look again later. A
kill at any instant leaves rows and checkpoint as they were or as they will be. The log says what changed; the rows are
made of how that stands now, so that going over the same events again leads to the same rows.

A stream that fails while others of its batch do not is parked (parked.py). Where all of a batch fail, the fault is not
theirs: the projection stays where it is.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import asyncpg
import structlog

from events.database import Pool, load_sql
from events.scope import Scope
from events.supervision import Retries, Waker
from projections import parked

log = structlog.get_logger("projections")

BATCH = 1_000
POLL_S = 1.0
TIMEOUT_S = 60.0


class Touched(NamedTuple):
    """A stream that has new events, and whose."""

    account: str
    livemode: bool
    stream: str

    @property
    def scope(self) -> Scope:
        """The account and mode of the stream."""
        return Scope(self.account, self.livemode)


class Projection(Protocol):
    """A read model that follows the log; `name` is its checkpoint's."""

    name: str

    async def apply(self, connection: asyncpg.Connection, touched: Sequence[Touched]) -> None:
        """Bring the rows of these streams to how they stand now, each of them once."""
        ...


class Runner:
    """Has one projection follow the log."""

    def __init__(self, pool: Pool, projection: Projection, *, batch: int = BATCH) -> None:
        self._pool = pool
        self._projection = projection
        self._batch = batch
        self._next = load_sql("projections", "next_events")

    async def run(self, wakeup: Waker, stop: asyncio.Event) -> None:
        """Follow until `stop` is set."""
        retries = Retries(log, "projection", projection=self._projection.name)
        while not stop.is_set():
            try:
                advanced = await self.advance()
            except Exception as error:  # it stays where it is, seen by its lag
                await retries.failed(error, stop)
                continue
            retries.worked()
            if advanced < self._batch:
                await wakeup.wait(POLL_S)

    async def advance(self) -> int:
        """Follow the next events, a batch at most; gives how many, 0 while another process is at it."""
        async with asyncio.timeout(TIMEOUT_S), self._pool.acquire() as connection, connection.transaction():
            row = await connection.fetchrow(
                "SELECT position FROM projections.checkpoint WHERE name = $1 FOR UPDATE SKIP LOCKED",
                self._projection.name,
            )
            if row is None:
                return 0
            events: list[Any] = await connection.fetch(self._next, row["position"], self._batch)
            if not events:
                return 0
            touched = dict.fromkeys(Touched(*event[1:]) for event in events)
            await self._apply(connection, list(touched))
            await connection.execute(
                "UPDATE projections.checkpoint SET position = $2 WHERE name = $1",
                self._projection.name,
                events[-1]["position"],
            )
            return len(events)

    async def _apply(self, connection: asyncpg.Connection, touched: Sequence[Touched]) -> None:
        """Apply all at once, or, where that fails, one by one, and park those that fail alone."""
        name = parked.name_of(self._projection.name)
        failed: dict[Touched, str] = {}
        try:
            async with connection.transaction():
                await self._projection.apply(connection, touched)
        except Exception as error:
            if not parked.is_poison(error):
                raise
            for each in touched:
                reason = await self._failure(connection, each)
                if reason is not None:
                    failed[each] = reason
            if len(failed) == len(touched) > 1:
                raise
        for each, reason in failed.items():
            await parked.park(connection, name, each.scope, each.stream, reason)
        await parked.unpark(connection, name, [each.stream for each in touched if each not in failed])

    async def _failure(self, connection: asyncpg.Connection, stream: Touched) -> str | None:
        """Apply one stream; gives why it failed, if it did."""
        try:
            async with connection.transaction():
                await self._projection.apply(connection, [stream])
        except Exception as error:
            if not parked.is_poison(error):
                raise
            return parked.described(error)
        return None
