"""`/checkpoint` and `/tile/…` for everybody, and proofs for auditors, verified from bytes of HTTP alone."""

import base64
from typing import Any

import pytest

from events import checkpoint_keys, merkle
from events.checkpoint import Checkpoint, opened
from events.merkle import leaf_hash
from events.sealer import Sealer
from tests.events.appends import append
from tests.service.serving import Answer, Api, Serve

KEYS = checkpoint_keys.new("rollbook.example/log")
AUDIT = "/v1/rollbook/audit"
EVENTS = 300


async def sealed(api: Api) -> Checkpoint:
    sealer = Sealer(api.core.pool, lambda: KEYS, every_s=0)
    await sealer.catch_up()
    assert sealer.newest is not None
    return opened(sealer.newest.note, KEYS.verifiers)


@pytest.fixture
async def log(api: Api) -> Checkpoint:
    """Events of somebody else and a customer of our own, under a checkpoint."""
    await api.core.log.append(append("note-1", 0, *map(str, range(EVENTS))))
    await api.customer("name=Jenny")
    return await sealed(api)


async def fetch(api: Api, path: str, status: int = 200) -> Answer:
    """What somebody without a key gets."""
    async with api.session.get(api.url + path) as response:
        assert response.status == status, path
        return Answer(response.status, response.headers, await response.read())


async def test_the_tree_is_served_to_everybody_and_gives_the_root_of_the_checkpoint(api: Api, log: Checkpoint) -> None:
    note = await fetch(api, "/checkpoint")
    assert (note.headers["Content-Type"], note.headers["Cache-Control"]) == ("text/plain; charset=utf-8", "no-cache")
    assert opened(note.body.decode(), KEYS.verifiers) == log
    width = log.size - 256
    leaves = b""
    for path, count in (("000", 256), (f"001.p/{width}", width)):
        tile, bundle = await fetch(api, f"/tile/0/{path}"), await fetch(api, f"/tile/entries/{path}")
        for answer in (tile, bundle):
            assert answer.headers["Content-Type"] == "application/octet-stream"
            assert "immutable" in answer.headers["Cache-Control"]
        entries = [bundle.body[at + 2 : at + 34] for at in range(0, len(bundle.body), 34)]
        assert {bundle.body[at : at + 2] for at in range(0, len(bundle.body), 34)} == {b"\0\x20"}
        assert b"".join(map(leaf_hash, entries)) == tile.body
        assert len(entries) == count
        leaves += tile.body
    frontier = merkle.Frontier()
    for at in range(0, len(leaves), 32):
        frontier.append(leaves[at : at + 32])
    assert frontier.root() == log.root
    above = await fetch(api, "/tile/1/000.p/1")
    assert above.body == merkle.folded([leaves[at : at + 32] for at in range(0, 256 * 32, 32)])
    assert (await fetch(api, "/tile/0/001.p/3")).body == leaves[256 * 32 : 259 * 32], "of an earlier size"


@pytest.mark.parametrize(
    "path",
    [
        "/tile/0/001",
        "/tile/0/001.p/250",
        "/tile/0/000.p/256",
        "/tile/0/000.p/0",
        "/tile/0/000.p/01",
        "/tile/0/000.p/",
        "/tile/0/0",
        "/tile/0/0000",
        "/tile/0/x000/000",
        "/tile/0/001/000",
        "/tile/0/x999/x999/x999/x999/x999/x999/999",
        "/tile/00/000",
        "/tile/64/000",
        "/tile/63/000",
        "/tile/9999999999/000",
        "/tile/entries/001",
        "/tile/entries/x000/001",
        "/tile/entries/x999/x999/x999/x999/x999/999",
    ],
)
async def test_what_is_no_tile_or_not_there_is_a_404(path: str, api: Api, log: Checkpoint) -> None:
    assert (await fetch(api, path, 404)).headers["Content-Type"].startswith("text/plain")


