"""The history of one stream, read from the log in slices: for audits (time travel), without snapshots.

Snapshots are derived, so an audit uses none. What is folded stays the caller's: here are the records, and which version
a stream had at a position or at a time.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import NamedTuple

from events.database import Pool, load_sql
from events.log import record_of
from events.record import Record
from events.scope import Scope

SLICE = 500  # records that are read at once


class StreamHead(NamedTuple):
    """Whose a stream is and how far it goes; `wrapped` is its key, None once that was destroyed."""

    scope: Scope
    version: int
    wrapped: bytes | None


class History:
    """Reads streams of the log."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._sql = {
            name: load_sql("events", name)
            for name in ("find_stream", "read_stream", "version_at_position", "version_at_time", "version_of_event")
        }

    async def head(self, stream: str) -> StreamHead | None:
        """Whose a stream is; None when there is no such stream. Raises LogUnavailable."""
        for row in await self._pool.fetch(self._sql["find_stream"], stream):
            return StreamHead(Scope(row["account"], row["livemode"]), row["version"], row["wrapped"])
        return None

    async def slices(self, stream: str, after: int, last: int) -> AsyncIterator[Sequence[Record]]:
        """The records of a stream above version `after` up to `last`, in order, SLICE at a time."""
        while after < last:
            rows = await self._pool.fetch(self._sql["read_stream"], stream, after, last, SLICE)
            if not rows:
                return
            yield [record_of(row) for row in rows]
            after = rows[-1]["version"]

    async def version_at_position(self, stream: str, position: int) -> int:
        """The version that a stream had when the log reached a position; 0 if it was not there yet."""
        return await self._version("version_at_position", stream, position)

    async def version_at_time(self, stream: str, at: datetime) -> int:
        """The version that a stream had at a time; 0 if it was not there yet."""
        return await self._version("version_at_time", stream, at)

    async def version_of_event(self, stream: str, position: int) -> int:
        """The version of the event at a position; 0 if that is no event of the stream."""
        return await self._version("version_of_event", stream, position)

    async def _version(self, statement: str, stream: str, at: object) -> int:
        rows = await self._pool.fetch(self._sql[statement], stream, at)
        version: int = rows[0]["version"] if rows else 0
        return version
