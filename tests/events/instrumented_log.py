"""A log in memory that counts what is asked of it, and fails when it is to."""

from collections.abc import Sequence

from events.memory import MemoryLog
from events.record import Append, Loaded, Receipt, Record
from events.scope import Scope


class InstrumentedLog:
    """A log that counts what is asked of it, and fails its next appends with the errors that it was given."""

    def __init__(self, log: MemoryLog) -> None:
        self.log = log
        self.appends = 0
        self.loads = 0
        self.failures: list[Exception] = []

    async def append(self, item: Append) -> int | None:
        self.appends += 1
        if self.failures:
            raise self.failures.pop(0)
        return await self.log.append(item)

    async def load(self, stream: str, after: int = 0) -> Loaded:
        self.loads += 1
        return await self.log.load(stream, after)

    async def load_state(self, stream: str, code: bytes) -> Loaded:
        self.loads += 1
        return await self.log.load_state(stream, code)

    async def read(self, after: int, limit: int) -> Sequence[Record]:
        return await self.log.read(after, limit)

    async def receipt(self, scope: Scope, key: str) -> Receipt | None:
        return await self.log.receipt(scope, key)