async def test_nothing_is_served_of_an_empty_log_or_where_it_is_shut(serve: Serve) -> None:
    open_one = await serve()
    await fetch(open_one, "/checkpoint", 404)
    shut = await serve(tiles_open=False)
    await sealed(shut)
    for path in ("/checkpoint", "/tile/0/000.p/1", "/tile/entries/000.p/1"):
        assert (await fetch(shut, path, 401)).json["error"]["type"] == "invalid_request_error"


async def proof(api: Api, query: str, **headers: Any) -> Any:
    answer = await api.get(f"{AUDIT}/proof?{query}", **headers)
    assert answer.status == 200, answer.body
    return answer.json


async def position_of_own(api: Api) -> int:
    found: int = await api.core.pool.fetchval("SELECT min(position) FROM events.log WHERE type = 'customer.created'")
    return found


async def test_an_event_is_proven_against_the_checkpoint(api: Api, log: Checkpoint) -> None:
    position = await position_of_own(api)
    for query, size in ((f"position={position}", log.size), (f"position={position}&size={position}", position)):
        shown = await proof(api, query)
        entry = await api.core.pool.fetchval("SELECT hash FROM events.log WHERE position = $1", position)
        assert (shown["entry"], shown["size"], shown["index"]) == (entry.hex(), size, position - 1)
        hashes = [bytes.fromhex(each) for each in shown["hashes"]]
        root = bytes.fromhex(shown["root"])
        assert merkle.verify_inclusion(shown["index"], size, leaf_hash(entry), hashes, root)
    whole = await proof(api, f"position={position}")
    assert whole["root"] == log.root.hex()
    head, index, *encoded = whole["tlog_proof"].partition("\n\n")[0].split("\n")
    assert (head, index) == ("c2sp.org/tlog-proof@v1", f"index {position - 1}")
    assert [base64.b64decode(each).hex() for each in encoded] == whole["hashes"]
    assert opened(whole["tlog_proof"].partition("\n\n")[2], KEYS.verifiers) == log
    trail = await api.core.pool.fetch("SELECT payload FROM events.log WHERE type = 'audit.read' ORDER BY position")
    assert b'"audit.proof"' in trail[-1]["payload"]


async def test_two_checkpoints_are_shown_to_be_consistent(api: Api, log: Checkpoint) -> None:
    await api.customer()
    later = await sealed(api)
    answer = await api.get(f"{AUDIT}/consistency?from={log.size}")
    shown = answer.json
    hashes = [bytes.fromhex(each) for each in shown["hashes"]]
    assert (shown["from"], shown["to"], shown["from_root"]) == (log.size, later.size, log.root.hex())
    assert merkle.verify_consistency(log.size, later.size, log.root, later.root, hashes)
    assert opened(shown["checkpoint"], KEYS.verifiers) == later
    again = (await api.get(f"{AUDIT}/consistency?from=0&to={log.size}")).json
    assert (again["hashes"], again["from_root"]) == ([], merkle.EMPTY.hex())


async def test_events_of_others_and_sizes_that_are_not_there_are_refused(api: Api, log: Checkpoint) -> None:
    position = await position_of_own(api)
    live = await api.issue(livemode=True)
    for somewhere, key in ((7, api.key), (log.size + 100, api.key), (position, live)):  # 7 is of another account
        code, blamed, _ = await api.refused("GET", f"{AUDIT}/proof?position={somewhere}", key=key)
        assert (code, blamed) == ("resource_missing", "position")
    for query, param in (
        (f"proof?position={position}&size={log.size + 100}", "size"),
        (f"proof?position={position}&size={position - 1}", "size"),
        ("proof", "position"),
        ("proof?position=0", "position"),
        (f"consistency?from={log.size + 1}", "from"),
        (f"consistency?from=1&to={log.size + 100}", "to"),
        ("consistency", "from"),
    ):
        _, blamed, _ = await api.refused("GET", f"{AUDIT}/{query}")
        assert blamed == param, query
    restricted = await api.issue(key_type="restricted", permissions=("customers:read",))
    await api.refused("GET", f"{AUDIT}/consistency?from=1", status=403, key=restricted)
