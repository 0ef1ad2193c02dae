"""The sealer: a follower of the log that grows the Merkle tree over it and signs checkpoints, off the hot path.

Any number of processes may run it: who holds the row of the tree advances it, the others look again later. Tiles, edge
and checkpoint change in the transaction of a batch: a kill at any instant leaves the tree as it was or as it will be.

Before a checkpoint is signed, the tree is shown to be consistent with the newest checkpoint that is stored, with the
newest that this process signed, and with the newest in the directory where they are published. Where it is not, history
was rewritten or rolled back: nothing is signed any more, and `fault` says so until an operator has looked.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
import structlog

from events import published_checkpoint
from events.checkpoint import Checkpoint, InvalidNote, sign
from events.checkpoint_keys import CheckpointKeys
from events.database import Pool, load_sql
from events.errors import BrokenHistory
from events.merkle import HASH_BYTES, leaf_hash, verify_consistency
from events.sealed_tree import LOCK, READ_HASHES, SealedTree, SignedCheckpoint
from events.supervision import DATABASE_ERRORS, Retries, Waker, poke_when_stopped, set_within
from events.tiles import Edge

log = structlog.get_logger("events")

BATCH = 4096
POLL_S = 15.0
EVERY_S = 2.0
TIMEOUT_S = 60.0
PUBLISHED = "was published in the directory of checkpoints"

KeysOf = Callable[[], CheckpointKeys | None]  # None: nothing is signed here


class TreeLag(NamedTuple):
    """How far the tree is behind the log; a lag is the age of the oldest event that waits, None while none does."""

    unsealed: int
    unsealed_for: timedelta | None
    unsigned: int  # above the newest checkpoint
    unsigned_for: timedelta | None


class Sealer:
    """Seals the log. `every_s` is the shortest time between two checkpoints; `directory` is where they are published.

    `newest` is the newest checkpoint known to this process; `lag` is as of the last look, None while the database is
    unavailable; `fault` is why nothing is signed, though there is a key.
    """

    def __init__(
        self,
        pool: Pool,
        keys: KeysOf,
        *,
        directory: Path | None = None,
        every_s: float = EVERY_S,
        batch: int = BATCH,
    ) -> None:
        self._pool = pool
        self._keys = keys
        self._directory = directory
        self._every_s = every_s
        self._batch = batch
        self._store_tiles = load_sql("events", "store_tiles")
        self._store_checkpoint = load_sql("events", "store_checkpoint")
        self._read_lag = load_sql("events", "read_tree_lag")
        self._signed: Checkpoint | None = None  # by this process
        self._signed_at = 0.0  # of the loop's time
        self._published = 0  # the size of what is in the directory
        self.newest: SignedCheckpoint | None = None
        self.lag: TreeLag | None = None
        self.fault: str | None = None
        self.sealed = 0  # events, by this process
        self.checkpoints = 0
        self.signs = False

    async def run(self, wakeup: Waker, stop: asyncio.Event) -> None:
        """Seal until `stop` is set."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(poke_when_stopped(stop, wakeup))
            tasks.create_task(self._follow(wakeup, stop))

    async def _follow(self, wakeup: Waker, stop: asyncio.Event) -> None:
        retries = Retries(log, "sealer")
        while not stop.is_set():
            done = True
            try:
                done = await self.catch_up(stop)
            except (*DATABASE_ERRORS, TimeoutError) as error:
                self.lag = None
                await retries.failed(error, stop)
                continue
            except (BrokenHistory, OSError) as error:  # it stays where it is, seen by its lag
                self._report(str(error))
            except Exception as error:
                self._report(type(error).__name__)
                await retries.failed(error, stop)
                continue
            else:
                self._report(None)
                retries.worked()
            await set_within(self._every_s, stop)
            if done and not stop.is_set():
                await wakeup.wait(POLL_S)

    async def catch_up(self, stop: asyncio.Event | None = None) -> bool:
        """Seal everything there is, sign a checkpoint over it, and publish the newest.

        Gives False where another process kept it from publishing. Raises BrokenHistory where nothing may be signed;
        LogUnavailable, OSError.
        """
        self.lag = TreeLag(*await self._pool.fetchrow(self._read_lag, timeout=TIMEOUT_S))
        while await self.advance() == self._batch and not (stop is not None and stop.is_set()):
            pass
        return await self._publish()

    async def advance(self) -> int:
        """Seal the next events, a batch at most, and sign a checkpoint once there are no more; gives how many.

        Gives 0 while another process is at it. Raises BrokenHistory, LogUnavailable.
        """
        async with asyncio.timeout(TIMEOUT_S), self._pool.acquire() as connection, connection.transaction():
            row = await connection.fetchrow(LOCK)
            if row is None:
                return 0
            edge = Edge(row["size"], row["partial"])
            hashes = _in_order(await connection.fetch(READ_HASHES, edge.size, self._batch), edge.size)
            if hashes:
                full = edge.extend(map(leaf_hash, hashes))
                columns = [[tile[at] for tile in full] for at in range(3)]
                await connection.execute(self._store_tiles, edge.size, edge.partial, *columns)
            signed = await self._sign(connection, edge, caught_up=len(hashes) < self._batch)
        self.sealed += len(hashes)
        if signed is not None:
            self._signed = signed
            self._signed_at = asyncio.get_running_loop().time()
            self.checkpoints += 1
        return len(hashes)

    async def _sign(self, connection: asyncpg.Connection, edge: Edge, *, caught_up: bool) -> Checkpoint | None:
        """Store a checkpoint over the whole tree, where there is none yet, it is due and there is a key.

        It is due at the end of the log, and in the midst of it when the last one was signed long ago.
        """
        keys = self._keys()
        self.signs = keys is not None
        tree = SealedTree(connection)
        last = await tree.checkpoint()
        due = caught_up or asyncio.get_running_loop().time() - self._signed_at >= self._every_s
        if keys is None or not due or edge.size == (last.size if last is not None else 0):
            return None
        checkpoint = Checkpoint(keys.name, edge.size, edge.root())
        if last is not None:
            await _require_consistent(tree, Checkpoint(last.origin, last.size, last.root), checkpoint, "is stored")
        if self._signed is not None:
            await _require_consistent(tree, self._signed, checkpoint, "was signed by this process")
        outside = await self._outside(keys)
        if outside is not None:
            if outside.size > edge.size and not caught_up:
                return None
            await _require_consistent(tree, outside, checkpoint, PUBLISHED)
        note = sign(checkpoint, keys.signers)
        await connection.execute(self._store_checkpoint, edge.size, checkpoint.root, checkpoint.origin, note)
        return checkpoint

    async def _outside(self, keys: CheckpointKeys) -> Checkpoint | None:
        """The newest checkpoint in the directory. Raises BrokenHistory, OSError."""
        if self._directory is None:
            return None
        try:
            return await asyncio.to_thread(published_checkpoint.read, self._directory, keys.verifiers)
        except InvalidNote as error:
            raise BrokenHistory(f"The newest checkpoint in {self._directory} is none of this log: {error}") from None

    async def _publish(self) -> bool:
        """Write the newest checkpoint, whoever signed it, to the directory; gives False where it has to be tried again.

        The row of the tree is locked meanwhile, so that no process puts an older one over a newer one. Raises
        BrokenHistory, OSError.
        """
        self.newest = newest = await SealedTree(self._pool).checkpoint()
        keys = self._keys()
        if self._directory is None or newest is None or keys is None or newest.size == self._published:
            return True
        async with asyncio.timeout(TIMEOUT_S), self._pool.acquire() as connection, connection.transaction():
            if await connection.fetchrow(LOCK) is None:
                return False
            tree = SealedTree(connection)
            self.newest = newest = await tree.checkpoint()
            assert newest is not None, "checkpoints stay"
            outside = await self._outside(keys)
            if outside is not None:
                await _require_consistent(tree, outside, Checkpoint(newest.origin, newest.size, newest.root), PUBLISHED)
            await asyncio.to_thread(published_checkpoint.write, self._directory, newest.note, newest.signed_at)
        self._published = newest.size
        return True

    def _report(self, fault: str | None) -> None:
        if fault != self.fault:
            if fault is not None:
                log.error("sealer.refused", error=fault)
            elif self.fault is not None:
                log.info("sealer.resumed")
            self.fault = fault


def _in_order(rows: Sequence[Any], size: int) -> list[bytes]:
    """The hashes of events that follow each other above `size`. Raises BrokenHistory for a gap."""
    for position, row in enumerate(rows, size + 1):
        if row["position"] != position or len(row["hash"]) != HASH_BYTES:
            raise BrokenHistory(f"The log has no event with a hash at position {position}, and later ones")
    return [row["hash"] for row in rows]


async def _require_consistent(tree: SealedTree, old: Checkpoint, new: Checkpoint, which: str) -> None:
    """Raises BrokenHistory unless the tree of `new` begins with all of the one of `old`."""
    if old.size > new.size:
        raise BrokenHistory(
            f"The log has {new.size} events, and a checkpoint over {old.size} {which}: history was rolled back"
        )
    proof = await tree.consistency(old.size, new.size)
    if not verify_consistency(old.size, new.size, old.root, new.root, proof):
        raise BrokenHistory(
            f"The tree of {new.size} events is not consistent with the checkpoint over {old.size} that {which}: "
            "history was rewritten"
        )
