"""Following the log: told that there is something new, and reading it in commit order.

A NOTIFY is a hint: it may be lost with its connection, so whoever waits for one looks by itself now and then too.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import structlog

from events.availability import Retries
from events.database import as_outage, availability_of, connect
from events.log import Log
from events.record import Record

log = structlog.get_logger("events")

ALIVE_EVERY_S = 5.0
BATCH = 500
POLL_S = 1.0


class Wakeup:
    """Wakes one waiter at each NOTIFY on a channel. What came since the last wait wakes the next one at once."""

    def __init__(self, dsn: str, channel: str) -> None:
        self._dsn = dsn
        self._channel = channel
        self._woken = asyncio.Event()

    def poke(self) -> None:
        """Wake the waiter from within this process."""
        self._woken.set()

    async def wait(self, timeout_s: float) -> None:
        """Until something came since the last wait, or the time is over."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._woken.wait()
        except TimeoutError:
            return
        finally:
            self._woken.clear()

    async def run(self, stop: asyncio.Event) -> None:
        """Listen until told to stop, on a connection of its own, made again when it is lost, whatever it is lost by."""
        stopped = asyncio.create_task(stop.wait())
        retries = Retries(log, "listening", channel=self._channel)
        try:
            while not stop.is_set():
                try:
                    await self._listen(stopped, retries)
                except Exception as error:
                    await retries.failed(as_outage(error, self._dsn), stop)
        finally:
            stopped.cancel()

    async def _listen(self, stopped: "asyncio.Task[bool]", retries: Retries) -> None:
        known = availability_of(self._dsn)
        generation = known.generation
        connection = await connect(self._dsn, application=f"listen {self._channel}")
        closed = asyncio.get_running_loop().create_future()
        try:
            connection.add_termination_listener(lambda _: closed.cancel())
            await connection.add_listener(self._channel, self._notified)
            self.poke()  # something may have come while nobody listened
            retries.worked()
            while not stopped.done() and known.generation == generation:
                await asyncio.wait([stopped, closed], timeout=ALIVE_EVERY_S, return_when=asyncio.FIRST_COMPLETED)
                # A connection lost in silence is found out.
                await connection.execute("SELECT 1", timeout=ALIVE_EVERY_S)
        finally:
            connection.terminate()

    def _notified(self, connection: Any, pid: int, channel: str, payload: str) -> None:
        self._woken.set()


async def follow(log: Log, after: int, wakeup: Wakeup, stop: asyncio.Event) -> AsyncIterator[Sequence[Record]]:
    """Everything beyond a position, in commit order, in batches, as it comes, until told to stop.

    Raises LogUnavailable; whoever remembers the last position it handled goes on from there.
    """
    while not stop.is_set():
        records = await log.read(after, BATCH)
        if records:
            after = records[-1].position
            yield records
        else:
            await wakeup.wait(POLL_S)
