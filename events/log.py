"""The event log (event store): append to a stream with an expected version, read a stream, read all events."""

from collections.abc import Sequence
from typing import Any, Protocol

from events.commit import GroupCommit
from events.database import Pool, load_sql
from events.errors import LogUnavailable
from events.keys import MasterKeys
from events.receipts import ReceiptKeys
from events.record import Append, Loaded, Origin, Receipt, Record, Snapshot
from events.scope import Scope


class Log(Protocol):
    """An append-only log of events in streams; positions count over all streams, gapless and in commit order."""

    async def append(self, item: Append) -> int | None:
        """Store the events of one command atomically with its other rows; gives the position of the first event.

        Raises StaleStream, ConstraintBroken or AlreadyAnswered, and then has stored nothing; LogUnavailable when the
        outcome is unknown.
        """
        ...

    async def load(self, stream: str, after: int = 0) -> Loaded:
        """The records of a stream with a version above `after`, in order."""
        ...

    async def load_state(self, stream: str, code: bytes) -> Loaded:
        """The snapshot of a stream made by that folding code, and the records after it; without one, all records."""
        ...

    async def read(self, after: int, limit: int) -> Sequence[Record]:
        """Up to `limit` records with a position above `after`, in order."""
        ...

    async def receipt(self, scope: Scope, key: str) -> Receipt | None:
        """The receipt stored under an idempotency key in the last 24 hours; None without one."""
        ...


class PostgresLog:
    """The log in Postgres. Concurrent appends are batched (group commit); receipts are encrypted."""

    def __init__(self, commit: GroupCommit, pool: Pool, master_keys: MasterKeys) -> None:
        self._commit = commit
        self._pool = pool
        self._load = load_sql("events", "load_stream")
        self._load_state = load_sql("events", "load_state")
        self._read = load_sql("events", "read_log")
        self._receipt = load_sql("events", "find_receipt")
        self.refused: str | None = None  # why this process must not write to this database, if it must not
        self._receipt_keys = ReceiptKeys(self._fetch, master_keys)

    async def append(self, item: Append) -> int | None:
        """See Log."""
        self._admit()
        return await self._commit.append(item if item.receipt is None else await self._receipt_keys.seal(item))

    async def load(self, stream: str, after: int = 0) -> Loaded:
        """See Log."""
        self._admit()
        rows = await self._fetch(self._load, stream, after)
        return Loaded([record_of(row) for row in rows], rows[0]["wrapped"] if rows else None)

    async def load_state(self, stream: str, code: bytes) -> Loaded:
        """See Log."""
        self._admit()
        rows = await self._fetch(self._load_state, stream, code)
        wrapped = rows[0]["wrapped"] if rows else None
        if not rows or rows[0]["position"] is not None:
            return Loaded([record_of(row) for row in rows], wrapped)
        snapshot = Snapshot(code, rows[0]["version"], rows[0]["payload"])
        return Loaded([record_of(row) for row in rows[1:]], wrapped, snapshot)

    async def read(self, after: int, limit: int) -> Sequence[Record]:
        """See Log."""
        return [record_of(row) for row in await self._fetch(self._read, after, limit)]

    async def receipt(self, scope: Scope, key: str) -> Receipt | None:
        """See Log."""
        self._admit()
        rows = await self._fetch(self._receipt, *scope, key)
        return await self._receipt_keys.unseal(scope, Receipt(**rows[0])) if rows else None

    def _admit(self) -> None:
        if self.refused is not None:
            raise LogUnavailable(self.refused)

    async def _fetch(self, query: str, *arguments: object) -> list[Any]:
        return await self._pool.fetch(query, *arguments)


def record_of(row: Any) -> Record:
    """The record of a row of events.log."""
    return Record(
        position=row["position"],
        stream=row["stream"],
        version=row["version"],
        type=row["type"],
        schema_version=row["schema_version"],
        payload=row["payload"],
        hash=row["hash"],
        origin=Origin(
            account=row["account"],
            livemode=row["livemode"],
            at=row["recorded_at"],
            actor=row["actor"],
            request_id=row["request_id"],
            idempotency_key=row["idempotency_key"],
            correlation_id=row["correlation_id"],
            causation_id=row["causation_id"],
        ),
    )
