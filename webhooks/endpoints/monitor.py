"""The failure monitor: notifies owners of failing endpoints; disables those that keep failing or answer 410 Gone.

Its input is in Postgres, written together with attempts; its output are commands on the stream of the endpoint, decided
on the version that it read (optimistic concurrency). So work that a killed process left is found by the next check, and
concurrent checks act once.
"""

import asyncio
import os
from datetime import datetime, timedelta
from typing import Any, assert_never

import structlog

from events import trace
from events.clock import Clock
from events.database import Pool, load_sql
from events.errors import Missing
from events.record import Origin
from events.supervision import DATABASE_ERRORS, Retries, Waker, poke_when_stopped
from events.transact import Executor
from events.unit_of_work import UnitOfWork
from webhooks.endpoints import failing
from webhooks.endpoints.endpoint import ENDPOINT, DisableFailing, NotifyOfFailing
from webhooks.endpoints.failing import Disable, Failing, Notify

log = structlog.get_logger("webhooks")

POLL_S = 30.0


class FailureMonitor:
    """Looks now and then, and when `wakeup` says that an endpoint is gone."""

    def __init__(self, pool: Pool, executor: Executor, clock: Clock, wakeup: Waker, *, poll_s: float = POLL_S) -> None:
        self._pool = pool
        self._executor = executor
        self._clock = clock
        self._wakeup = wakeup
        self._poll_s = poll_s
        self._find = load_sql("webhooks", "find_failing")
        self.notified = 0
        self.disabled = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Monitor until `stop` is set."""
        retries = Retries(log, "failure_monitor")
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(poke_when_stopped(stop, self._wakeup))
            while not stop.is_set():
                try:
                    await self.look()
                except Exception as error:
                    await retries.failed(error, stop)
                    continue
                retries.worked()
                await self._wakeup.wait(self._poll_s)

    async def look(self) -> None:
        """Do what is due about every endpoint that fails. Raises LogUnavailable."""
        now = self._clock.now()
        rows = await self._pool.fetch(self._find, now - timedelta(hours=min(failing.NOTIFIED_AFTER_H)))
        for row in rows:
            try:
                await self._see_to(row, now)
            except DATABASE_ERRORS:
                raise
            except Exception:  # one endpoint's trouble is that endpoint's
                log.exception("endpoint.check_failed", endpoint=row["id"])

    async def _see_to(self, row: Any, now: datetime) -> None:
        found = Failing(
            since=row["failing_since"],
            attempts=row["failures_in_a_row"],
            gone=row["gone"],
            notified_hours=row["notified_hours"],
        )
        what = failing.due(found, now)
        if what is not None:
            await self._do(row, found, what)

    async def _do(self, row: Any, found: Failing, what: Notify | Disable) -> None:
        id, since = row["id"], int(found.since.timestamp())
        command: NotifyOfFailing | DisableFailing
        match what:
            case Notify():
                command = NotifyOfFailing(id=id, attempts=found.attempts, hours=what.hours, since=since)
            case Disable():
                command = DisableFailing(id=id, attempts=found.attempts, reason=what.reason, since=since)
            case _:
                assert_never(what)

        async def act(unit: UnitOfWork) -> bool:
            await unit.load(ENDPOINT, id)
            if unit.version(ENDPOINT, id) == row["version"]:  # else it was changed since: the next look will say
                unit.do(ENDPOINT, id, command)
            return unit.changed()

        origin = Origin(
            account=row["account"],
            livemode=row["livemode"],
            at=self._clock.now(),
            actor="system",
            traceparent=trace.begin(os.urandom(trace.RANDOM_BYTES)),
        )
        try:
            done = await self._executor.transact(act, origin, serialized_on=(ENDPOINT.stream(id),))
        except Missing:
            return
        if not done:
            return
        if isinstance(what, Notify):
            self.notified += 1
            log.warning("endpoint.failing", endpoint=id, hours=what.hours, attempts=found.attempts)
        else:
            self.disabled += 1
            log.warning("endpoint.disabled", endpoint=id, reason=what.reason, attempts=found.attempts)
