"""An insider with a superuser's rights: what he does to the log is found, with the first position that is not right.

What he does with the chains, the tree and the checkpoints made anew is found by a checkpoint that is kept elsewhere.
"""

import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import asyncpg
import pytest

from events import chain, verify
from events.checkpoint import Checkpoint, InvalidNote, Signer, Verifier, opened, parse_note
from events.database import Pool, create_pool
from events.log import PostgresLog, record_of
from events.merkle import root_of
from events.record import Record
from events.verify import Broken
from events.verify_database import DatabaseVerifier
from tests.events.appends import ORIGIN, append
from tests.events.exports import exported
from tests.events.sealing import KEYS, hashes, sealer

ROOT = Path(__file__).parents[2]
STREAMS = 6
EVENTS = 50  # of each stream
TOTAL = STREAMS * EVENTS
OUTSIDE = TOTAL - EVENTS  # events under the checkpoint that is kept elsewhere
Insider = Callable[[asyncpg.Connection], Awaitable[object]]


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    made = await create_pool(database, application="test", size_max=2)
    yield made
    await made.close()


@pytest.fixture
async def kept(log: PostgresLog, pool: Pool) -> str:
    """A log of six streams that is sealed; gives the checkpoint that an auditor kept before the last stream."""
    origin = ORIGIN._replace(actor='k\u00e9y "\\\n\u2028\x07', idempotency_key="again", causation_id="therefore")
    kept = ""
    for number in range(STREAMS):
        notes = [f"{number}-{version}" for version in range(EVENTS)]
        await log.append(append(f"note-{number}", 0, *notes, origin=origin if number % 2 else ORIGIN))
        sealing = sealer(pool)
        await sealing.catch_up()
        assert sealing.newest is not None
        if sealing.newest.size == OUTSIDE:
            kept = sealing.newest.note
    return kept


@pytest.fixture
async def insider(owner: asyncpg.Connection) -> asyncpg.Connection:
    """A superuser, whom no trigger stops."""
    await owner.execute("SET session_replication_role = replica")
    return owner


async def found(pool: Pool, *outside: str) -> tuple[int, str]:
    """What the verification of the database finds."""
    given = [opened(note, KEYS.verifiers) for note in outside]
    verifier = DatabaseVerifier(pool, outside=given, keys=KEYS.verifiers)
    with pytest.raises(Broken) as broken:
        async for _ in verifier.run():
            pass
    return broken.value.position, broken.value.reason


