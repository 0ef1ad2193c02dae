"""Verification of a log in its database: positions, chains, heads of streams, tiles, checkpoints and their signatures.

It reads in batches while the service runs, up to the position that the log had at the beginning. What it remembers is
the last hash of each stream. An event of the right form at the end of the log, made by who may write to the database,
is not seen by it, nor is a log that was rewritten with its tree and checkpoints: for that it needs a checkpoint that is
kept elsewhere.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

import orjson

from events.checkpoint import Checkpoint, InvalidNote, Verifier, opened
from events.database import Pool, load_sql
from events.merkle import HASH_BYTES, leaf_hash
from events.sealed_tree import READ_TILES, READ_TREE
from events.tiles import WIDTH, Edge, Tile
from events.verify import Broken, Event, LogVerifier

BATCH = 16 * WIDTH
SIGNATURES_MAX = 1000  # the newest are verified
TIMEOUT_S = 120.0
HEAD = "SELECT position FROM events.head"
NEWEST_NOTES = "SELECT size, note FROM events.checkpoint ORDER BY size DESC LIMIT $1"


class Tree:
    """The tiles of a log that is verified, compared with those that are stored."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._edge = Edge()
        self._size = 0
        self._partial: Sequence[bytes] = ()

    async def open(self) -> int:
        """Read how far the tree is; gives that."""
        row = await self._pool.fetchrow(READ_TREE)
        self._size, self._partial = row["size"], row["partial"]
        return self._size

    async def extend(self, hashes: Sequence[bytes]) -> None:
        """Compare the tiles that these next entries fill, and the edge once it is reached. Raises Broken."""
        room = max(0, self._size - self._edge.size)
        full = self._edge.extend(map(leaf_hash, hashes[:room]))
        if full:
            rows = await self._pool.fetch(READ_TILES, [each.level for each in full], [each.number for each in full])
            stored = {(row["level"], row["number"]): row["hashes"] for row in rows}
            for tile in full:
                _require_same(tile, stored.get((tile.level, tile.number)))
        if room and self._edge.size == self._size and self._edge.partial != list(self._partial):
            raise Broken(_first(self._edge, self._partial), "its hash in the Merkle tree is not that of the event")


def _require_same(tile: Tile, stored: bytes | None) -> None:
    first = tile.number << 8 * (tile.level + 1)
    if stored is None:
        raise Broken(first + 1, f"tile {tile.number} of level {tile.level} of the Merkle tree is missing")
    if stored != tile.hashes:
        at = next(at for at in range(WIDTH) if _at(stored, at) != _at(tile.hashes, at))
        raise Broken(first + (at << 8 * tile.level) + 1, "its hash in the Merkle tree is not that of the event")


def _first(edge: Edge, stored: Sequence[bytes]) -> int:
    """The first position whose hash is another one in the stored edge."""
    for level in reversed(range(max(len(edge.partial), len(stored)))):
        ours, theirs = (each[level] if level < len(each) else b"" for each in (edge.partial, stored))
        for at in range(WIDTH):
            if _at(ours, at) != _at(theirs, at):
                return ((edge.size >> 8 * (level + 1)) << 8 * (level + 1)) + (at << 8 * level) + 1
    return edge.size


def _at(hashes: bytes, index: int) -> bytes:
    return hashes[index * HASH_BYTES : (index + 1) * HASH_BYTES]


def _event(row: Any) -> Event:
    position, stream, version, *header, payload, hash = row
    return Event(position, stream, version, orjson.dumps([stream, version, *header]), payload, hash)


class DatabaseVerifier:
    """Verifies a database; `outside` are checkpoints that are kept elsewhere, `keys` those that sign."""

    def __init__(self, pool: Pool, *, outside: Iterable[Checkpoint] = (), keys: Sequence[Verifier] = ()) -> None:
        self._pool = pool
        self._outside = tuple(outside)
        self._keys = keys
        self._read = load_sql("events", "read_stored")
        self._read_checkpoints = load_sql("events", "read_checkpoints")
        self._read_heads = load_sql("events", "read_heads")
        self.verifier = LogVerifier()
        self.total = 0
        self.checkpoints = 0
        self.signatures = 0

    async def run(self) -> AsyncIterator[int]:
        """Verify everything; gives how far it is, time after time. Raises Broken, LogUnavailable."""
        verifier, tree = self.verifier, Tree(self._pool)
        sealed = await tree.open()
        self.total = await self._pool.fetchval(HEAD)
        verifier.expect(self._outside)
        await self._require_signatures()
        while verifier.size < self.total:
            rows = await self._pool.fetch(self._read, verifier.size, self.total, BATCH, timeout=TIMEOUT_S)
            if not rows:
                raise Broken(verifier.size + 1, f"it is missing: the log has {self.total} events")
            await self._expect(verifier.size, rows[-1]["position"])
            verifier.extend(map(_event, rows))
            await tree.extend([row["hash"] for row in rows])
            yield verifier.size
        if sealed > self.total:
            raise Broken(self.total + 1, f"it is missing: the Merkle tree has {sealed} events")
        verifier.end()
        await self._require_heads()
        newest = await self._pool.fetchrow(NEWEST_NOTES, 1)
        if newest is not None and newest["size"] > await self._pool.fetchval(HEAD):
            raise Broken(self.total + 1, f"it is missing: a checkpoint covers {newest['size']} events")

    async def _require_signatures(self) -> None:
        """Verify the signatures of the newest checkpoints. Raises Broken."""
        if self._keys:
            for row in await self._pool.fetch(NEWEST_NOTES, SIGNATURES_MAX):
                try:
                    opened(row["note"], self._keys)
                except InvalidNote as error:
                    raise Broken(row["size"], f"the checkpoint over the events up to it is forged: {error}") from None
                self.signatures += 1

    async def _expect(self, after: int, end: int) -> None:
        """Compare with the checkpoints that are stored of a stretch of the log. Raises Broken."""
        for row in await self._pool.fetch(self._read_checkpoints, after, end):
            checkpoint = Checkpoint(row["origin"], row["size"], row["root"])
            if not row["note"].startswith(checkpoint.text + "\n"):
                raise Broken(checkpoint.size, "the checkpoint over the events up to it is not what was signed")
            self.verifier.expect([checkpoint])
            self.checkpoints += 1

    async def _require_heads(self) -> None:
        """Compare where each stream stands. Raises Broken."""
        known, after, total = dict(self.verifier.streams), "", self.total
        while rows := await self._pool.fetch(self._read_heads, after, BATCH):
            for row in rows:
                stream, version = row["stream"], row["version"]
                seen, hash = known.pop(stream, (0, b""))
                if version < seen or (version == seen and row["hash"] != hash):
                    raise Broken(total, f"{stream} has {seen} events, and its head is not that of the last")
                if version > seen and not await self._continues(stream, version, seen):
                    raise Broken(total + 1, f"{stream} has {seen} events and had {version}: the newest were removed")
            after = rows[-1]["stream"]
        if known:
            raise Broken(total, f"{min(known)} has events and no head")

    async def _continues(self, stream: str, version: int, seen: int) -> bool:
        """Whether the log has the later events of a stream by now."""
        count = await self._pool.fetchval(
            "SELECT count(*) FROM events.log WHERE stream = $1 AND version > $2 AND position > $3",
            stream,
            seen,
            self.total,
        )
        return bool(count >= version - seen)
