"""Per-stream locks among the tasks of one process: commands on one stream are serialized, so they do not conflict.

Deadlock is avoided by lock order: the locks of several streams are taken in the order of their names.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from events.errors import LockTimeout

LOCK_TIMEOUT_S = 10.0  # for each stream


class StreamLocks:
    """The locks in use at this moment."""

    def __init__(self) -> None:
        self._locks: dict[str, tuple[asyncio.Lock, int]] = {}  # with the number of tasks that hold it or wait for it

    def __len__(self) -> int:
        """How many streams are locked."""
        return len(self._locks)

    def users(self, stream: str) -> int:
        """How many tasks have the lock of a stream, or wait for it."""
        return self._locks[stream][1] if stream in self._locks else 0

    @asynccontextmanager
    async def locked(self, streams: Iterable[str]) -> AsyncIterator[None]:
        """Hold the locks of all these streams. Raises LockTimeout."""
        taken: list[tuple[str, asyncio.Lock]] = []
        try:
            for stream in sorted(set(streams)):
                lock = await self._acquire(stream)
                taken.append((stream, lock))
            yield
        finally:
            for stream, lock in taken:
                lock.release()
                self._leave(stream)

    async def _acquire(self, stream: str) -> asyncio.Lock:
        lock, users = self._locks.get(stream) or (asyncio.Lock(), 0)
        self._locks[stream] = (lock, users + 1)
        try:
            if users == 0:  # usually it is free, and a timer would cost more than the lock
                await lock.acquire()
            else:
                async with asyncio.timeout(LOCK_TIMEOUT_S):
                    await lock.acquire()
        except TimeoutError:
            self._leave(stream)
            raise LockTimeout from None
        except BaseException:
            self._leave(stream)
            raise
        return lock

    def _leave(self, stream: str) -> None:
        lock, users = self._locks[stream]
        if users == 1:
            del self._locks[stream]
        else:
            self._locks[stream] = (lock, users - 1)