def offline(lines: list[bytes], note: str, tmp_path: Path, key: Verifier = KEYS.verifiers[0]) -> tuple[int, str]:
    """What `python -m events.verify` says of an export, in an interpreter that has no package but cryptography."""
    export, checkpoint = tmp_path / "export.ndjson", tmp_path / "checkpoint"
    export.write_bytes(b"".join(lines))
    checkpoint.write_text(note)
    words = [str(export), "--checkpoint", str(checkpoint), "--key", str(key)]
    done = subprocess.run(
        [sys.executable, "-c", ALONE, *words], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    return done.returncode, done.stdout + done.stderr


ALONE = """
import sys
class Refuse:
    def find_spec(self, name, *_):
        if name.partition(".")[0] in ("orjson", "pydantic", "structlog", "asyncpg", "aiohttp", "aio_pika", "service"):
            raise ImportError(name)
sys.meta_path.insert(0, Refuse())
from events import verify
sys.exit(verify.main(sys.argv[1:]))
"""


async def test_a_log_that_nobody_touched_is_verified(
    kept: str, log: PostgresLog, owner: asyncpg.Connection, pool: Pool, tmp_path: Path
) -> None:
    await log.append(append("note-9", 0, "not sealed yet"))
    verifier = DatabaseVerifier(pool, outside=[opened(kept, KEYS.verifiers)], keys=KEYS.verifiers)
    assert [position async for position in verifier.run()] == [TOTAL + 1]
    assert (verifier.checkpoints, verifier.signatures, verifier.verifier.proven) == (STREAMS, STREAMS, TOTAL)
    code, said = offline(await exported(owner), kept, tmp_path)
    assert code == 0, said
    assert said.splitlines() == [
        f"{TOTAL + 1} events of {STREAMS + 1} streams are as they were written.",
        f"The checkpoint of {KEYS.name} proves those up to position {OUTSIDE}.",
        f"{EVENTS + 1} later events are under no checkpoint that was given.",
    ]


async def test_a_log_without_an_event_is_verified(pool: Pool) -> None:
    verifier = DatabaseVerifier(pool)
    assert [position async for position in verifier.run()] == []


async def edits_a_byte(insider: asyncpg.Connection) -> None:
    await insider.execute("UPDATE events.log SET payload = set_byte(payload, 10, 88) WHERE position = 77")


async def edits_the_hash(insider: asyncpg.Connection) -> None:
    await insider.execute("UPDATE events.log SET hash = set_byte(hash, 0, get_byte(hash, 0) # 1) WHERE position = 77")


async def changes_an_actor(insider: asyncpg.Connection) -> None:
    await insider.execute("UPDATE events.log SET actor = 'key_other' WHERE position = 77")


async def moves_it_to_live_mode(insider: asyncpg.Connection) -> None:
    await insider.execute("UPDATE events.log SET livemode = true WHERE position = 77")


async def deletes_one(insider: asyncpg.Connection) -> None:
    await insider.execute("DELETE FROM events.log WHERE position = 77")


async def swaps_two(insider: asyncpg.Connection) -> None:
    await insider.execute("UPDATE events.log SET position = 1000000 WHERE position = 60")
    await insider.execute("UPDATE events.log SET position = 60 WHERE position = 77")
    await insider.execute("UPDATE events.log SET position = 77 WHERE position = 1000000")


async def swaps_two_of_different_streams(insider: asyncpg.Connection) -> None:
    """Every chain is as it was: only the tree knows the order of the first events of two streams."""
    await insider.execute("UPDATE events.log SET position = 1000000 WHERE position = 150")
    await insider.execute("UPDATE events.log SET position = 150 WHERE position = 151")
    await insider.execute("UPDATE events.log SET position = 151 WHERE position = 1000000")


async def inserts_one(insider: asyncpg.Connection) -> None:
    await insider.execute("UPDATE events.log SET position = position + 1000001 WHERE position >= 77")
    await insider.execute(
        "INSERT INTO events.log SELECT (jsonb_populate_record(l, '{\"position\": 77}')).* FROM events.log l "
        "WHERE position = 5"
    )
    await insider.execute("UPDATE events.log SET position = position - 1000000 WHERE position > 1000000")
    await insider.execute("UPDATE events.head SET position = position + 1")


async def deletes_a_stream(insider: asyncpg.Connection) -> None:
    await insider.execute("DELETE FROM events.log WHERE stream = 'note-1'")
    await insider.execute("DELETE FROM events.stream WHERE stream = 'note-1'")


async def deletes_a_stream_and_closes_the_gap(insider: asyncpg.Connection) -> None:
    await deletes_a_stream(insider)
    # In two steps: within one statement a row may meet the position of one that has not moved yet.
    await insider.execute(f"UPDATE events.log SET position = position + 100000 WHERE position > {EVENTS}")
    await insider.execute(f"UPDATE events.log SET position = position - 100000 - {EVENTS} WHERE position > 100000")
    await insider.execute(f"UPDATE events.head SET position = position - {EVENTS}")


async def deletes_the_newest(insider: asyncpg.Connection) -> None:
    await insider.execute(f"DELETE FROM events.log WHERE position = {TOTAL}")


async def deletes_the_newest_and_moves_the_head(insider: asyncpg.Connection) -> None:
    await deletes_the_newest(insider)
    await insider.execute(f"UPDATE events.head SET position = {TOTAL - 1}")


async def changes_a_tile(insider: asyncpg.Connection) -> None:
    await insider.execute("UPDATE events.tile SET hashes = set_byte(hashes, 76 * 32, get_byte(hashes, 76 * 32) # 1)")


async def changes_the_edge(insider: asyncpg.Connection) -> None:
    await insider.execute("UPDATE events.tree SET partial[1] = set_byte(partial[1], 0, get_byte(partial[1], 0) # 1)")


async def forges_a_checkpoint(insider: asyncpg.Connection) -> None:
    other = Signer.new(KEYS.name)
    checkpoint = Checkpoint(KEYS.name, 77, root_of((await hashes(insider))[:77]))
    note = f"{checkpoint.text}\n{other.sign(checkpoint.text)}\n"
    await insider.execute(
        "INSERT INTO events.checkpoint VALUES (77, $1, $2, $3, now())", checkpoint.root, checkpoint.origin, note
    )


@pytest.mark.parametrize(
    ("act", "position", "why"),
    [
        (edits_a_byte, 77, "version 27 of note-1 is not what was written"),
        (edits_the_hash, 77, "version 27 of note-1 is not what was written"),
        (changes_an_actor, 77, "version 27 of note-1 is not what was written"),
        (moves_it_to_live_mode, 77, "version 27 of note-1 is not what was written"),
        (deletes_one, 77, "it is missing: the next event is at position 78"),
        (swaps_two, 60, "note-1 goes from version 9 to 27"),
        (swaps_two_of_different_streams, 101, "the root over 150 events"),
        (inserts_one, 77, "note-0 goes from version 50 to 5"),
        (deletes_a_stream, 51, "it is missing: the next event is at position 101"),
        (deletes_a_stream_and_closes_the_gap, 51, "root"),
        (deletes_the_newest, TOTAL, "it is missing: the log has 300 events"),
        (deletes_the_newest_and_moves_the_head, TOTAL, "the Merkle tree has 300 events"),
        (changes_a_tile, 77, "its hash in the Merkle tree"),
        (changes_the_edge, 257, "its hash in the Merkle tree"),
        (forges_a_checkpoint, 77, "forged"),
    ],
)
async def test_what_an_insider_does_is_found(
    act: Insider, position: int, why: str, kept: str, insider: asyncpg.Connection, pool: Pool
) -> None:
    await act(insider)
    where, reason = await found(pool)
    assert why in reason
    assert where == position


async def rewrite(insider: asyncpg.Connection, pool: Pool, keep: str) -> None:
    """Leave only some events, chain and number them anew, and make head, streams, tree and checkpoints fit."""
    rows = await insider.fetch(f"SELECT * FROM events.log WHERE {keep} ORDER BY position")
    records = rechained([record_of(row) for row in rows])
    await insider.execute("UPDATE events.log SET position = position + 1000000")
    for row, record in zip(rows, records, strict=True):
        await insider.execute(
            "UPDATE events.log SET position = $2, version = $3, hash = $4 WHERE position = $1",
            row["position"] + 1000000, record.position, record.version, record.hash,
        )  # fmt: skip
    await insider.execute("DELETE FROM events.log WHERE position > 1000000; DELETE FROM events.stream")
    for record in records:
        await insider.execute(
            "INSERT INTO events.stream VALUES ($1, $2, $3, $4, $5) "
            "ON CONFLICT (stream) DO UPDATE SET version = excluded.version, hash = excluded.hash",
            record.stream, record.origin.account, record.origin.livemode, record.version, record.hash,
        )  # fmt: skip
    await insider.execute(f"UPDATE events.head SET position = {len(records)}")
    await insider.execute(
        "DELETE FROM events.tile; DELETE FROM events.checkpoint; UPDATE events.tree SET size = 0, partial = '{}'"
    )
    await sealer(pool).catch_up()  # with the log's own key, at worst


def rechained(records: list[Record]) -> list[Record]:
    heads: dict[str, tuple[int, bytes]] = {}
    made = []
    for position, record in enumerate(records, 1):
        version, previous = heads.get(record.stream, (0, chain.START))
        hash = chain.link(
            previous, stream=record.stream, version=version + 1, type=record.type,
            schema_version=record.schema_version, payload=record.payload, origin=record.origin,
        )  # fmt: skip
        heads[record.stream] = version + 1, hash
        made.append(record._replace(position=position, version=version + 1, hash=hash))
    return made


async def edits_and_rewrites(insider: asyncpg.Connection, pool: Pool) -> None:
    await edits_a_byte(insider)
    await rewrite(insider, pool, "true")


async def deletes_a_day(insider: asyncpg.Connection, pool: Pool) -> None:
    await rewrite(insider, pool, "position <= 60 OR position > 90")


async def restores_last_week(insider: asyncpg.Connection, pool: Pool) -> None:
    await rewrite(insider, pool, "position <= 100")


@pytest.mark.parametrize(("act", "position"), [(edits_and_rewrites, 1), (deletes_a_day, 1), (restores_last_week, 101)])
async def test_a_log_that_was_rewritten_in_every_part_is_found_by_a_checkpoint_of_the_outside(
    act: Callable[[asyncpg.Connection, Pool], Awaitable[None]],
    position: int,
    kept: str,
    insider: asyncpg.Connection,
    pool: Pool,
    tmp_path: Path,
) -> None:
    await act(insider, pool)
    async for _ in DatabaseVerifier(pool, keys=KEYS.verifiers).run():
        pass  # there is nothing to be seen from the inside
    where, _ = await found(pool, kept)
    assert where == position
    code, said = offline(await exported(insider), kept, tmp_path)
    assert (code, said.startswith(f"BROKEN at position {position}: ")) == (1, True), said


async def test_an_export_that_was_changed_is_found_offline(
    kept: str, owner: asyncpg.Connection, tmp_path: Path
) -> None:
    lines = await exported(owner)
    for changed, position in (
        ([*lines[:76], lines[76].replace(b'"again"', b'"other"'), *lines[77:]], 77),
        ([*lines[:76], *lines[77:]], 77),
        ([*lines[:76], lines[77], lines[76], *lines[78:]], 77),
        ([*lines[:76], lines[76], *lines[76:]], 78),
        (lines[: OUTSIDE - 1], OUTSIDE),
        ([*lines[:76], lines[76].replace(b",", b", ", 1), *lines[77:]], 77),
        ([*lines[:76], lines[76].replace(b'{"actor"', b'{"aaa":1,"actor"'), *lines[77:]], 77),
        ([*lines[:76], b"\xff\n", *lines[77:]], 77),
    ):
        code, said = offline(changed, kept, tmp_path)
        assert (code, said.startswith(f"BROKEN at position {position}: ")) == (1, True), said


async def test_a_checkpoint_of_another_key_proves_nothing(kept: str, owner: asyncpg.Connection, tmp_path: Path) -> None:
    code, said = offline(await exported(owner), kept, tmp_path, Signer.new(KEYS.name).verifier)
    assert (code, "not signed by the key" in said) == (1, True)


def test_a_witness_that_has_to_have_cosigned_is_missed(tmp_path: Path) -> None:
    checkpoint = Checkpoint(KEYS.name, 0, root_of([]))
    file = tmp_path / "checkpoint"
    file.write_text(f"{checkpoint.text}\n{KEYS.signers[0].sign(checkpoint.text)}\n")
    assert parse_note(file.read_text()).text == checkpoint.text
    with pytest.raises(InvalidNote, match="not cosigned"):
        verify.read_checkpoint(file, KEYS.verifiers, [Signer.new("witness.example").verifier])
