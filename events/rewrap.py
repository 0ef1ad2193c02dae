"""Master key rotation (rewrapping): encrypts with the newest key what older ones encrypt, and retires those.

It runs beside the service, in bounded batches: a row is replaced only where it is as it was read, so what is erased or
written meanwhile stays. Rows that are done are skipped, so a rotation that was killed is run again. Before a key is
retired nothing may be sealed by it any more; from then on triggers refuse what it seals, and once a last sweep finds
nothing it is marked as emptied: processes need it no more. Events are not concerned: what is sealed in them is sealed
by the key of their stream, never by a master key.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import asyncpg

from events import snapshots
from events.database import load_sql
from events.errors import BrokenHistory
from events.keys import MasterKeys
from events.master_key import CONTEXT, REGISTER, TEXT, digest_context
from events.receipts import day_context

BATCH_MAX = 500
ROTATION_LOCK = 0x0_7011_B00E
COUNT_TIMEOUT_S = 600.0
LOCK_TIMEOUT_S = 0.05  # how long an append may queue behind us
LOCK_TRIES_MAX = 200
UNREADABLE_SHOWN_MAX = 3


class NotRotated(Exception):
    """The old master keys are still needed; the message says why and what to do. What was rewrapped stays so."""


@dataclass(frozen=True, slots=True)
class Count:
    """So many things of a kind are sealed by the master key of that name."""

    what: str
    name: bytes
    number: int


@dataclass(frozen=True, slots=True)
class Batch:
    """So many rows were looked at, and these do not unseal."""

    rows: int
    unreadable: Sequence[str] = ()


class Sealed(Protocol):
    """Tables with something that master keys seal."""

    async def counts(self, connection: Any, names: Sequence[bytes]) -> Sequence[Count]:
        """How much each master key seals; `names` are those that may have sealed something."""
        ...

    def reseal(self, connection: Any, keys: MasterKeys) -> AsyncIterator[Batch]:
        """Seal by the newest key whatever another one sealed."""
        ...


class WrappedKeys:
    """The keys of streams and of days, and the secrets of digests."""

    def __init__(self) -> None:
        self._count = load_sql("events", "count_wrapped")
        self._read_subjects = load_sql("events", "read_wrapped_subjects")
        self._rewrap_subjects = load_sql("events", "rewrap_subjects")
        self._rewrap_days = load_sql("events", "rewrap_receipt_days")
        self._rewrap_digests = load_sql("events", "rewrap_digests")

    async def counts(self, connection: Any, names: Sequence[bytes]) -> Sequence[Count]:
        """See Sealed."""
        rows = await connection.fetch(self._count, timeout=COUNT_TIMEOUT_S)
        return [Count(row["what"], row["name"], row["n"]) for row in rows]

    async def reseal(self, connection: Any, keys: MasterKeys) -> AsyncIterator[Batch]:
        """See Sealed."""
        rows = await connection.fetch("SELECT purpose, wrapped FROM keys.digest")
        found = [(row["purpose"], digest_context(row["purpose"]), row["wrapped"]) for row in rows]
        yield await _rewrap(connection, self._rewrap_digests, keys, found)
        rows = await connection.fetch("SELECT day, wrapped FROM keys.receipt_day")
        found = [(row["day"], day_context(row["day"].toordinal()), row["wrapped"]) for row in rows]
        yield await _rewrap(connection, self._rewrap_days, keys, found)
        last = ""
        while rows := await connection.fetch(self._read_subjects, last, BATCH_MAX):
            last = rows[-1]["stream"]
            found = [(row["stream"], row["stream"], row["wrapped"]) for row in rows]
            yield await _rewrap(connection, self._rewrap_subjects, keys, found)


class SealedSnapshots:
    """The snapshots of streams that have no key of their own. One that does not unseal is left: no load uses it."""

    def __init__(self) -> None:
        self._count = load_sql("events", "count_sealed_snapshots")
        self._read = load_sql("events", "read_sealed_snapshots")
        self._rewrap = load_sql("events", "rewrap_snapshots")

    async def counts(self, connection: Any, names: Sequence[bytes]) -> Sequence[Count]:
        """See Sealed."""
        rows = await connection.fetch(self._count, names, timeout=COUNT_TIMEOUT_S)
        return [Count("snapshots", row["name"], row["n"]) for row in rows]

    async def reseal(self, connection: Any, keys: MasterKeys) -> AsyncIterator[Batch]:
        """See Sealed."""
        stream, code = "", b""
        while rows := await connection.fetch(self._read, stream, code, keys.names, BATCH_MAX):
            stream, code = rows[-1]["stream"], rows[-1]["code"]
            old, broken = [], []
            for row in rows:
                if keys.seals(row["body"]):
                    continue
                try:
                    context = snapshots.context(row["stream"], row["version"], row["code"])
                    old.append((row["stream"], row["code"], row["body"], keys.reseal(row["body"], context)))
                except BrokenHistory:
                    broken.append((row["stream"], row["code"]))
            if old:
                await connection.execute(self._rewrap, *map(list, zip(*old, strict=True)))
            for each in broken:  # derived: the next append makes another
                await connection.execute("DELETE FROM events.snapshot WHERE stream = $1 AND code = $2", *each)
            yield Batch(len(rows))


async def _rewrap(connection: Any, statement: str, keys: MasterKeys, rows: Sequence[tuple[Any, str, bytes]]) -> Batch:
    """Replace the wrapped keys of a batch: its rows are a primary key, the context, and what is wrapped."""
    old, unreadable = [], []
    for id, context, wrapped in rows:
        if keys.seals(wrapped):
            continue
        try:
            old.append((id, wrapped, keys.reseal(wrapped, context)))
        except BrokenHistory as error:
            unreadable.append(str(error))
    if old:
        await connection.execute(statement, *map(list, zip(*old, strict=True)))
    return Batch(len(rows), unreadable)


@dataclass(frozen=True, slots=True)
class Known:
    """A master key that the database knows."""

    name: bytes
    registered_at: datetime | None = None  # None: it sealed something before keys were registered
    retired_at: datetime | None = None
    emptied_at: datetime | None = None
    counts: tuple[Count, ...] = ()


async def known(connection: Any, keys: MasterKeys, tables: Sequence[Sealed]) -> Sequence[Known]:
    """The master keys, the oldest first, with what each of them seals."""
    rows = await connection.fetch("SELECT name, registered_at, retired_at, emptied_at FROM keys.master ORDER BY 2, 1")
    registered = [row["name"] for row in rows]
    names = [*registered, *(name for name in keys.names if name not in registered)]
    counts = [each for table in tables for each in await table.counts(connection, names)]
    unregistered = {each.name: None for each in counts if each.name not in registered}

    def of(name: bytes) -> tuple[Count, ...]:
        number: Counter[str] = Counter()
        for each in counts:
            if each.name == name:
                number[each.what] += each.number
        return tuple(Count(what, name, n) for what, n in number.items())

    return [
        *(Known(name, counts=of(name)) for name in unregistered),
        *(
            Known(row["name"], row["registered_at"], row["retired_at"], row["emptied_at"], of(row["name"]))
            for row in rows
        ),
    ]


async def rotate(connection: Any, keys: MasterKeys, tables: Sequence[Sealed]) -> AsyncIterator[int]:
    """Seal everything by the newest master key and retire the others; gives how many rows each batch looked at.

    Raises NotRotated. The connection must be this rotation's alone.
    """
    if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", ROTATION_LOCK):
        raise NotRotated("Another rotation is running.")
    try:
        found = await known(connection, keys, tables)
        _require_newest_first(keys, found)
        old = [each.name for each in found if each.name != keys.names[0] and each.emptied_at is None]
        if not old:
            return
        async for rows in _sweep(connection, keys, tables):
            yield rows
        if left := await _left(connection, keys, tables):
            raise NotRotated(
                f"{left}: a process still has that key first in its ROLLBOOK_MASTER_KEY. It is not retired."
            )
        await _retire(connection, keys, old)
        if await _left(connection, keys, tables):  # by an append that began before
            async for rows in _sweep(connection, keys, tables):
                yield rows
        if left := await _left(connection, keys, tables):
            raise NotRotated(f"{left}: run the rotation again.")
        await connection.execute("UPDATE keys.master SET emptied_at = now() WHERE name = ANY($1::bytea[])", old)
    finally:
        await connection.execute("SELECT pg_advisory_unlock($1)", ROTATION_LOCK)


def _require_newest_first(keys: MasterKeys, found: Sequence[Known]) -> None:
    missing = [each.name for each in found if each.emptied_at is None and each.name not in keys.names]
    if missing:
        number = sum(count.number for each in found if each.name == missing[0] for count in each.counts)
        raise NotRotated(
            f"{number} keys or secrets are sealed by the master key {missing[0].hex()}, which was not given: "
            "add it to ROLLBOOK_MASTER_KEY, after the others."
        )
    registered = [each.name for each in found if each.registered_at is not None]
    newer = registered[registered.index(keys.names[0]) + 1 :]
    if newer:
        raise NotRotated(
            f"The first master key that was given, {keys.names[0].hex()}, is older than {newer[-1].hex()}: "
            "put the newest first in ROLLBOOK_MASTER_KEY, or begin with a new one (rollbook master-key new)."
        )


async def _sweep(connection: Any, keys: MasterKeys, tables: Sequence[Sealed]) -> AsyncIterator[int]:
    unreadable: list[str] = []
    number = 0
    for table in tables:
        async for batch in table.reseal(connection, keys):
            number += len(batch.unreadable)
            unreadable += batch.unreadable[: UNREADABLE_SHOWN_MAX - len(unreadable)]
            yield batch.rows
    if unreadable:
        raise NotRotated(f"{number} keys or secrets cannot be unsealed: {'; '.join(unreadable)}. No key was retired.")


async def _left(connection: Any, keys: MasterKeys, tables: Sequence[Sealed]) -> str:
    """What is sealed by another key than the newest, in words; empty when nothing is."""
    for each in await known(connection, keys, tables):
        number = sum(count.number for count in each.counts)
        if each.name != keys.names[0] and number:
            return f"{number} keys or secrets were sealed by the master key {each.name.hex()} during the rotation"
    return ""


async def _retire(connection: Any, keys: MasterKeys, names: Sequence[bytes]) -> None:
    """Have nothing sealed by these keys any more: appends that began before are over, and later ones are refused."""
    for tries in range(1, LOCK_TRIES_MAX + 1):
        try:
            async with _briefly(connection):
                await connection.execute("LOCK TABLE keys.receipt_day IN SHARE MODE")
                await connection.execute("SELECT FROM events.head FOR UPDATE")
                for name in names:
                    await connection.execute(REGISTER, name, keys.only(name).seal(TEXT, CONTEXT))
                await connection.execute(
                    "UPDATE keys.master SET retired_at = coalesce(retired_at, now()) WHERE name = ANY($1::bytea[])",
                    names,
                )
            return
        except asyncpg.LockNotAvailableError:
            if tries == LOCK_TRIES_MAX:
                raise NotRotated(
                    "The locks to retire the old key with were not free: a long transaction, such as a dump, holds "
                    "them. Run the rotation again when it is over."
                ) from None
            await asyncio.sleep(LOCK_TIMEOUT_S)


@asynccontextmanager
async def _briefly(connection: Any) -> AsyncIterator[None]:
    async with connection.transaction():
        await connection.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_S * 1000:.0f}ms'")
        yield
