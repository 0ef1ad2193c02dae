"""`rollbook export` and `rollbook import`: the log leaves as a file and comes back as it was, whatever is killed."""

import asyncio
import json
import sys
from base64 import b64decode
from collections.abc import AsyncIterator, Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import pytest

from events import checkpoint_keys, cloudevents
from events.sealer import Sealer
from tests import exports
from tests.servers.databases import Databases
from tests.service.command_line import output_of, rollbook, run
from tests.service.person import EVERY, person
from tests.service.serving import Api, Serve, command, environment
from tests.waiting import until

ROOT = Path(__file__).parents[3]
MEMORY_MAX = 150 * 1024 * 1024
MANY = 12_000
CONTENTS = {
    "log": "SELECT md5(string_agg(md5(l::text), '' ORDER BY position)) FROM events.log l",
    "streams": "SELECT md5(string_agg(md5(s::text), '' ORDER BY stream)) FROM events.stream s",
    "head": "SELECT position::text FROM events.head",
    "keys": "SELECT md5(string_agg(md5(k::text), '' ORDER BY stream)) FROM keys.subject k",
}


@pytest.fixture
async def other(databases: Databases) -> AsyncIterator[str]:
    """A second database, migrated and empty."""
    name = await databases.take()
    yield databases.dsn(name)
    await databases.give_back(name)


async def contents(dsn: str) -> dict[str, Any]:
    """Digests of the log and of what stands beside it."""
    connection = await asyncpg.connect(dsn)
    try:
        return {name: await connection.fetchval(query) for name, query in CONTENTS.items()}
    finally:
        await connection.close()


