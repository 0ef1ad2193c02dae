"""In-memory fake of the event log: the same contract as the one in Postgres, for tests."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta

from events.clock import Clock, SystemClock
from events.errors import AlreadyAnswered, StaleStream
from events.record import Append, Loaded, Receipt, Record, Snapshot
from events.scope import Scope

RECEIPTS_KEPT = timedelta(hours=24)


class MemoryLog:
    """See events.log.Log for what each method promises."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._records: list[Record] = []
        self._streams: dict[str, list[Record]] = defaultdict(list)
        self._keys: dict[str, bytes] = {}
        self._snapshots: dict[tuple[str, bytes], Snapshot] = {}
        self._receipts: dict[tuple[Scope, str], tuple[Receipt, float]] = {}

    async def append(self, item: Append) -> int | None:
        """See Log."""
        origin, together = item.origin, (item, *item.with_)
        if item.receipt and await self.receipt(origin.scope, item.receipt.key):
            raise AlreadyAnswered(item.receipt.key)
        for part in together:
            if (part.drafts or part.expected) and len(self._streams[part.stream]) != part.expected:
                raise StaleStream(part.stream, part.expected)
        if item.receipt:
            now = self._clock.now().timestamp()
            self._receipts[origin.scope, item.receipt.key] = (item.receipt, now)
        first = len(self._records) + 1
        for part in together:
            self._store(part)
        return first if item.drafts else None

    def _store(self, item: Append) -> None:
        if item.wrapped_key is not None:
            self._keys[item.stream] = item.wrapped_key
        if item.snapshot is not None:
            self._snapshots[item.stream, item.snapshot.code] = item.snapshot
        for draft in item.drafts:
            record = Record(
                position=len(self._records) + 1,
                stream=item.stream,
                version=draft.version,
                type=draft.type,
                schema_version=draft.schema_version,
                payload=draft.payload,
                hash=draft.hash,
                origin=item.origin._replace(traceparent=None),
            )
            self._records.append(record)
            self._streams[item.stream].append(record)

    async def load(self, stream: str, after: int = 0) -> Loaded:
        """See Log."""
        records = self._streams[stream][after:]
        return Loaded(records, self._keys.get(stream) if records else None)

    async def load_state(self, stream: str, code: bytes) -> Loaded:
        """See Log."""
        snapshot = self._snapshots.get((stream, code))
        records = self._streams[stream][snapshot.version if snapshot else 0 :]
        return Loaded(records, self._keys.get(stream) if records or snapshot else None, snapshot)

    async def read(self, after: int, limit: int) -> Sequence[Record]:
        """See Log."""
        return self._records[after : after + limit]

    async def receipt(self, scope: Scope, key: str) -> Receipt | None:
        """See Log."""
        receipt, at = self._receipts.get((scope, key), (None, 0.0))
        kept = self._clock.now().timestamp() - at < RECEIPTS_KEPT.total_seconds()
        return receipt if kept else None
