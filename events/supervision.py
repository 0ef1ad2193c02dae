"""Supervision of loops: errors of the database and pauses after them, stopping, and wake-ups.

A loop of a role runs until a stop event is set. It waits for a wake-up or a poll, does its work, and when PostgreSQL
is lost meanwhile tries again after growing pauses (`Retries`).
"""

import asyncio
import random
from typing import Any, Protocol

import asyncpg

from events.errors import LogUnavailable
from events.outage import DatabaseUnavailable

DATABASE_ERRORS = (LogUnavailable, asyncpg.PostgresError)  # what a loop survives: the database is lost, or refuses
PAUSE_S, PAUSE_S_MAX = 0.5, 15.0


class Waker(Protocol):
    """Wakes a loop when there may be something to do; a hint, never a promise."""

    def poke(self) -> None:
        """Wake the waiter, now or at its next wait."""
        ...

    async def wait(self, timeout_s: float) -> None:
        """Return when woken since the last wait, or after `timeout_s`."""
        ...


async def poke_when_stopped(stop: asyncio.Event, *wakers: Waker) -> None:
    """Once `stop` is set, wake the loop that waits for these."""
    await stop.wait()
    for waker in wakers:
        waker.poke()


async def stopped_within(seconds: float, stop: asyncio.Event) -> bool:
    """Wait so long, or until `stop` is set; gives whether it is."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return False
    return True


class Pauses:
    """Exponential backoff with jitter: from half a second to a quarter of a minute."""

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
    """How one loop of a role gets over errors of the database: said once, then waited for with growing pauses.

    An outage is said by the watcher, and waited for as long as it lasts; what only this loop meets is said as
    `name`.waits when it begins or changes, and `name`.resumed when it is over.
    """

    def __init__(self, log: Any, name: str, **fields: Any) -> None:
        self._log = log
        self._name = name
        self._fields = fields
        self._pauses = Pauses()
        self._said: str | None = None

    async def failed(self, error: Exception, stop: asyncio.Event) -> None:
        """Wait until a further try makes sense, or `stop` is set."""
        watcher = error.reported_to if isinstance(error, DatabaseUnavailable) else None
        if watcher is not None and await watcher.verdict(stop):
            self._pauses.reset()
            return
        text = _line(error)
        pause_s = self._pauses.next()
        if text != self._said:
            self._said = text
            self._log.warning(f"{self._name}.waits", error=text, retry_in_s=round(pause_s, 1), **self._fields)
        await stopped_within(pause_s, stop)

    def worked(self) -> None:
        """It does what it should."""
        if self._said is not None:
            self._said = None
            self._log.info(f"{self._name}.resumed", **self._fields)
        self._pauses.reset()


def _line(error: Exception) -> str:
    if isinstance(error, DatabaseUnavailable):
        return error.advised
    text = str(error.args[0]) if error.args else ""
    return f"{type(error).__name__}: {text.splitlines()[0]}" if text.strip() else type(error).__name__
