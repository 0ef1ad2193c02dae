"""The scheduler: executes due work, by the machine's clock or by a test clock.

Work is leased, so several processes share it, and the work of a killed process is taken over when its lease expires.
That is safe because handlers are idempotent: a decision that was made before produces no events. Failed work is retried
with exponential backoff, without delaying other work.
"""

import asyncio
from collections.abc import Mapping

import structlog

from events.errors import LogUnavailable, Missing
from events.follow import Wakeup
from events.supervision import DATABASE_ERRORS, Retries, Waker, poke_when_stopped
from events.testclock import TEST_CLOCK
from events.unit_of_work import UnitOfWork
from projections.due import Due, DueWork
from projections.testclocks import ADVANCE
from service.commands import testclocks
from service.jobs import system
from service.jobs.handlers import HANDLERS, Handler
from service.wiring import Core

log = structlog.get_logger("service")

HANDLER_TIMEOUT_S = 30.0
IN_FLIGHT_MAX = 32
PAUSE_S_MAX = 3600
POLL_S = 5.0  # longest delay after a lost wake-up
PACE_S = 0.02  # shortest interval between two polls
COUNTED_MAX = 10_000


class NoHandler(Exception):
    """No handler for this kind of job; a newer version may have one."""


def pause_s(tries: int) -> int:
    """Exponential backoff: two seconds after the first failure, doubled each time, at most an hour."""
    return int(min(2.0 ** min(tries, 32), PAUSE_S_MAX))


class Scheduler:
    """Executes due work concurrently; `lease_s` is how long the work of a killed process stays leased."""

    def __init__(
        self,
        core: Core,
        wakeup: Waker,
        *,
        handlers: Mapping[str, Handler] = HANDLERS,
        lease_s: float = 60.0,
        poll_s: float = POLL_S,
    ) -> None:
        self._core = core
        self._wakeup = wakeup
        self._handlers = handlers
        self._lease_s = max(int(lease_s), 1)
        self._poll_s = poll_s
        self._work = DueWork(core.pool)
        self._in_flight: set[asyncio.Task[None]] = set()
        self._count_at = 0.0
        self._stop = asyncio.Event()
        self.waiting = 0  # due by now, at the last count
        self.executed = 0
        self.failed = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Execute due work until `stop` is set; work in progress is finished."""
        self._stop = stop
        retries = Retries(log, "scheduler")
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(poke_when_stopped(stop, self._wakeup))
            while not stop.is_set():
                try:
                    pause = await self._turn(tasks)
                except Exception as error:
                    await retries.failed(error, stop)
                    continue
                retries.worked()
                await self._wakeup.wait(pause)
                await asyncio.sleep(PACE_S)

    async def _turn(self, tasks: asyncio.TaskGroup) -> float:
        """Start due work, within the limit; gives how long to wait for more, unless woken."""
        room = IN_FLIGHT_MAX - len(self._in_flight)
        if room < IN_FLIGHT_MAX // 2:
            return self._poll_s
        now = self._now()
        taken = await self._work.take(now, now + self._lease_s, room)
        for due in taken:
            task = tasks.create_task(self._begin(due))
            self._in_flight.add(task)
            task.add_done_callback(self._ended)
        await self._count(now)
        if len(taken) == room:
            return self._poll_s
        next_at = await self._work.next_at()
        if next_at is None:
            return self._poll_s
        return min(max(next_at - self._core.clock.now().timestamp(), 0.0), self._poll_s)

    async def _begin(self, due: Due) -> None:
        try:
            if due.task == ADVANCE:
                await self._advance(due)
            else:
                await self._do(due)
        except LogUnavailable as error:  # outcome unknown: it is retried when its lease expires
            log.warning("job.unknown", task=due.task, object=due.id, error=str(error))
        except Exception as error:
            await self._fail(due, error)

    async def _do(self, due: Due) -> None:
        """Execute a piece of work. Raises LogUnavailable; after any other failure the work is postponed."""
        try:
            handler = self._handlers.get(due.task)
            if handler is None:
                raise NoHandler(due.task)
            async with asyncio.timeout(HANDLER_TIMEOUT_S):
                await handler(self._core, due)
        except Missing:
            log.info("job.gone", task=due.task, object=due.id, subject=due.subject)
        except LogUnavailable:
            raise
        except Exception as error:
            await self._fail(due, error)
            return
        else:
            self.executed += 1
            log.info("job.executed", task=due.task, object=due.id, subject=due.subject, tries=due.tries)
        await self._work.finish(due)

    async def _advance(self, due: Due) -> None:
        """Do all that is due under a clock up to the time it moves to, in order of time; then let it arrive.

        What fails is put off like any other work, and the clock arrives without it.
        """
        clock = await self._core.executor.state(TEST_CLOCK, due.id, system.origin_of(self._core, due))
        while clock.target is not None:
            work = await self._work.next_of_clock(due.scope, due.id, clock.target, self._now())
            if work is None:
                await self._arrive(due, clock.target)
                break
            if self._stop.is_set():
                await self._work.again(due, self._now())  # for another process
                return
            if not await self._work.keep(due, self._now() + self._lease_s):
                return  # another process goes on with it, or the clock is gone
            await self._do(work)
        await self._work.finish(due)

    async def _arrive(self, due: Due, target: int) -> None:
        async def act(unit: UnitOfWork) -> None:
            await testclocks.arrive(unit, due.id, target)

        await self._core.executor.transact(
            act, system.origin_of(self._core, due), serialized_on=(TEST_CLOCK.stream(due.id),)
        )
        self.executed += 1
        log.info("job.executed", task=due.task, object=due.id, subject=due.subject, tries=due.tries)

    async def _fail(self, due: Due, error: Exception) -> None:
        self.failed += 1
        pause = pause_s(due.tries)
        log.error(
            "job.failed",
            task=due.task,
            object=due.id,
            subject=due.subject,
            tries=due.tries,
            retry_in_s=pause,
            error=type(error).__name__,
            exc_info=error,
        )
        try:
            await self._work.again(due, self._now() + pause)
        except DATABASE_ERRORS as lost:
            log.warning("job.unknown", task=due.task, object=due.id, error=str(lost))
        except Exception:  # it is retried when its lease expires
            log.exception("job.not_postponed", task=due.task, object=due.id)

    async def _count(self, now: int) -> None:
        """Count waiting work periodically."""
        time = asyncio.get_running_loop().time()
        if time >= self._count_at:
            self._count_at = time + self._poll_s
            self.waiting = await self._work.waiting(now, COUNTED_MAX)

    def _now(self) -> int:
        return int(self._core.clock.now().timestamp())

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._in_flight.discard(task)
        if len(self._in_flight) <= IN_FLIGHT_MAX // 2:
            self._wakeup.poke()  # there is capacity for more


async def run(core: Core, stop: asyncio.Event) -> None:
    """Execute due work until `stop` is set, woken by NOTIFY when work becomes due."""
    wakeup = Wakeup(core.dsn, "rollbook_due")
    scheduler = Scheduler(core, wakeup, lease_s=core.settings.job_lease_s)
    callbacks = core.metrics.callbacks
    callbacks.gauge("service_jobs_waiting", "Scheduled work that is due and not begun.", lambda: scheduler.waiting)
    callbacks.counter("service_jobs_executed", "Scheduled work that this process executed.", lambda: scheduler.executed)
    callbacks.counter("service_jobs_failed", "Failed tries of scheduled work.", lambda: scheduler.failed)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(wakeup.run(stop))
        tasks.create_task(scheduler.run(stop))
