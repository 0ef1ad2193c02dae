"""Group commit: appends that arrive while a batch is in flight are stored together by the next one.

One call of a server function stores a batch. Each item succeeds or fails on its own: a stale one is reported while the
others are stored. If an item makes the statement fail, the batch is bisected until that item is alone; only it fails.
"""

import time
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, Protocol

import asyncpg

from events.batcher import Batcher, Overloaded
from events.database import PINNED_PLANS, DedicatedConnection
from events.errors import AlreadyAnswered, ConstraintBroken, LogUnavailable, StaleStream
from events.record import Append

BATCH_MAX = 128

Observe = Callable[[int, float, int | None], None]  # items of a batch, its duration in seconds, a position from it
Stored = int | None  # the first event's position; None when there was no event


class ReadModels(Protocol):
    """Inline read models: rows that are written in the transaction of the append."""

    statement: str  # returns `outcome` and `first_position`; $1 to $3 as in events.append

    def parameters(self, items: Sequence[Append]) -> Sequence[Sequence[Any]]:
        """The parameters from $4 on: arrays of rows, each with the 1-based index of its item in `items`.

        `items` are flat: the `with_` appends of an item follow it.
        """
        ...


class NoReadModels:
    """No read models: only the log is written."""

    statement = "SELECT outcome, first_position FROM events.append($1, $2, $3)"

    def parameters(self, items: Sequence[Append]) -> Sequence[Sequence[Any]]:
        """No further parameters."""
        return ()


class GroupCommit:
    """Stores appends in batches, over a dedicated connection."""

    def __init__(
        self, dsn: str, read_models: ReadModels, *, batch_max: int = BATCH_MAX, observe: Observe | None = None
    ) -> None:
        self._connection = DedicatedConnection(dsn, application="append", **PINNED_PLANS)
        self._read_models = read_models
        self._observe = observe
        self._batcher: Batcher[Append, Stored] = Batcher(self._store, batch_max=batch_max, keys=_marks, share=_share)

    async def append(self, item: Append) -> Stored:
        """Store one item; see Log.append."""
        try:
            return await self._batcher.submit(item)
        except Overloaded as error:
            raise LogUnavailable("too many appends are waiting") from error

    def wait_s(self) -> float:
        """Estimate how long one more append would wait until it is stored."""
        return self._batcher.wait_s()

    async def close(self) -> None:
        """Store what is waiting, then close the connection."""
        await self._batcher.close()
        await self._connection.close()

    async def _store(self, items: list[Append]) -> list[Stored | Exception]:
        started = time.perf_counter()
        leaders, parameters = parameters_of(items, self._read_models)
        try:
            rows = await self._connection.fetch(self._read_models.statement, *parameters)
        except LogUnavailable as error:
            return [error] * len(items)
        except asyncpg.IntegrityConstraintViolationError as error:
            if len(items) == 1:
                return [ConstraintBroken(error.constraint_name or "")]
            return await self._store_halves(items)
        except (asyncpg.PostgresError, ValueError, OverflowError) as error:
            if len(items) == 1:
                return [error]
            return await self._store_halves(items)
        row = rows[0]
        if self._observe is not None:
            self._observe(len(items), time.perf_counter() - started, row["first_position"][-1])
        outcomes, positions = row["outcome"], row["first_position"]
        return [
            _stored(item, outcomes[index - 1], positions[index - 1])
            for item, index in zip(items, sorted(set(leaders)), strict=True)
        ]

    async def _store_halves(self, items: list[Append]) -> list[Stored | Exception]:
        half = len(items) // 2
        return [*await self._store(items[:half]), *await self._store(items[half:])]


def parameters_of(items: Sequence[Append], read_models: ReadModels) -> tuple[Sequence[int], Sequence[Any]]:
    """What the statement of the read models takes for a batch; and the 1-based index of the leader of each item."""
    single, leaders = _spread(items)
    return leaders, (
        [_item(item, leader) for item, leader in zip(single, leaders, strict=True)],
        [draft for index, item in enumerate(single, 1) for draft in _drafts(index, item)],
        [_snapshot(index, item) for index, item in enumerate(single, 1) if item.snapshot is not None],
        *read_models.parameters(single),
    )


def _spread(items: Sequence[Append]) -> tuple[Sequence[Append], Sequence[int]]:
    """The items, each followed by its `with_` appends; and for each of them the 1-based index of its leader."""
    single: list[Append] = []
    leaders: list[int] = []
    for item in items:
        leader = len(single) + 1
        single.append(item)
        single.extend(item.with_)
        leaders.extend([leader] * (1 + len(item.with_)))
    return single, leaders


def _share(item: Append) -> Hashable:
    """The share of an append: accounts, both modes together, have equal shares of a batch (fair queueing)."""
    return item.origin.account


def _marks(item: Append) -> Iterable[Hashable]:
    """The keys of an item, which no other item of its batch may have: its streams and its idempotency key."""
    yield item.stream
    for neighbour in item.with_:
        yield neighbour.stream
    if item.receipt is not None:
        yield (item.origin.account, item.origin.livemode, item.receipt.key)


def _stored(item: Append, outcome: str, position: int | None) -> Stored | Exception:
    match outcome:
        case "accepted":
            return position
        case "stale":
            return StaleStream(item.stream, item.expected)
        case "answered":
            assert item.receipt is not None
            return AlreadyAnswered(item.receipt.key)
    raise AssertionError(f"events.append gave {outcome}")


def _item(item: Append, leader: int) -> tuple[Any, ...]:
    """The events.item row of an append."""
    origin, receipt = item.origin, item.receipt
    kept: tuple[Any, ...] = (None,) * 6
    if receipt is not None:
        kept = (
            receipt.key,
            receipt.route,
            receipt.fingerprint,
            receipt.request_id,
            receipt.status,
            receipt.body,
        )
    return (
        item.stream,
        item.expected,
        len(item.drafts),
        item.drafts[-1].hash if item.drafts else None,
        origin.account,
        origin.livemode,
        item.wrapped_key,
        *kept,
        leader,
    )


def _drafts(index: int, item: Append) -> Iterable[tuple[Any, ...]]:
    """The events.draft rows of an item."""
    origin = item.origin
    for draft in item.drafts:
        yield (
            index,
            item.stream,
            draft.version,
            origin.account,
            origin.livemode,
            draft.type,
            draft.schema_version,
            draft.payload,
            draft.hash,
            origin.at,
            origin.actor,
            origin.request_id,
            origin.idempotency_key,
            origin.correlation_id,
            origin.causation_id,
        )


def _snapshot(index: int, item: Append) -> tuple[Any, ...]:
    """The events.snapshot_row of an item that has one."""
    assert item.snapshot is not None
    return (index, item.stream, *item.snapshot)
