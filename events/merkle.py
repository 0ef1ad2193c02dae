"""The Merkle tree of RFC 9162 (RFC 6962-bis): roots, a frontier that grows, inclusion and consistency proofs.

    leaf hash = SHA-256( 0x00, entry ),  node hash = SHA-256( 0x01, left, right ),  root of nothing = SHA-256( )

A tree of n leaves is split at the largest power of two below n, so it consists of complete subtrees, and a node of one
is named by its level (0: a leaf) and its index there: node (l, i) covers the leaves i * 2**l up to (i + 1) * 2**l.
Proofs are made of such nodes, wherever they are stored. The standard library alone is imported: `events/verify.py`, the
offline verifier, uses this module.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256

HASH_BYTES = 32
EMPTY = sha256().digest()  # the root of a tree without leaves

Node = tuple[int, int]  # level and index of the root of a complete subtree
Range = tuple[int, int]  # the first leaf of a subtree, and the one after its last


def leaf_hash(entry: bytes) -> bytes:
    """The hash of a leaf."""
    return sha256(b"\0" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node."""
    return sha256(b"\1" + left + right).digest()


def folded(hashes: Sequence[bytes]) -> bytes:
    """The root of a complete subtree over a power of two of nodes of one level."""
    while len(hashes) > 1:
        hashes = [node_hash(hashes[at], hashes[at + 1]) for at in range(0, len(hashes), 2)]
    return hashes[0]


class Frontier:
    """The right edge of a tree that grows: the roots of its complete subtrees, the largest first; O(log n) memory."""

    __slots__ = ("_peaks", "size")

    def __init__(self, size: int = 0, peaks: Iterable[bytes] = ()) -> None:
        self.size = size
        self._peaks = list(peaks)
        assert len(self._peaks) == size.bit_count(), "a peak for each bit of the size"

    def append(self, hash: bytes) -> None:
        """Add the hash of a leaf at the end."""
        peaks = self._peaks
        peaks.append(hash)
        self.size = size = self.size + 1
        while not size & 1:
            right = peaks.pop()
            peaks[-1] = sha256(b"\1" + peaks[-1] + right).digest()
            size >>= 1

    def root(self) -> bytes:
        """The root of the tree so far."""
        return joined(self._peaks)


def joined(peaks: Sequence[bytes]) -> bytes:
    """The root over the roots of complete subtrees, the largest first."""
    if not peaks:
        return EMPTY
    root = peaks[-1]
    for left in reversed(peaks[:-1]):
        root = node_hash(left, root)
    return root


def root_of(entries: Iterable[bytes]) -> bytes:
    """The root of the tree with these entries."""
    frontier = Frontier()
    for entry in entries:
        frontier.append(leaf_hash(entry))
    return frontier.root()


def nodes_of(start: int, end: int) -> Iterator[Node]:
    """The complete subtrees of a subtree of some tree, from left to right."""
    while start < end:
        level = (end - start).bit_length() - 1
        yield level, start >> level
        start += 1 << level


def range_hash(part: Range, node: Callable[[int, int], bytes]) -> bytes:
    """The hash of a subtree, of the hashes that `node` gives for complete ones."""
    return joined([node(*each) for each in nodes_of(*part)])


def inclusion_ranges(index: int, size: int) -> list[Range]:
    """The subtrees whose hashes are the inclusion proof of a leaf in a tree of `size` (RFC 9162, 2.1.3.1)."""
    assert 0 <= index < size, "the leaf is in the tree"
    start, end, ranges = 0, size, list[Range]()
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start = middle
    return ranges[::-1]


def consistency_ranges(old: int, new: int) -> list[Range]:
    """The subtrees whose hashes prove that a tree of `new` leaves begins with one of `old` (RFC 9162, 2.1.4.1)."""
    assert 0 <= old <= new, "a tree only grows"
    if old in (0, new):
        return []
    start, end, ranges, whole = 0, new, list[Range](), True
    while start + old != end:
        middle = _split(end - start)
        if old <= middle:
            ranges.append((start + middle, end))
            end = start + middle
        else:
            ranges.append((start, start + middle))
            start, old, whole = start + middle, old - middle, False
    return ([] if whole else [(start, end)]) + ranges[::-1]


def verify_inclusion(index: int, size: int, hash: bytes, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether `proof` shows the leaf with this hash at `index` in the tree of that size and root (2.1.3.2)."""
    if not 0 <= index < size:
        return False
    first, last = index, size - 1
    for each in proof:
        if last == 0:
            return False
        if first & 1 or first == last:
            hash = node_hash(each, hash)
            while not first & 1 and first:
                first, last = first >> 1, last >> 1
        else:
            hash = node_hash(hash, each)
        first, last = first >> 1, last >> 1
    return last == 0 and hash == root


def verify_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether `proof` shows that the tree of size `new` begins with all of the one of size `old` (2.1.4.2)."""
    if not 0 <= old <= new:
        return False
    if old == new:
        return not proof and old_root == new_root
    if old == 0:
        return not proof and old_root == EMPTY
    path = list(proof)
    if old & (old - 1) == 0:
        path.insert(0, old_root)
    if not path:
        return False
    first, last = old - 1, new - 1
    while first & 1:
        first, last = first >> 1, last >> 1
    before = after = path[0]
    for each in path[1:]:
        if last == 0:
            return False
        if first & 1 or first == last:
            before, after = node_hash(each, before), node_hash(each, after)
            while not first & 1 and first:
                first, last = first >> 1, last >> 1
        else:
            after = node_hash(after, each)
        first, last = first >> 1, last >> 1
    return last == 0 and before == old_root and after == new_root


def _split(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << (size - 1).bit_length() - 1
