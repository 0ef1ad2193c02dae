"""The blue/green rebuild of a read model: version n+1 is filled beside n while the service reads and writes.

It goes through these states, each stored, so that a rebuild that was killed goes on where it was:

- filling: ranges of streams are made into rows, as of one position of the log (fill.py), without indexes;
- indexing: the indexes are made;
- following: streams with later events are made again, batch by batch. The last few events are followed, and the tables
  swapped, in one transaction that holds what serializes the writers: the log's head row, or the checkpoint of a
  projection that follows. It waits a few milliseconds for its locks, lets everybody go on, and tries again;
- merging: what has state of its own beside the log is corrected row by row, where it differs;
- done: the version before is kept for a rollback.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import structlog

from events.database import load_sql
from events.errors import DatabaseUnsuitable
from projections.parked import unpark
from projections.progress import Meter, Progress
from projections.rebuild import shadow
from projections.rebuild.compare import Comparison, compare, recheck
from projections.rebuild.fill import RANGES_PER_WORKER, Workers, connect, cut, fill, set_aside
from projections.rebuild.model import DUE_COLUMNS, Model
from projections.rebuild.write import numbered, upsert
from projections.runner import Touched
from projections.search.rows import SearchProjection

log = structlog.get_logger("projections")

LOCK = "SELECT pg_try_advisory_lock(hashtext('rollbook rebuild'), hashtext($1))"
FOLLOW_BATCH = 1_000
FINAL_EVENTS = 64  # followed while writers wait
MERGE_BATCH = 100
HELD_MS_MAX = 30.0  # writers wait no longer for the last events; the swap itself takes a few milliseconds more
LOCK_TIMEOUT_MS = 15
TRIES_MAX = 300
PAUSE_S = 0.05
POLL_S = 0.1


ROLLBACK = b"rollback"  # in place of a digest of code


class Behind(Exception):
    """There are more new events than may be followed while writers wait."""


class NothingToRollBack(DatabaseUnsuitable):
    """The version before is not kept."""


@dataclass(slots=True)
class Outcome:
    """What a rebuild came to."""

    comparisons: list[Comparison] = field(default_factory=list)
    parked: int = 0
    held_ms: float = 0.0  # how long writers waited for the swap, at most
    events: int = 0


@dataclass(slots=True)
class _Rebuild:
    """One that is stored."""

    state: str
    snapshot: int
    position: int
    tables: Sequence[str]
    code: bytes


class Rebuilder:
    """Rebuilds one read model. `make` gives it in any process."""

    def __init__(self, dsn: str, make: Callable[[], Model], *, workers: int = 1) -> None:
        """With one worker everything happens in this process."""
        self._dsn = dsn
        self._make = make
        self._model = make()
        self._workers = workers
        self._next_events = load_sql("projections", "next_events")
        self._connection: Any = None
        self._swapped = False  # then only what is merged is followed still
        self.outcome = Outcome()

    async def rebuild(self) -> AsyncIterator[Progress]:
        """Fill the next version, put it in use and keep the one before; yields how far it is."""
        async with self._session():
            async for progress in self._until_followed():
                yield progress
            await self._finish()

    async def verify(self) -> AsyncIterator[Progress]:
        """Fill the next version, compare it with the one in use, and drop it."""
        async with self._session():
            stored = await self._stored()
            if stored is not None and stored.state == "merging":
                await self._finish()
            async for progress in self._until_followed():
                yield progress
            self.outcome.comparisons = await self._settled()
            await self._forget()

    async def rollback(self) -> None:
        """Put the version before in use again, with what has happened since. Raises NothingToRollBack."""
        async with self._session() as connection:
            row = await connection.fetchrow(
                "SELECT state, code, previous_position FROM projections.rebuild WHERE name = $1", self._model.name
            )
            tables = [table.name for table in self._model.tables]
            begun = row is not None and row["state"] != "done" and row["code"] == ROLLBACK
            if not begun:
                kept = [await shadow.exists(connection, shadow.PREVIOUS, table) for table in tables]
                if row is None or row["previous_position"] is None or not all(kept):
                    raise NothingToRollBack(
                        f"No earlier version of {self._model.name} is kept, or it has another form."
                    )
                if row["state"] == "merging":
                    await self._finish()
                async with connection.transaction():
                    for name in [*tables, *self._model.merged]:
                        await shadow.drop(connection, shadow.NEXT, name)
                    await shadow.restore(connection, tables)
                    await connection.execute(
                        load_sql("projections", "begin_rollback"), self._model.name, tables, ROLLBACK
                    )
            await self._finish()

    async def drop_previous(self) -> None:
        """Drop the version that is kept for a rollback."""
        async with self._session() as connection:
            for table in self._model.tables:
                await shadow.drop(connection, shadow.PREVIOUS, table.name)
            await connection.execute(
                "UPDATE projections.rebuild SET previous_position = NULL WHERE name = $1", self._model.name
            )

    def _session(self) -> "_Session":
        return _Session(self, self._dsn, self._model.name)

    async def _until_followed(self) -> AsyncIterator[Progress]:
        connection = self._connection
        rebuild = await self._stored() or await self._begin()
        meter = Meter(await self._model.total(connection, rebuild.snapshot))
        if rebuild.state == "filling":
            async for done in self._fill(rebuild.snapshot):
                self.outcome.events = done
                yield meter.at(min(done, meter.total))
            await self._enter("indexing")
            rebuild.state = "indexing"
        if rebuild.state == "indexing":
            for name in rebuild.tables:
                await shadow.index(connection, name)
            await self._enter("following")
            rebuild.state = "following"
        if rebuild.state == "following":
            await self._follow()
            self.outcome.comparisons = [await compare(connection, table) for table in self._model.tables]
        yield meter.at(meter.total)

    async def _finish(self) -> None:
        stored = await self._read()
        assert stored is not None
        if stored.state == "following":
            await self._swap()
        self._swapped = True
        if "due" in stored.tables:
            await self._merge()
        await self._sync()
        await self._enter("done")
        if "due" in stored.tables:
            await shadow.drop(self._connection, shadow.NEXT, "due")
        self.outcome.parked = await self._connection.fetchval(
            "SELECT count(*) FROM projections.parked WHERE projection = $1", self._model.name
        )
        log.info(
            "rebuild.done", name=self._model.name, position=stored.position, held_ms=round(self.outcome.held_ms, 1)
        )

    async def _stored(self) -> _Rebuild | None:
        """The rebuild to go on with: its tables must be there in the present form, made by the same code."""
        found = await self._read()
        if found is None or found.state in ("done", "merging"):
            return found if found is not None and found.state == "merging" else None
        there = [await shadow.exists(self._connection, shadow.NEXT, table) for table in found.tables]
        return found if all(there) and found.code == self._model.code else None

    async def _read(self) -> _Rebuild | None:
        row = await self._connection.fetchrow(
            "SELECT state, snapshot, position, tables, code FROM projections.rebuild WHERE name = $1", self._model.name
        )
        return None if row is None else _Rebuild(*row)

    async def _begin(self) -> _Rebuild:
        connection, model = self._connection, self._model
        tables = [*(table.name for table in model.tables), *model.merged]
        for table in model.tables:
            await shadow.create(connection, table.name)  # makes the schemas, too
        for name in model.merged:
            await shadow.create(connection, name)
        async with connection.transaction():
            snapshot = await connection.fetchval("SELECT position FROM events.head")
            await connection.execute("DELETE FROM projections.rebuild_range WHERE name = $1", model.name)
            await connection.execute("DELETE FROM projections.parked WHERE projection = $1", model.name)
            await cut(connection, model, RANGES_PER_WORKER * self._workers if self._workers > 1 else 1)
            await connection.execute(load_sql("projections", "begin_rebuild"), model.name, tables, model.code, snapshot)
        return _Rebuild("filling", snapshot, snapshot, tables, model.code)

    async def _fill(self, snapshot: int) -> AsyncIterator[int]:
        numbers = [
            row["number"]
            for row in await self._connection.fetch(
                "SELECT number FROM projections.rebuild_range WHERE name = $1 AND NOT finished ORDER BY number",
                self._model.name,
            )
        ]
        if self._workers == 1 or len(numbers) < 2:
            filling = asyncio.create_task(self._fill_here(snapshot))
            try:
                while not filling.done():
                    await asyncio.wait([filling], timeout=POLL_S)
                    yield await self._filled()
            finally:
                filling.cancel()
                await asyncio.wait([filling])
            await filling
        else:
            workers = await asyncio.to_thread(
                Workers, self._make, self._dsn, snapshot, numbers, min(self._workers, len(numbers))
            )
            try:
                while workers.working():
                    await asyncio.sleep(POLL_S)
                    yield await self._filled()
            finally:
                await asyncio.to_thread(workers.stop)
        yield await self._filled()

    async def _fill_here(self, snapshot: int) -> None:
        connection = await connect(self._dsn)
        try:
            await fill(connection, self._model, snapshot)
        finally:
            await connection.close()

    async def _filled(self) -> int:
        done: int = await self._connection.fetchval(
            "SELECT coalesce(sum(events), 0)::bigint FROM projections.rebuild_range WHERE name = $1", self._model.name
        )
        return done

    async def _enter(self, state: str) -> None:
        await self._connection.execute(
            "UPDATE projections.rebuild SET state = $2 WHERE name = $1", self._model.name, state
        )

    async def _follow(self) -> None:
        """Follow new events until there are few."""
        while True:
            async with self._connection.transaction():
                followed = await self._advance(FOLLOW_BATCH)
            if followed <= FINAL_EVENTS:
                return

    async def _advance(self, events_max: int) -> int:
        """Follow the next events in the transaction of the caller; gives how many."""
        connection, model = self._connection, self._model
        position = await connection.fetchval(
            "SELECT position FROM projections.rebuild WHERE name = $1 FOR UPDATE", model.name
        )
        events = await connection.fetch(self._next_events, position, events_max)
        if not events:
            return 0
        upto = events[-1]["position"]
        touched = dict.fromkeys(Touched(*event[1:]) for event in events)
        streams = [each for each in touched if model.kind is None or each.stream.startswith(f"{model.kind}-")]
        if streams:
            await self._remake(streams, upto)
        await connection.execute("UPDATE projections.rebuild SET position = $2 WHERE name = $1", model.name, upto)
        return len(events)

    async def _remake(self, streams: Sequence[Touched], upto: int) -> None:
        connection, model = self._connection, self._model
        made = await model.make(connection, streams, upto, contiguous=False)
        parked = {one.stream for one in made.parked}
        await model.clear(connection, [stream for stream in streams if stream not in parked])
        for table in () if self._swapped else model.tables:
            await upsert(connection, shadow.NEXT, table, made.rows[table.name])
        if made.rows["due"] and await connection.fetchval("SELECT to_regclass($1)", f"{shadow.NEXT}.due") is not None:
            await connection.executemany(
                f"INSERT INTO {shadow.NEXT}.due ({', '.join(DUE_COLUMNS)}) VALUES ({numbered(DUE_COLUMNS)})",
                made.rows["due"],
            )
        await set_aside(connection, model, made, swapped=self._swapped)
        await unpark(connection, model.name, [one.stream for one in streams if one not in parked])

    async def _swap(self) -> None:
        swapped = [table.name for table in self._model.tables]
        for name in swapped:
            await shadow.drop(self._connection, shadow.PREVIOUS, name)
        statements = await shadow.swap_of(self._connection, swapped)
        note, move = (load_sql("projections", name) for name in ("note_swap", "move_checkpoint"))
        for attempt in range(1, TRIES_MAX + 1):
            await self._follow()
            try:
                async with self._writers_waiting() as since:
                    await self._advance_last(since)
                    await self._connection.execute(note, self._model.name)
                    if self._model.name == "search":
                        await self._connection.execute(move, SearchProjection.name, self._model.name)
                    await self._connection.execute(statements)
            except (Behind, asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError) as error:
                if attempt == TRIES_MAX:
                    raise DatabaseUnsuitable(
                        f"The swap of {self._model.name} did not get its locks in {TRIES_MAX} tries: a long "
                        "transaction, such as a dump, holds them; run the rebuild again when that is over"
                    ) from error
                await asyncio.sleep(PAUSE_S * (0.5 + random.random()))
            else:
                return

    def _writers_waiting(self) -> "_WritersWaiting":
        return _WritersWaiting(self)

    async def _advance_last(self, since: float) -> None:
        """Follow what is left while writers wait. Raises Behind where that would take too long."""
        if await self._advance(FINAL_EVENTS + 1) > FINAL_EVENTS or (time.monotonic() - since) * 1000 > HELD_MS_MAX:
            raise Behind

    async def _merge(self) -> None:
        """Bring work that is due later to what the log says: what is missing, too much, or due at another time.

        What is leased or was tried keeps its lease and tries. Work that was done and left no event is there again, and
        doing it again changes nothing.
        """
        await self._follow()
        differing = await self._connection.fetch(load_sql("projections", "differing_due"))
        for start in range(0, len(differing), MERGE_BATCH):
            part = differing[start : start + MERGE_BATCH]
            keys = ([row["kind"] for row in part], [row["id"] for row in part])
            merged = False
            while not merged:
                await self._follow()
                try:
                    async with self._writers_waiting() as since:
                        await self._advance_last(since)
                        await self._connection.execute(load_sql("projections", "merge_due_gone"), *keys)
                        await self._connection.execute(load_sql("projections", "merge_due"), *keys)
                except Behind:
                    continue
                merged = True
        if differing:
            await self._connection.execute("SELECT pg_notify('rollbook_due', '')")

    async def _sync(self) -> None:
        """Have the triggers of what other floors keep by them see the rows: endpoints and their lanes."""
        if not any(table.name == "resource" for table in self._model.tables):
            return
        ids = await self._connection.fetch(
            "SELECT account, livemode, id FROM projections.resource WHERE kind = 'webhook_endpoint' ORDER BY 1, 2, 3"
        )
        for row in ids:
            async with self._writers_waiting():
                await self._connection.execute(
                    "UPDATE projections.resource SET version = version "
                    "WHERE account = $1 AND livemode = $2 AND kind = 'webhook_endpoint' AND id = $3",
                    *row,
                )

    async def _settled(self) -> list[Comparison]:
        """The comparisons, without rows that only differed while they were being written."""
        settled = []
        for table, compared in zip(self._model.tables, self.outcome.comparisons, strict=True):
            comparison = compared
            for _ in range(3):
                if not comparison.differing or comparison.many:
                    break
                await self._follow()
                async with self._writers_waiting() as since:
                    try:
                        await self._advance_last(since)
                    except Behind:
                        continue
                    comparison = await recheck(self._connection, table, comparison)
            settled.append(comparison)
        return settled

    async def _forget(self) -> None:
        for name in [*(table.name for table in self._model.tables), *self._model.merged]:
            await shadow.drop(self._connection, shadow.NEXT, name)
        await self._enter("done")


class _WritersWaiting:
    """A transaction in which writers of the read model wait, and how long that was."""

    def __init__(self, rebuilder: Rebuilder) -> None:
        self._rebuilder = rebuilder
        self._connection = rebuilder._connection
        self._transaction = self._connection.transaction()
        self._since = 0.0

    async def __aenter__(self) -> float:
        """Gives since when they wait."""
        await self._transaction.start()
        try:
            await self._connection.execute("SET LOCAL lock_timeout = '5s'")
            if self._rebuilder._model.name == "search":
                await self._connection.execute(
                    "SELECT FROM projections.checkpoint WHERE name = $1 FOR UPDATE", SearchProjection.name
                )
            else:
                await self._connection.execute("SELECT FROM events.head FOR UPDATE")
            self._since = time.monotonic()
            await self._connection.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_MS}ms'")
        except BaseException:
            await self._transaction.rollback()
            raise
        return self._since

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            await self._transaction.commit()
        else:
            await self._transaction.rollback()
        held_ms = (time.monotonic() - self._since) * 1000
        self._rebuilder.outcome.held_ms = max(self._rebuilder.outcome.held_ms, held_ms)


class _Session:
    """A connection as the owner, and the advisory lock of one rebuild at a time."""

    def __init__(self, rebuilder: Rebuilder, dsn: str, name: str) -> None:
        self._rebuilder = rebuilder
        self._dsn = dsn
        self._name = name

    async def __aenter__(self) -> Any:
        connection = await connect(self._dsn)
        try:
            owns = await connection.fetchval(load_sql("projections", "may_rebuild"))
            if not owns:
                raise DatabaseUnsuitable(
                    "A rebuild makes tables: run it as the role that owns the database, as `rollbook migrate` is run."
                )
            if not await connection.fetchval(LOCK, self._name):
                raise DatabaseUnsuitable(f"Another process is rebuilding {self._name}.")
        except BaseException:
            await connection.close()
            raise
        self._rebuilder._connection = connection
        return connection

    async def __aexit__(self, *_: object) -> None:
        await self._rebuilder._connection.close()
