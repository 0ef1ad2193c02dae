"""Following the log: told that there is something new, and reading it in commit order.

A NOTIFY is a hint: it may be lost with its connection, so whoever waits for one looks by itself now and then too.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

import structlog

from events.database import as_outage, availability_of, connect
from events.log import Log
from events.record import Record
from events.supervision import Retries

log = structlog.get_logger("events")

ALIVE_EVERY_S = 5.0
BATCH = 500
POLL_S = 1.0


class Wakeup:
    """Wakes one waiter at each NOTIFY on a channel. What came since the last wait wakes the next one at once."""

    def __init__(self, dsn: str, channel: str) -> None:
        self._dsn = dsn
        self._woken = asyncio.Event()
        self.channel = channel

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
        """Listen until told to stop, on the connection that all wake-ups of a database share in this process."""
        stopped = asyncio.create_task(stop.wait())
        listener = Listener.of(self._dsn)
        listener.add(self)
        turn = asyncio.create_task(listener.turn.acquire())
        try:
            await asyncio.wait({stopped, turn}, return_when=asyncio.FIRST_COMPLETED)
            if not stop.is_set():
                await listener.run(stop, stopped)  # for the others too
        finally:
            listener.remove(self)
            if turn.done() and not turn.cancelled():
                listener.turn.release()
            turn.cancel()
            stopped.cancel()


class Listener:
    """The connection that a process LISTENs on, one for all of its wake-ups.

    One of the wake-ups runs it, and when that stops another takes its turn.
    """

    _all: ClassVar[WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, "Listener"]]] = WeakKeyDictionary()

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._wakeups: set[Wakeup] = set()
        self._changed = asyncio.Event()
        self.turn = asyncio.Lock()

    @classmethod
    def of(cls, dsn: str) -> "Listener":
        """The listener of a database in this event loop."""
        known = cls._all.setdefault(asyncio.get_running_loop(), {})
        return known.setdefault(dsn, cls(dsn))

    def add(self, wakeup: Wakeup) -> None:
        """Have a wake-up's channel listened on; others may have been before, so something may have come already."""
        self._wakeups.add(wakeup)
        wakeup.poke()
        self._changed.set()

    def remove(self, wakeup: Wakeup) -> None:
        """Wake it no more."""
        self._wakeups.discard(wakeup)

    async def run(self, stop: asyncio.Event, stopped: "asyncio.Task[bool]") -> None:
        """Listen until told to stop, on a connection that is made again when it is lost, whatever it is lost by."""
        retries = Retries(log, "listening")
        while not stop.is_set():
            try:
                await self._listen(stopped, retries)
            except Exception as error:
                await retries.failed(as_outage(error, self._dsn), stop)

    async def _listen(self, stopped: "asyncio.Task[bool]", retries: Retries) -> None:
        known = availability_of(self._dsn)
        generation = known.generation
        connection = await connect(self._dsn, application="listen")
        channels: set[str] = set()
        changed: asyncio.Task[bool] | None = None
        try:
            while not stopped.done() and known.generation == generation:
                if changed is None or changed.done():
                    self._changed.clear()
                    changed = asyncio.create_task(self._changed.wait())
                await self._add(connection, channels)
                retries.worked()
                await asyncio.wait({stopped, changed}, timeout=ALIVE_EVERY_S, return_when=asyncio.FIRST_COMPLETED)
                # A connection lost in silence is found out.
                await connection.execute("SELECT 1", timeout=ALIVE_EVERY_S)
        finally:
            if changed is not None:
                changed.cancel()
            connection.terminate()

    async def _add(self, connection: Any, channels: set[str]) -> None:
        """Listen on the channels that are not listened on yet; something may have come there while nobody did."""
        for channel in {wakeup.channel for wakeup in self._wakeups} - channels:
            await connection.add_listener(channel, self._notified)
            channels.add(channel)
            self._notified(connection, 0, channel, "")

    def _notified(self, connection: Any, pid: int, channel: str, payload: str) -> None:
        for wakeup in self._wakeups:
            if wakeup.channel == channel:
                wakeup.poke()


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
