"""The sealer: its tree is that of the log, whoever is at it and whenever it is killed, and it signs no fork."""

import asyncio
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from events import checkpoint_keys, merkle, published_checkpoint
from events.checkpoint import Checkpoint, opened
from events.database import Pool, create_pool
from events.errors import BrokenHistory
from events.follow import Wakeup
from events.log import PostgresLog
from events.sealed_tree import SealedTree
from events.tiles import TileId
from tests.events.sealing import KEYS, NAME, appended, hashes, sealer
from tests.waiting import until

ROOT = Path(__file__).parents[2]
EVENTS = 700
PAST_TRIGGERS = "SET session_replication_role = replica"  # as a superuser may


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    made = await create_pool(database, application="test", size_max=4)
    yield made
    await made.close()


def contents(directory: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in directory.iterdir()}


async def require_sealed(owner: asyncpg.Connection, tree: SealedTree) -> None:
    """Every event is under the newest checkpoint, whose root is that of the stored hashes; so was each before."""
    entries = await hashes(owner)
    checkpoint = await tree.checkpoint()
    assert checkpoint is not None
    assert checkpoint.size == await tree.size() == len(entries)
    for row in await owner.fetch("SELECT size, root, note FROM events.checkpoint"):
        assert row["root"] == merkle.root_of(entries[: row["size"]])
        assert opened(row["note"], KEYS.verifiers) == Checkpoint(NAME, row["size"], row["root"])


async def test_everything_is_sealed_and_proven(log: PostgresLog, owner: asyncpg.Connection, pool: Pool) -> None:
    await appended(log, "note-1", EVENTS)
    sealing = sealer(pool)
    assert [await sealing.advance() for _ in range(4)] == [300, 300, 100, 0]
    tree = SealedTree(pool)
    await require_sealed(owner, tree)
    entries, root = await hashes(owner), await tree.root(EVENTS)
    for index in (0, 255, 256, 511, 512, EVENTS - 1):
        proof = await tree.inclusion(index, EVENTS)
        assert merkle.verify_inclusion(index, EVENTS, merkle.leaf_hash(entries[index]), proof, root)
    for old in (0, 1, 256, 300, 699, EVENTS):
        proof = await tree.consistency(old, EVENTS)
        assert merkle.verify_consistency(old, EVENTS, merkle.root_of(entries[:old]), root, proof)
    assert await tree.tile(TileId(0, 2), 188) == b"".join(map(merkle.leaf_hash, entries[512:]))
    assert await tree.tile(TileId(0, 2), 189) is None
    bundle = await tree.entries(2, 188)
    assert bundle == b"".join(b"\0\x20" + entry for entry in entries[512:])
    assert await tree.entries(2, 189) is None


async def test_a_checkpoint_is_signed_only_when_there_is_something_new(log: PostgresLog, pool: Pool) -> None:
    nothing = sealer(pool)
    await nothing.catch_up()
    assert nothing.newest is None, "nothing is signed of an empty log"
    sealing = sealer(pool)
    await appended(log, "note-1", 3)
    for _ in range(3):
        await sealing.catch_up()
    assert (sealing.checkpoints, sealing.sealed) == (1, 3)
    assert sealing.newest is not None
    assert sealing.newest.size == 3


async def test_several_sealers_grow_one_tree(log: PostgresLog, owner: asyncpg.Connection, pool: Pool) -> None:
    sealers = [sealer(pool, batch=20) for _ in range(3)]
    for number in range(5):
        await appended(log, f"note-{number}", 100)
        await asyncio.gather(*(each.catch_up() for each in sealers))
    await sealers[0].catch_up()
    await require_sealed(owner, SealedTree(pool))
    assert sum(each.sealed for each in sealers) == 500


async def test_it_follows_the_log_and_says_how_far_behind_it_is(log: PostgresLog, database: str, pool: Pool) -> None:
    await appended(log, "note-1", 5)
    sealing, wakeup, stop = sealer(pool), Wakeup(database, "rollbook_log"), asyncio.Event()
    await sealing.catch_up()
    assert sealing.lag is not None
    assert (sealing.lag.unsealed, sealing.lag.unsigned) == (5, 5), "as it was found"
    tasks = [asyncio.create_task(wakeup.run(stop)), asyncio.create_task(sealing.run(wakeup, stop))]
    await appended(log, "note-2", 5)
    await until(lambda: sealing.newest is not None and sealing.newest.size == 10)
    stop.set()
    await asyncio.gather(*tasks)


async def test_without_a_key_it_seals_and_signs_nothing(log: PostgresLog, pool: Pool) -> None:
    await appended(log, "note-1", 300)
    sealing = sealer(pool, None)
    await sealing.catch_up()
    assert (sealing.newest, sealing.signs, await SealedTree(pool).size()) == (None, False, 300)


