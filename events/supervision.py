"""Supervision of loops: errors of the database and the backoff after them, stopping, and wake-ups.

A loop of a role runs until a stop event is set. It waits for a wake-up or a poll, does its work, and when PostgreSQL
is lost meanwhile tries again after growing pauses (`Retries`). So it does after any other exception, a fault of ours:
the loop goes on, and the other loops of the process are not concerned.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Coroutine
from typing import Any, Protocol, TypeVar

import asyncpg

from events.errors import LogUnavailable
from events.outage import DatabaseUnavailable

DATABASE_ERRORS = (LogUnavailable, asyncpg.PostgresError)  # the database is lost, or refuses
EXPECTED = (*DATABASE_ERRORS, TimeoutError, OSError)  # what a loop may meet without a fault of ours
FAILURES: Counter[str] = Counter()  # unexpected exceptions of this process, by loop
PAUSE_S, PAUSE_S_MAX = 0.5, 15.0
CANCEL_AGAIN_S = 5.0
T = TypeVar("T")


class Waker(Protocol):
    """Wakes a loop when there may be something to do; a hint, never a promise."""

    def poke(self) -> None:
        """Wake the waiter, now or at its next wait."""
        ...

    async def wait(self, timeout_s: float) -> None:
        """Return when woken since the last wait, or after `timeout_s`."""
        ...


class LocalWaker:
    """Wakes one waiter of this process. What came since the last wait wakes the next one at once."""

    def __init__(self) -> None:
        self._woken = asyncio.Event()

    def poke(self) -> None:
        """Wake the waiter, now or at its next wait."""
        self._woken.set()

    async def wait(self, timeout_s: float | None = None) -> None:
        """Return when woken since the last wait, or after `timeout_s`, if any."""
        try:
            await set_within(timeout_s, self._woken)
        finally:
            self._woken.clear()


async def poke_when_stopped(stop: asyncio.Event, *wakers: Waker) -> None:
    """Once `stop` is set, wake the loop that waits for these."""
    await stop.wait()
    for waker in wakers:
        waker.poke()


async def set_within(seconds: float | None, event: asyncio.Event, *others: asyncio.Event) -> bool:
    """Wait so long, None for ever, or until one of the events is set; gives whether one is."""
    if not others:
        try:
            async with asyncio.timeout(seconds):
                return await event.wait()
        except TimeoutError:
            return False
    waits = [asyncio.create_task(each.wait()) for each in (event, *others)]
    try:
        done, _ = await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        return bool(done)
    finally:
        for wait in waits:
            wait.cancel()


async def unless_set(work: Coroutine[Any, Any, T], *events: asyncio.Event, timeout_s: float | None = None) -> T | None:
    """Do `work`, but cancel it when one of the events is set or the time is over; gives its result, else None."""
    working = asyncio.create_task(work)
    ends = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait([working, *ends], timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        await end(working, *ends)


async def beside(work: Coroutine[Any, Any, None], *others: Coroutine[Any, Any, None]) -> None:
    """Do `work`, and the others for as long as it takes. Raises what the first of them to fail raised."""
    main = asyncio.create_task(work)
    running = {main, *map(asyncio.create_task, others)}
    every = tuple(running)
    try:
        while not main.done():
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
    finally:
        await end(*every)


async def end(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks until all have ended, whatever they raise.

    One cancellation may be lost: before Python 3.12 asyncio.wait_for swallows one that arrives with the result
    (https://github.com/python/cpython/issues/86296), and the clients of the servers use it.
    """
    running = {*tasks}
    while running:
        for task in running:
            task.cancel()
        _, running = await asyncio.wait(running, timeout=CANCEL_AGAIN_S)
    await asyncio.gather(*tasks, return_exceptions=True)  # what they raised counts as noticed


class Pauses:
    """Exponential backoff with jitter: pauses that double from `first_s` to `most_s`, each up to a fifth shorter."""

    def __init__(self, first_s: float = PAUSE_S, most_s: float = PAUSE_S_MAX) -> None:
        self._first_s, self._most_s = first_s, most_s
        self._next_s = first_s

    def next(self) -> float:
        """How long to pause now."""
        pause_s = self._next_s * random.uniform(0.8, 1.0)
        self._next_s = min(self._next_s * 2, self._most_s)
        return pause_s

    def reset(self) -> None:
        """Begin with short pauses again."""
        self._next_s = self._first_s


class Retries:
    """How one loop of a role gets over exceptions: logged, then retried after growing pauses.

    An outage is logged by the watcher, and waited for as long as it lasts; what only this loop meets is logged as
    `name`.waits when it begins or changes, and `name`.resumed when it is over. An unexpected exception is logged as
    `name`.failed with its traceback, each time, and counted; its pauses grow up to `pace_s`.
    """

    def __init__(self, log: Any, name: str, *, pace_s: float = PAUSE_S_MAX, **fields: Any) -> None:
        self._log = log
        self._name = name
        self._fields = fields
        self._pauses = Pauses()
        self._fault_pauses = Pauses(most_s=max(pace_s, PAUSE_S))
        self._said: str | None = None

    async def failed(self, error: Exception, stop: asyncio.Event) -> None:
        """Wait until a further try makes sense, or `stop` is set."""
        if not isinstance(error, EXPECTED):
            await self.faulted(error, stop)
            return
        watcher = error.reported_to if isinstance(error, DatabaseUnavailable) else None
        if watcher is not None and await watcher.verdict(stop):
            self._pauses.reset()
            return
        text = _line(error)
        pause_s = self._pauses.next()
        if text != self._said:
            self._said = text
            self._log.warning(f"{self._name}.waits", error=text, retry_in_s=round(pause_s, 1), **self._fields)
        await set_within(pause_s, stop)

    async def faulted(self, error: Exception, stop: asyncio.Event) -> None:
        """Log and count an exception that nothing explains, and wait before the next try, or until `stop` is set."""
        FAILURES[self._name] += 1
        pause_s = self._fault_pauses.next()
        self._said = type(error).__name__
        self._log.error(f"{self._name}.failed", retry_in_s=round(pause_s, 1), exc_info=error, **self._fields)
        await set_within(pause_s, stop)

    def worked(self) -> None:
        """The work succeeded."""
        self._fault_pauses.reset()
        if self._said is not None:
            self._said = None
            self._log.info(f"{self._name}.resumed", **self._fields)
        self._pauses.reset()


def _line(error: Exception) -> str:
    if isinstance(error, DatabaseUnavailable):
        return error.advised
    text = str(error.args[0]) if error.args else ""
    return f"{type(error).__name__}: {text.splitlines()[0]}" if text.strip() else type(error).__name__
