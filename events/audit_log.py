"""The audit log: the events of an account and mode in commit order, filtered, read from a position in bounded portions.

Without a stream, a read walks the positions of the log and looks at a bounded number of them, of any account:
there is no index by account, which every append would pay for. So a portion may be empty and still reach further: it
says which position to go on from. Of one stream its index is read.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from events.database import Pool, load_sql
from events.log import record_of
from events.record import Record
from events.scope import Scope

STRETCH = 5_000  # positions that one statement looks at
ROWS = 200  # records that one statement gives
POSITIONS_MAX = 100_000  # that one read looks at
SECONDS_MAX = 2.0  # after which a read begins no further statement
HEAD = "SELECT position FROM events.head"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which events: those that match everything that is not None. `since` is inclusive, `until` exclusive."""

    types: Sequence[str] | None = None
    actor: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    stream: str | None = None

    def matches(self, record: Record) -> bool:
        """Whether a record of the stream is wanted."""
        at = record.origin.at
        return (
            (self.types is None or record.type in self.types)
            and self.actor in (None, record.origin.actor)
            and (self.since is None or at >= self.since)
            and (self.until is None or at < self.until)
        )


class Portion(NamedTuple):
    """Records, the position up to which everything was looked at, and the newest position there is."""

    records: Sequence[Record]
    position: int
    head: int


class AuditLog:
    """Reads the log for one account and mode."""

    def __init__(self, pool: Pool, *, bytes_enough: int) -> None:
        """A portion ends with the record at which its payloads have `bytes_enough`."""
        self._pool = pool
        self._bytes_enough = bytes_enough
        self._scan = load_sql("events", "scan_log")
        self._read_stream = load_sql("events", "read_stream")
        self._version_at = load_sql("events", "version_at_position")

    async def read(self, scope: Scope, after: int, limit: int, wanted: Wanted) -> Portion:
        """Up to `limit` wanted records above a position, which may be beyond the newest. Raises LogUnavailable."""
        head: int = await self._pool.fetchval(HEAD)
        if wanted.stream is not None:
            return await self._of_stream(scope, wanted.stream, after, limit, head, wanted)
        found: list[Record] = []
        position, last, bytes = after, min(head, after + POSITIONS_MAX), 0
        until = time.monotonic() + SECONDS_MAX
        while position < last and len(found) < limit and bytes < self._bytes_enough and time.monotonic() < until:
            upto, rows_max = min(last, position + STRETCH), min(ROWS, limit - len(found))
            rows = await self._pool.fetch(
                self._scan,
                position,
                upto,
                *scope,
                wanted.types,
                wanted.actor,
                wanted.since,
                wanted.until,
                rows_max,
            )
            for row in rows:
                found.append(record_of(row))
                bytes += len(row["payload"])
                if bytes >= self._bytes_enough:
                    break
            cut = len(rows) == rows_max or bytes >= self._bytes_enough
            position = found[-1].position if cut and rows else upto
        return Portion(found, position, head)

    async def _of_stream(self, scope: Scope, stream: str, after: int, limit: int, head: int, wanted: Wanted) -> Portion:
        rows: list[Any] = await self._pool.fetch(self._version_at, stream, after)
        version = rows[0]["version"] if rows else 0
        found: list[Record] = []
        position, bytes = after, 0
        for _ in range(POSITIONS_MAX // ROWS):
            rows = await self._pool.fetch(self._read_stream, stream, version, 2**62, ROWS)
            for record in map(record_of, rows):
                if record.position > head:  # stored since: it is of the next portion
                    return Portion(found, max(position, head), head)
                if len(found) == limit or bytes >= self._bytes_enough:
                    return Portion(found, position, head)
                position, version = record.position, record.version
                if record.origin.scope == scope and wanted.matches(record):
                    found.append(record)
                    bytes += len(record.payload)
            if len(rows) < ROWS:
                return Portion(found, max(position, head), head)
        return Portion(found, position, head)
