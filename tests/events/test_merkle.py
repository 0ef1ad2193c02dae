"""The Merkle tree, against the definition of RFC 9162 written down anew and vectors of a reference implementation."""

from collections.abc import Sequence
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events import merkle
from events.merkle import (
    Frontier,
    consistency_ranges,
    inclusion_ranges,
    leaf_hash,
    range_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)

# The entries, roots and proofs in the tests of the reference implementation of Certificate Transparency.
ENTRIES = [
    bytes.fromhex(each)
    for each in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = {
    0: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    4: "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    5: "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    6: "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    7: "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}
FIRST_OF_EIGHT = [
    "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
    "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
    "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
]
SIZES = st.integers(1, 70)


def defined_root(entries: Sequence[bytes]) -> bytes:
    """MTH of RFC 9162, 2.1.1, as it is written there."""
    if not entries:
        return sha256().digest()
    if len(entries) == 1:
        return sha256(b"\0" + entries[0]).digest()
    k = 1
    while k * 2 < len(entries):
        k *= 2
    return sha256(b"\1" + defined_root(entries[:k]) + defined_root(entries[k:])).digest()


def entries_of(size: int) -> list[bytes]:
    return [number.to_bytes(4, "big") for number in range(size)]


def proof_of(ranges: Sequence[merkle.Range], entries: Sequence[bytes]) -> list[bytes]:
    """The hashes of these subtrees, each made of complete ones."""

    def node(level: int, index: int) -> bytes:
        return defined_root(entries[index << level : (index + 1) << level])

    return [range_hash(each, node) for each in ranges]


@pytest.mark.parametrize("size", range(9))
def test_roots_are_those_of_the_reference_implementation(size: int) -> None:
    assert root_of(ENTRIES[:size]).hex() == ROOTS[size]


def test_proofs_are_those_of_the_reference_implementation() -> None:
    first = [each.hex() for each in proof_of(inclusion_ranges(0, 8), ENTRIES)]
    assert first == FIRST_OF_EIGHT
    assert [each.hex() for each in proof_of(consistency_ranges(1, 8), ENTRIES)] == FIRST_OF_EIGHT


@given(SIZES)
def test_a_frontier_has_the_root_that_is_defined_at_every_size(size: int) -> None:
    entries, frontier = entries_of(size), Frontier()
    for count, entry in enumerate(entries, start=1):
        frontier.append(leaf_hash(entry))
        assert (frontier.size, frontier.root()) == (count, defined_root(entries[:count]))


def test_every_leaf_of_every_size_is_proven_and_no_other_leaf_index_size_or_root_is() -> None:
    for size in range(1, 34):
        entries = entries_of(size)
        root = defined_root(entries)
        for index in range(size):
            proof, leaf = proof_of(inclusion_ranges(index, size), entries), leaf_hash(entries[index])
            assert verify_inclusion(index, size, leaf, proof, root)
            assert not verify_inclusion(index, size, leaf_hash(b"changed"), proof, root)
            assert not verify_inclusion(index, size, leaf, proof, bytes(32))
            assert not verify_inclusion(index, size, leaf, [*proof, root], root)
            assert size == 1 or not verify_inclusion(index, size, leaf, proof[:-1], root)
            assert size == 1 or not verify_inclusion((index + 1) % size, size, leaf, proof, root)
    assert not verify_inclusion(1, 1, leaf_hash(b""), [], root_of([b""]))
    assert not verify_inclusion(-1, 1, leaf_hash(b""), [], root_of([b""]))


def test_every_pair_of_sizes_is_consistent() -> None:
    for new in range(34):
        entries = entries_of(new)
        for old in range(new + 1):
            proof = proof_of(consistency_ranges(old, new), entries)
            assert verify_consistency(old, new, defined_root(entries[:old]), defined_root(entries), proof)


@given(SIZES, st.data())
def test_a_changed_leaf_is_in_no_consistent_tree(new: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, new))
    changed = data.draw(st.integers(0, old - 1))
    entries = entries_of(new)
    old_root = defined_root(entries[:old])
    entries[changed] = b"changed"
    proof = proof_of(consistency_ranges(old, new), entries)
    assert not verify_consistency(old, new, old_root, defined_root(entries), proof)


@given(SIZES, st.data())
def test_no_part_of_a_consistency_proof_may_be_missing_added_or_changed(new: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(0, new))
    entries = entries_of(new)
    roots = defined_root(entries[:old]), defined_root(entries)
    proof = proof_of(consistency_ranges(old, new), entries)
    assert not verify_consistency(old, new, *roots, [*proof, bytes(32)])
    assert not verify_consistency(new, old, *roots, proof) or old == new
    if proof:
        at = data.draw(st.integers(0, len(proof) - 1))
        assert not verify_consistency(old, new, *roots, proof[:at] + proof[at + 1 :])
        assert not verify_consistency(old, new, *roots, [*proof[:at], bytes(32), *proof[at + 1 :]])


@given(st.integers(0, 300), st.integers(0, 300))
def test_a_frontier_goes_on_from_the_complete_subtrees_of_a_size(before: int, more: int) -> None:
    hashes = [leaf_hash(entry) for entry in entries_of(before + more)]
    peaks = [merkle.folded(hashes[at << level : (at + 1) << level]) for level, at in merkle.nodes_of(0, before)]
    resumed, whole = Frontier(before, peaks), Frontier()
    for each in hashes[before:]:
        resumed.append(each)
    for each in hashes:
        whole.append(each)
    assert (resumed.size, resumed.root()) == (whole.size, whole.root())