async def test_the_newest_checkpoint_is_published_in_a_directory(log: PostgresLog, pool: Pool, tmp_path: Path) -> None:
    for stream in ("note-1", "note-2"):
        await appended(log, stream, 3)
        await sealer(pool, directory=tmp_path).catch_up()
    sealing = sealer(pool, directory=tmp_path)
    await sealing.catch_up()
    assert sealing.newest is not None
    day = f"checkpoint-{sealing.newest.signed_at:%Y-%m-%d}"
    assert contents(tmp_path) == dict.fromkeys(("checkpoint", day), sealing.newest.note)
    assert published_checkpoint.read(tmp_path, KEYS.verifiers) == Checkpoint(NAME, 6, sealing.newest.root)


async def test_a_gap_in_the_log_is_not_sealed(log: PostgresLog, owner: asyncpg.Connection, pool: Pool) -> None:
    await appended(log, "note-1", 5)
    await owner.execute(f"{PAST_TRIGGERS}; DELETE FROM events.log WHERE position = 3; RESET session_replication_role")
    with pytest.raises(BrokenHistory, match="position 3"):
        await sealer(pool).catch_up()
    assert await SealedTree(pool).size() == 0


async def rewritten(owner: asyncpg.Connection, pool: Pool, events: int) -> None:
    """What an insider makes of the log: another one, as well formed, with a tree and a checkpoint of its own."""
    await owner.execute(
        f"{PAST_TRIGGERS}; UPDATE events.log SET hash = sha256(hash); DELETE FROM events.log WHERE position > {events};"
        f"UPDATE events.head SET position = {events}; DELETE FROM events.tile; DELETE FROM events.checkpoint;"
        "UPDATE events.tree SET size = 0, partial = '{}'; RESET session_replication_role"
    )
    await sealer(pool).catch_up()


@pytest.mark.parametrize(("events", "why"), [(9, "rewritten"), (4, "rolled back")])
async def test_no_fork_is_signed_by_who_signed_before_or_has_a_checkpoint_of_the_outside(
    events: int, why: str, log: PostgresLog, owner: asyncpg.Connection, pool: Pool, tmp_path: Path
) -> None:
    await appended(log, "note-1", 9)
    before = sealer(pool, directory=tmp_path)
    await before.catch_up()
    await rewritten(owner, pool, events)
    await appended(log, "note-2", 1)  # to be signed
    for refusing in (before, sealer(pool, directory=tmp_path)):
        with pytest.raises(BrokenHistory, match=why):
            await refusing.catch_up()
    published = published_checkpoint.read(tmp_path, KEYS.verifiers)
    assert published is not None
    assert published.size == 9
    assert await owner.fetchval("SELECT max(size) FROM events.checkpoint") == events


async def test_a_refusal_is_reported_until_it_is_over(
    log: PostgresLog, owner: asyncpg.Connection, database: str, pool: Pool
) -> None:
    await appended(log, "note-1", 5)
    stored = await owner.fetchval("SELECT hash FROM events.log WHERE position = 5")
    sealing, wakeup, stop = sealer(pool), Wakeup(database, "rollbook_log"), asyncio.Event()
    await owner.execute(f"{PAST_TRIGGERS}; UPDATE events.log SET hash = '' WHERE position = 5")
    running = asyncio.create_task(sealing.run(wakeup, stop))
    await until(lambda: sealing.fault is not None and "position 5" in sealing.fault)
    await owner.execute("UPDATE events.log SET hash = $1 WHERE position = 5", stored)
    wakeup.poke()
    await until(lambda: sealing.fault is None and sealing.newest is not None)
    stop.set()
    await running


@pytest.mark.parametrize("table", ["tile", "checkpoint"])
async def test_tiles_and_checkpoints_are_immutable(
    table: str, log: PostgresLog, owner: asyncpg.Connection, service: asyncpg.Connection, pool: Pool
) -> None:
    await appended(log, "note-1", 256)
    await sealer(pool).catch_up()
    for connection in (owner, service):
        for statement in (f"DELETE FROM events.{table}", f"TRUNCATE events.{table}"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)


@pytest.mark.faults
async def test_a_kill_at_any_instant_leaves_the_tree_right(
    log: PostgresLog, owner: asyncpg.Connection, database: str, pool: Pool, tmp_path: Path
) -> None:
    keyfile, published = tmp_path / "key", tmp_path / "published"
    published.mkdir()
    checkpoint_keys.write(keyfile, KEYS)
    await appended(log, "note-1", 4000)
    for kill in range(3):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.events.sealing", database, str(keyfile), str(published), stdout=PIPE, cwd=ROOT
        )
        assert process.stdout is not None
        for _ in range(3 + 5 * kill):
            assert await process.stdout.readline(), "it seals on"
        process.kill()
        await process.communicate()
    assert await SealedTree(pool).size() < 4000, "it was killed at work"
    last = sealer(pool, directory=published)
    await until(last.catch_up)
    await require_sealed(owner, SealedTree(pool))
    assert await owner.fetchval("SELECT count(*) FROM events.checkpoint") >= 8
