"""Checkpoints of a whole service: signed by who runs it, printed by commands, with keys that are rotated meanwhile."""

import base64
import json
from pathlib import Path

import aiohttp
import pytest

from events import checkpoint_keys
from events.checkpoint import Verifier, opened, parse_note
from events.database import create_pool
from events.sealed_tree import SealedTree
from service import checkpoint_key
from service.commands.keys import DEVELOPMENT_KEY
from service.settings import Misconfigured, Settings
from tests.servers.receiver import Receiver
from tests.service.command_line import output_of, rollbook, run
from tests.service.serving import Launch, environment
from tests.waiting import until


async def keys(tmp_path: Path, database: str, *words: str, **more: str) -> list[tuple[Verifier, bool]]:
    said = await output_of(database, tmp_path, "checkpoint-key", *words, "--json", **more)
    return [(Verifier.parse(each["verifier_key"]), each["signs"]) for each in json.loads(said)["keys"]]


async def test_a_service_signs_what_was_appended_and_its_keys_are_rotated_while_it_runs(
    launch: Launch, database: str, tmp_path: Path
) -> None:
    directory = tmp_path / "published"
    directory.mkdir()
    process = await launch("serve", ROLLBOOK_CHECKPOINT_EVERY_S="0.1", ROLLBOOK_CHECKPOINT_DIR=str(directory))

    async def customer() -> None:
        headers = {"Authorization": f"Bearer {DEVELOPMENT_KEY}"}
        async with aiohttp.ClientSession() as session:
            answer = await session.post(f"{process.url}/v1/customers", headers=headers)
            assert answer.status == 200

    async def newest() -> str:
        code, said, _ = await run(environment(database, tmp_path), "checkpoint")
        return said if code == 0 else ""

    await customer()
    first = await until(newest, timeout_s=30)
    [(verifier, signs)] = await keys(tmp_path, database, "list")
    assert signs
    assert str(verifier) == (await output_of(database, tmp_path, "checkpoint", "--key")).strip()
    size = opened(first, [verifier]).size
    [(newer, _), (older, both)] = await keys(tmp_path, database, "rotate", "--yes")
    assert (older, both) == (verifier, True)
    await customer()
    second = await until(lambda: _newer(directory, first), timeout_s=30)
    assert opened(second, [verifier]) == opened(second, [newer])
    assert opened(second, [verifier]).size > size
    assert await keys(tmp_path, database, "retire", "--yes") == [(newer, True), (older, False)]
    await customer()
    third = await until(lambda: _newer(directory, second), timeout_s=30)
    assert [line.key_id for line in parse_note(third).signatures] == [newer.key_id]
    async with aiohttp.ClientSession() as session, session.get(f"{process.url}/readyz") as answer:
        assert (await answer.json())["dependencies"]["checkpoints"] == "ok"


async def test_each_webhook_has_size_and_root_of_the_newest_checkpoint(
    launch: Launch, database: str, tmp_path: Path, receiver: Receiver
) -> None:
    process = await launch("serve", ROLLBOOK_CHECKPOINT_EVERY_S="0.1")
    headers = {"Authorization": f"Bearer {DEVELOPMENT_KEY}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        endpoint = {"url": receiver.url("/hook"), "enabled_events[]": "*"}
        assert (await session.post(f"{process.url}/v1/webhook_endpoints", data=endpoint)).status == 200

        async def stated() -> str:
            assert (await session.post(f"{process.url}/v1/customers")).status == 200
            await receiver.wait_for(len(receiver.requests) + 1)
            return str(receiver.requests[-1].headers.get("Rollbook-Checkpoint", ""))

        size, root = (await until(stated, timeout_s=30)).split()
    pool = await create_pool(database, application="test", size_max=1)
    assert base64.b64decode(root) == await SealedTree(pool).root(int(size))
    await pool.close()


def _newer(directory: Path, note: str) -> str:
    """The checkpoint in the directory, once it is another one."""
    found = (directory / "checkpoint").read_text()
    return found if parse_note(found).text != parse_note(note).text else ""


async def test_a_file_of_keys_is_made_once_and_for_its_owner_alone(database: str, tmp_path: Path) -> None:
    file = tmp_path / "keys"
    variables = {"ROLLBOOK_CHECKPOINT_KEY": str(file)}
    [(verifier, _)] = await keys(tmp_path, database, "new", "--name", "rollbook.example/log", **variables)
    assert verifier.name == "rollbook.example/log"
    assert file.stat().st_mode & 0o777 == 0o600
    code, said = await rollbook(database, tmp_path, "checkpoint-key", "new", **variables)
    assert (code, "rotate" in said) == (1, True)
    code, said = await rollbook(database, tmp_path, "checkpoint", **variables)
    assert (code, said) == (
        1,
        "No checkpoint was signed yet: a relay or a worker with ROLLBOOK_CHECKPOINT_KEY signs them.\n",
    )


def test_production_without_a_key_signs_nothing(tmp_path: Path) -> None:
    production = Settings(env="production", data_dir=tmp_path)
    assert checkpoint_key.prepared(production) is None
    assert list(tmp_path.iterdir()) == []


def test_development_where_no_key_can_be_made_signs_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert checkpoint_key.prepared(Settings(data_dir=tmp_path / "file")) is None


@pytest.mark.parametrize(
    ("text", "name", "why"),
    [
        (None, None, "cannot be read"),
        ("", None, "no private key"),
        ("PRIVATE+KEY+x", None, "no file of checkpoint keys"),
        (checkpoint_keys.new("a.example").text, "b.example", "of the log a.example"),
    ],
    ids=["missing", "empty", "cut", "another log's"],
)
def test_a_file_that_cannot_be_used_is_refused_at_the_start(
    text: str | None, name: str | None, why: str, tmp_path: Path
) -> None:
    file = tmp_path / "keys"
    if text is not None:
        file.write_text(text)
    with pytest.raises(Misconfigured, match=why):
        checkpoint_key.require(Settings(checkpoint_key=file, log_name=name))


def test_a_directory_for_checkpoints_that_is_missing_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="ROLLBOOK_CHECKPOINT_DIR"):
        checkpoint_key.require(Settings(checkpoint_dir=tmp_path / "missing"))
