"""Tiles: the examples of the C2SP document, and proofs made of tiles against those made of the whole tree."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events import merkle, tiles
from events.merkle import HASH_BYTES, Frontier, consistency_ranges, inclusion_ranges, leaf_hash
from events.tiles import WIDTH, Edge, TileId

SIZE = 70_000


@pytest.fixture(scope="module")
def leaves() -> list[bytes]:
    return [leaf_hash(number.to_bytes(4, "big")) for number in range(SIZE)]


@pytest.fixture(scope="module")
def grown(leaves: list[bytes]) -> tuple[Edge, dict[TileId, bytes]]:
    """A tree of 70,000 leaves: its edge, and every tile, the partial ones too."""
    edge = Edge()
    found = {TileId(tile.level, tile.number): tile.hashes for tile in edge.extend(leaves)}
    for level, hashes in enumerate(edge.partial):
        found[TileId(level, SIZE >> 8 * (level + 1))] = hashes
    return edge, found


def test_the_tree_of_the_document_has_the_tiles_of_the_document(grown: tuple[Edge, dict[TileId, bytes]]) -> None:
    _, found = grown
    widths = {id: len(hashes) // HASH_BYTES for id, hashes in found.items()}
    assert len([id for id, width in widths.items() if id.level == 0 and width == WIDTH]) == 273
    partial = {id: width for id, width in widths.items() if width < WIDTH}
    assert partial == {TileId(0, 273): 112, TileId(1, 1): 17, TileId(2, 0): 1}
    assert widths[TileId(1, 0)] == WIDTH
    assert all(tiles.width_at(id, SIZE) == width for id, width in widths.items())


def test_a_tree_of_256_has_a_full_tile_and_one_hash_above_it(leaves: list[bytes]) -> None:
    edge = Edge()
    [tile] = edge.extend(leaves[:256])
    assert (tile.level, tile.number) == (0, 0)
    assert [len(each) for each in edge.partial] == [0, HASH_BYTES]
    assert edge.partial[1] == edge.root()


@given(st.lists(st.integers(0, 700), max_size=4))
def test_an_edge_goes_on_from_its_parts_and_has_the_root_of_the_frontier(steps: list[int]) -> None:
    edge, frontier, count = Edge(), Frontier(), 0
    for step in steps:
        hashes = [leaf_hash(number.to_bytes(4, "big")) for number in range(count, count + step)]
        edge = Edge(edge.size, edge.partial)
        edge.extend(hashes)
        for each in hashes:
            frontier.append(each)
        count += step
        assert (edge.size, edge.root()) == (count, frontier.root())


@given(data=st.data())
def test_proofs_of_every_size_are_made_of_tiles(data: Any, leaves: list[bytes], grown: Any) -> None:
    _, found = grown
    size = data.draw(st.one_of(st.integers(1, SIZE), st.sampled_from([1, 255, 256, 257, 65_535, 65_536, 65_537])))
    root = merkle.joined(tiles.hashes_of(tiles.peaks_of(size), found))
    index = data.draw(st.integers(0, size - 1))
    ranges = inclusion_ranges(index, size)
    assert tiles.tiles_of(ranges) <= set(found)
    proof = tiles.hashes_of(ranges, {id: found[id] for id in tiles.tiles_of(ranges)})
    assert merkle.verify_inclusion(index, size, leaves[index], proof, root)
    old = data.draw(st.integers(0, size))
    old_root = merkle.joined(tiles.hashes_of(tiles.peaks_of(old), found))
    proof = tiles.hashes_of(consistency_ranges(old, size), found)
    assert merkle.verify_consistency(old, size, old_root, root, proof)


def test_a_tile_that_is_not_wide_enough_is_missed(grown: Any) -> None:
    _, found = grown
    narrow = {**found, TileId(0, 273): found[TileId(0, 273)][:-HASH_BYTES]}
    with pytest.raises(KeyError):
        tiles.hashes_of(inclusion_ranges(SIZE - 2, SIZE), narrow)


@pytest.mark.parametrize(("number", "path"), [(0, "000"), (999, "999"), (1000, "x001/000"), (1234067, "x001/x234/067")])
def test_an_index_is_written_in_elements_of_three_digits(number: int, path: str) -> None:
    assert (tiles.path_of(number), tiles.number_of(path)) == (path, number)


@pytest.mark.parametrize(
    "path", ["", "0", "1234", "x001", "001/000", "x000/001", "x1/000", "x001/x000", "٠٠٠", "x999/" * 7 + "999", "000/"]
)
def test_what_is_no_index_is_none(path: str) -> None:
    assert tiles.number_of(path) is None


@given(st.integers(0, (1 << 63) - 1))
def test_every_index_is_read_as_it_was_written(number: int) -> None:
    assert tiles.number_of(tiles.path_of(number)) == number
