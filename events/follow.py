"""Followers of the log: wake-ups by LISTEN/NOTIFY, and catch-up reads in commit order.

A NOTIFY is a hint: it may be lost with its connection, so waiters also poll.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

import structlog

from events.database import as_outage, availability_of, connect
from events.log import Log
from events.record import Record
from events.supervision import LocalWaker, Retries, set_within, unless_set

log = structlog.get_logger("events")

ALIVE_EVERY_S = 5.0
BATCH = 500
POLL_S = 1.0


class Wakeup(LocalWaker):
    """Wakes a waiter at each NOTIFY on a channel too. One that came since the last wait ends the next wait at once."""

    def __init__(self, dsn: str, channel: str) -> None:
        super().__init__()
        self._dsn = dsn
        self.channel = channel

    def notified(self, payload: str) -> None:
        """Take a notification; an empty one also when some may have been missed."""
        self.poke()

    async def run(self, stop: asyncio.Event) -> None:
        """Listen until `stop` is set, on the connection that all wake-ups of a database share in this process."""
        listener = Listener.of(self._dsn)
        listener.add(self)
        try:
            await unless_set(listener.run(stop), stop)  # for the others too
        finally:
            listener.remove(self)


class Listener:
    """The connection that a process LISTENs on, one for all of its wake-ups.

    One of the wake-ups runs it, and when that stops another takes its turn.
    """

    _all: ClassVar[WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, "Listener"]]] = WeakKeyDictionary()

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._wakeups: set[Wakeup] = set()
        self._changed = asyncio.Event()
        self._turn = asyncio.Lock()

    @classmethod
    def of(cls, dsn: str) -> "Listener":
        """The listener of a database in this event loop."""
        known = cls._all.setdefault(asyncio.get_running_loop(), {})
        return known.setdefault(dsn, cls(dsn))

    def add(self, wakeup: Wakeup) -> None:
        """Listen on the channel of a wake-up, and poke it: something may have come before."""
        self._wakeups.add(wakeup)
        wakeup.notified("")
        self._changed.set()

    def remove(self, wakeup: Wakeup) -> None:
        """Stop waking it."""
        self._wakeups.discard(wakeup)

    async def run(self, stop: asyncio.Event) -> None:
        """Listen when it is the caller's turn, until canceled or `stop` is set.

        The connection is made again when it is lost, whatever it is lost by.
        """
        async with self._turn:
            retries = Retries(log, "listening")
            while not stop.is_set():
                try:
                    await self._listen(retries)
                except Exception as error:
                    await retries.failed(as_outage(error, self._dsn), stop)

    async def _listen(self, retries: Retries) -> None:
        known = availability_of(self._dsn)
        generation = known.generation
        connection = await connect(self._dsn, application="listen")
        channels: set[str] = set()
        try:
            while known.generation == generation:
                self._changed.clear()
                await self._add(connection, channels)
                retries.worked()
                await set_within(ALIVE_EVERY_S, self._changed)
                # A connection lost in silence is found out.
                await connection.execute("SELECT 1", timeout=ALIVE_EVERY_S)
        finally:
            connection.terminate()

    async def _add(self, connection: Any, channels: set[str]) -> None:
        """Listen on the channels that are not listened on yet, and poke them: notifications may have been missed."""
        for channel in {wakeup.channel for wakeup in self._wakeups} - channels:
            await connection.add_listener(channel, self._notified)
            channels.add(channel)
            self._notified(connection, 0, channel, "")

    def _notified(self, connection: Any, pid: int, channel: str, payload: str) -> None:
        for wakeup in self._wakeups:
            if wakeup.channel == channel:
                wakeup.notified(payload)


async def follow(log: Log, after: int, wakeup: Wakeup, stop: asyncio.Event) -> AsyncIterator[Sequence[Record]]:
    """Events after a position, in commit order and in batches, waiting for new ones until `stop` is set. Raises
    LogUnavailable; the caller can continue from the last position it processed.
    """
    while not stop.is_set():
        records = await log.read(after, BATCH)
        if records:
            after = records[-1].position
            yield records
        else:
            await wakeup.wait(POLL_S)
