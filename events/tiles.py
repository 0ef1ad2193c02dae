"""Tiles of the Merkle tree (C2SP tlog-tiles, height 8): its hashes in runs of 256, and proofs made of them.

Tile `number` of tile level `l` has the roots of 256 consecutive subtrees of 256**l leaves. Full tiles never change; of
each level the last one may be partial, and that is the **edge** of the tree. A narrower partial tile is a prefix of a
wider one, so the edge and the full tiles hold the partial tiles of every earlier size too.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from events.errors import BrokenHistory
from events.merkle import HASH_BYTES, Range, folded, joined, nodes_of, range_hash

HEIGHT = 8
WIDTH = 1 << HEIGHT
TILE_BYTES = WIDTH * HASH_BYTES
LEVELS = 64 // HEIGHT  # of a tree whose size fits in 64 bits
NUMBER = re.compile(r"(?:x[0-9]{3}/)*[0-9]{3}")


class TileId(NamedTuple):
    """Which tile: its tile level and its index there."""

    level: int
    number: int


class Tile(NamedTuple):
    """A full tile."""

    level: int
    number: int
    hashes: bytes


class Edge:
    """The partial tiles of a tree, a level each: what a tree needs to grow, and to give its root."""

    __slots__ = ("_partial", "size")

    def __init__(self, size: int = 0, partial: Iterable[bytes] = ()) -> None:
        self.size = size
        self._partial = [bytearray(each) for each in partial]
        widths = [len(each) // HASH_BYTES for each in self._partial]
        if widths != [size >> HEIGHT * level & WIDTH - 1 for level in range(len(widths))] or size >> HEIGHT * len(
            widths
        ):
            raise BrokenHistory(f"The edge of the Merkle tree is not that of a tree of {size} leaves")

    def extend(self, hashes: Iterable[bytes]) -> list[Tile]:
        """Add the hashes of leaves at the end; gives the tiles that became full."""
        full: list[Tile] = []
        for hash in hashes:
            self.size += 1
            self._add(0, hash, full)
        return full

    def _add(self, level: int, hash: bytes, full: list[Tile]) -> None:
        if level == len(self._partial):
            self._partial.append(bytearray())
        partial = self._partial[level]
        partial += hash
        if len(partial) == TILE_BYTES:
            tile = Tile(level, (self.size >> HEIGHT * (level + 1)) - 1, bytes(partial))
            full.append(tile)
            partial.clear()
            self._add(level + 1, folded(_split(tile.hashes)), full)

    @property
    def partial(self) -> list[bytes]:
        """The hashes of the partial tile of each level, the lowest first; those of a level without one are empty."""
        return [bytes(each) for each in self._partial]

    def root(self) -> bytes:
        """The root of the tree."""
        peaks: list[bytes] = []
        for partial in reversed(self._partial):
            hashes, start = _split(partial), 0
            for level, _ in nodes_of(0, len(hashes)):
                peaks.append(folded(hashes[start : start + (1 << level)]))
                start += 1 << level
        return joined(peaks)


def _split(hashes: bytes | bytearray) -> Sequence[bytes]:
    return [bytes(hashes[at : at + HASH_BYTES]) for at in range(0, len(hashes), HASH_BYTES)]


def tile_of(level: int, index: int) -> TileId:
    """The tile that has a node of the tree, or what the node is made of."""
    return TileId(level // HEIGHT, (index << level % HEIGHT) >> HEIGHT)


def tiles_of(ranges: Iterable[Range]) -> set[TileId]:
    """The tiles that the hashes of these subtrees are made of."""
    return {tile_of(*node) for each in ranges for node in nodes_of(*each)}


def hashes_of(ranges: Iterable[Range], tiles: Mapping[TileId, bytes]) -> list[bytes]:
    """The hashes of subtrees, made of tiles. Raises KeyError for a tile that is missing or not wide enough."""

    def node(level: int, index: int) -> bytes:
        id, inside = tile_of(level, index), level % HEIGHT
        first, width = (index << inside) % WIDTH, 1 << inside
        hashes = _split(tiles[id][first * HASH_BYTES : (first + width) * HASH_BYTES])
        if len(hashes) < width:
            raise KeyError(id)
        return folded(hashes)

    return [range_hash(each, node) for each in ranges]


def peaks_of(size: int) -> list[Range]:
    """The complete subtrees of a tree, whose hashes give its root: see `merkle.joined`."""
    ranges: list[Range] = []
    for level, index in nodes_of(0, size):
        ranges.append((index << level, index + 1 << level))
    return ranges


def width_at(id: TileId, size: int) -> int:
    """How many hashes of a tile a tree of `size` has."""
    return max(0, min(WIDTH, (size >> HEIGHT * id.level) - id.number * WIDTH))


def number_of(path: str) -> int | None:
    """The index in the path of a tile, such as `x001/x234/067`; None for what is not the one way to write one."""
    if not NUMBER.fullmatch(path):
        return None
    number = int(path.replace("x", "").replace("/", ""))
    return number if number < 1 << 63 and path_of(number) == path else None


def path_of(number: int) -> str:
    """The index of a tile in path elements of three digits; all but the last begin with x."""
    return "/".join(_elements(number))


def _elements(number: int) -> Iterator[str]:
    if number >= 1000:
        for each in _elements(number // 1000):
            yield each if each.startswith("x") else f"x{each}"
    yield f"{number % 1000:03}"


def bundle(entries: Iterable[bytes]) -> bytes:
    """An entry bundle: entries with their length before them."""
    return b"".join(len(each).to_bytes(2, "big") + each for each in entries)