async def killed_when(reached: Callable[[], Any], database: str, directory: Path, *words: str) -> int:
    """Run a command and kill it with SIGKILL as soon as something is so; gives the most memory that it had."""
    child = await asyncio.create_subprocess_exec(
        *command(*words),
        env=environment(database, directory),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    process, most = psutil.Process(child.pid), 0

    async def now() -> bool:
        nonlocal most
        assert child.returncode is None, "it ended before it could be killed"
        most = max(most, process.memory_info().rss)
        found = reached()
        return bool(await found if asyncio.iscoroutine(found) else found)

    await until(now, timeout_s=60)
    child.kill()
    assert await child.wait() == -9
    return most


async def test_an_export_put_into_an_empty_database_is_the_same_log(
    serve: Serve, database: str, other: str, tmp_path: Path
) -> None:
    api = await serve()
    id = (await api.customer("email=jenny@example.com&name=J%C3%A9nny"))["id"]
    await api.post(f"/v1/customers/{id}/sources", "source=tok_visa", Idempotency_Key='a "quoted" key')
    await api.post("/v1/coupons", "id=HALF&percent_off=50&duration=once")
    await api.delete(f"/v1/customers/{id}")
    file, keys = tmp_path / "log.ndjson", tmp_path / "keys.ndjson"
    words = ("export", "--to", str(file), "--keys", str(keys), "--json")
    code, said, _ = await run(environment(database, tmp_path), *words)
    lines = await asyncio.to_thread(file.read_bytes)
    assert lines == b"".join(map(cloudevents.line, await api.core.log.read(0, 1000)))
    assert (code, json.loads(said)["events"]) == (0, lines.count(b"\n"))
    assert b"jenny@example.com" not in lines
    assert file.stat().st_mode & 0o077 == keys.stat().st_mode & 0o077 == 0
    trail = [line for line in lines.splitlines() if b'"subject":"audit_trail-system-live' in line]
    assert all(b'"actor":"operator:' in line for line in trail)
    assert len(trail) == 2
    await output_of(other, tmp_path, "import", str(file), "--keys", str(keys))
    assert await contents(other) == await contents(database)
    again = tmp_path / "again.ndjson"
    await output_of(other, tmp_path, "export", "--to", str(again))
    assert (await asyncio.to_thread(again.read_bytes)).startswith(lines)
    code, refused = await rollbook(other, tmp_path, "import", str(file))
    assert (code, "not of this export" in refused or "more" in refused) == (1, True)


async def verified(export: Path, checkpoint: Path, key: str) -> tuple[int, str]:
    """What the verifier says, in a process that knows nothing of the database."""
    words = (sys.executable, "-m", "events.verify", str(export), "--checkpoint", str(checkpoint), "--key", key)
    process = await asyncio.create_subprocess_exec(
        *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, cwd=ROOT, env={}
    )
    said, _ = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode or 0, said.decode()


async def test_exports_from_before_and_after_an_erasure_pass_the_verifier_and_name_nobody(
    api: Api, database: str, tmp_path: Path
) -> None:
    id = (await person(api))["customer"]
    await output_of(database, tmp_path, "checkpoint-key", "new")
    sealer = Sealer(api.core.pool, lambda: checkpoint_keys.read(tmp_path / "checkpoint.key"))
    key = (await output_of(database, tmp_path, "checkpoint", "--key")).strip()
    exports, checkpoints, keys = [], [], []
    for when in ("before", "after"):
        await sealer.catch_up()
        checkpoints.append(tmp_path / f"{when}.checkpoint")
        checkpoints[-1].write_text(await output_of(database, tmp_path, "checkpoint"))
        export, wrapped = tmp_path / f"{when}.ndjson", tmp_path / f"{when}.keys"
        await output_of(database, tmp_path, "export", "--to", str(export), "--keys", str(wrapped))
        exports.append(await asyncio.to_thread(export.read_bytes))
        keys.append(await asyncio.to_thread(wrapped.read_text))
        for checkpoint in checkpoints:
            code, said = await verified(export, checkpoint, key)
            assert (code, "are as they were written" in said) == (0, True), said
        if when == "before":
            await output_of(database, tmp_path, "erase", id, "--yes")
    assert exports[1].startswith(exports[0])
    assert [f"customer-{id}" in each for each in keys] == [True, False]
    stored = exports[1] + b"".join(b64decode(json.loads(line)["data_base64"]) for line in exports[1].splitlines())
    assert id.encode() in stored
    assert [value for value in EVERY if value.lower().encode() in stored.lower()] == []
    assert (await verified(tmp_path / "before.ndjson", checkpoints[0], key.replace("rollbook", "other")))[0] == 1


async def test_an_export_and_an_import_that_are_killed_are_continued(database: str, other: str, tmp_path: Path) -> None:
    source, file = tmp_path / "source.ndjson", tmp_path / "log.ndjson"
    await asyncio.to_thread(exports.write, source, MANY)
    connection = await asyncpg.connect(database)

    async def some_stored() -> bool:
        return bool(await connection.fetchval("SELECT position > 0 FROM events.head"))

    most = await killed_when(some_stored, database, tmp_path, "import", str(source))
    position = await connection.fetchval("SELECT position FROM events.head")
    assert 0 < position < MANY
    await connection.close()
    assert f"{MANY:,} events" in await output_of(database, tmp_path, "import", str(source))

    def some_written() -> bool:
        return file.exists() and file.stat().st_size > 0

    most = max(most, await killed_when(some_written, database, tmp_path, "export", "--to", str(file)))
    assert 0 < file.stat().st_size < source.stat().st_size
    with file.open("ab") as torn:
        torn.write(b'{"actor":"key_1","data_ba')
    await output_of(database, tmp_path, "export", "--to", str(file))
    exported = (await asyncio.to_thread(file.read_bytes)).splitlines(keepends=True)
    assert sha256(b"".join(exported[:MANY])).digest() == sha256(await asyncio.to_thread(source.read_bytes)).digest()
    assert all(b'"subject":"audit_trail-system-live-' in line for line in exported[MANY:])
    assert most < MEMORY_MAX


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        (b'"name":"7"', b'"name":"8"', 8),  # base64 is edited below
        (b'"streamversion":"3"', b'"streamversion":"4"', 3),
        (b"/accounts/acct_many/test", b"/accounts/acct_other/test", 1),
        (b'"position":"4"', b'"position":"5"', 4),
        (b'"actor":"key_1"', b'"actor":"key_2"', 1),
    ],
)
async def test_a_file_that_was_changed_is_refused_with_its_first_fault(
    database: str, tmp_path: Path, old: bytes, new: bytes, line: int
) -> None:
    file = tmp_path / "log.ndjson"
    exports.write(file, 10)
    if b"name" in old:
        from base64 import b64encode

        old, new = (b64encode(b'{"attributes":{%b}}' % part) for part in (old, new))
    text = file.read_bytes()
    assert old in text
    file.write_bytes(text.replace(old, new, 1))
    code, said = await rollbook(database, tmp_path, "import", str(file))
    assert (code, f"line {line}:" in said) == (1, True), said
    assert (await contents(database))["head"] == "0"


async def test_an_import_makes_the_database_in_an_empty_data_directory(tmp_path: Path) -> None:
    file, directory = tmp_path / "log.ndjson", tmp_path / "data"
    code, said = await rollbook("", directory, "import", str(file))
    assert (code, "no database" in said, directory.exists()) == (2, True, False), said
    await asyncio.to_thread(exports.write, file, 3)
    code, shown, _ = await run(environment("", directory), "import", str(file), "--json")
    assert (code, json.loads(shown)) == (0, {"events": 3, "keys": 0})


async def test_a_file_that_is_no_export_is_left_alone(database: str, tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("Dear diary\n")
    for words in (("export", "--to"), ("import",)):
        code, said = await rollbook(database, tmp_path, *words, str(file))
        assert (code, str(file) in said) == (1, True), said
    assert file.read_text() == "Dear diary\n"
    exports.write(file, 10)
    code, said = await rollbook(database, tmp_path, "export", "--to", str(file))
    assert (code, "does not have at position 10" in said) == (1, True), said
    code, said = await rollbook(database, tmp_path, "import", str(tmp_path / "missing"))
    assert (code, said.splitlines()[-1]) == (1, f"{tmp_path / 'missing'}: No such file or directory"), said
    code, said = await rollbook(database, tmp_path, "export", "--to", str(tmp_path))
    assert (code, said.splitlines()[-1]) == (1, f"{tmp_path}: Is a directory"), said
    assert (await rollbook(database, tmp_path, "export"))[0] == 2
