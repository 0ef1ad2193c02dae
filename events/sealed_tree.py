"""The Merkle tree in Postgres, for reading: checkpoints, tiles and entry bundles, inclusion and consistency proofs."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from events.database import load_sql
from events.errors import BrokenHistory
from events.merkle import HASH_BYTES, Range, consistency_ranges, inclusion_ranges, joined
from events.scope import Scope
from events.tiles import WIDTH, TileId, bundle, hashes_of, peaks_of, tiles_of, width_at

LOCK = load_sql("events", "lock_tree")
READ_TREE = "SELECT size, partial FROM events.tree"
READ_TILES = load_sql("events", "read_tiles")
READ_HASHES = load_sql("events", "read_hashes")
FIND_CHECKPOINT = load_sql("events", "find_checkpoint")
FIND_ENTRY = load_sql("events", "find_entry")


class Database(Protocol):
    """What runs statements: a pool, or a connection."""

    async def fetch(self, query: str, *arguments: Any) -> list[Any]:
        """The rows of a query."""
        ...


class SignedCheckpoint(NamedTuple):
    """A checkpoint with its signatures."""

    size: int
    root: bytes
    origin: str
    note: str
    signed_at: datetime


class SealedTree:
    """Reads the tree. `connection` is a pool, or the connection of a transaction."""

    def __init__(self, connection: Database) -> None:
        self._connection = connection

    async def size(self) -> int:
        """The number of events that are sealed."""
        [row] = await self._connection.fetch(READ_TREE)
        size: int = row["size"]
        return size

    async def checkpoint(self, size: int | None = None) -> SignedCheckpoint | None:
        """The newest checkpoint, or the newest of at most a size."""
        rows = await self._connection.fetch(FIND_CHECKPOINT, size)
        return SignedCheckpoint(**rows[0]) if rows else None

    async def tile(self, id: TileId, width: int) -> bytes | None:
        """The first `width` hashes of a tile; None when the tree has not that many of it."""
        hashes = (await self._tiles({id})).get(id, b"")[: width * HASH_BYTES]
        return hashes if len(hashes) == width * HASH_BYTES else None

    async def entries(self, number: int, width: int) -> bytes | None:
        """The first `width` entries of an entry bundle; None when they are not sealed yet."""
        if width_at(TileId(0, number), await self.size()) < width:
            return None
        rows = await self._connection.fetch(READ_HASHES, number * WIDTH, width)
        if [row["position"] for row in rows] != list(range(number * WIDTH + 1, number * WIDTH + 1 + width)):
            return None
        return bundle(row["hash"] for row in rows)

    async def entry(self, scope: Scope, position: int) -> bytes | None:
        """The entry of an event of an account and mode; None where it has none at this position."""
        rows = await self._connection.fetch(FIND_ENTRY, position, *scope)
        return rows[0]["hash"] if rows else None

    async def root(self, size: int) -> bytes:
        """The root of the tree as it was with `size` leaves. Raises BrokenHistory when tiles are missing."""
        return joined(await self._hashes(peaks_of(size)))

    async def inclusion(self, index: int, size: int) -> list[bytes]:
        """The inclusion proof of a leaf in the tree with `size` leaves. Raises BrokenHistory when tiles are missing."""
        return await self._hashes(inclusion_ranges(index, size))

    async def consistency(self, old: int, new: int) -> list[bytes]:
        """The consistency proof between two sizes. Raises BrokenHistory when tiles are missing."""
        return await self._hashes(consistency_ranges(old, new))

    async def _hashes(self, ranges: Sequence[Range]) -> list[bytes]:
        try:
            return hashes_of(ranges, await self._tiles(tiles_of(ranges)))
        except KeyError as missing:
            raise BrokenHistory(f"The Merkle tree has no hash where there should be one: {missing}") from None

    async def _tiles(self, wanted: Iterable[TileId]) -> Mapping[TileId, bytes]:
        """Those of the tiles that there are; the edge is read first, for it only grows, and what is full is stored."""
        ids = list(wanted)
        if not ids:
            return {}
        [edge] = await self._connection.fetch(READ_TREE)
        found = {TileId(level, edge["size"] >> 8 * (level + 1)): hashes for level, hashes in enumerate(edge["partial"])}
        rows = await self._connection.fetch(READ_TILES, [id.level for id in ids], [id.number for id in ids])
        found |= {TileId(row["level"], row["number"]): row["hashes"] for row in rows}
        return {id: found[id] for id in ids if id in found}
