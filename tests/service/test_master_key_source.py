"""The master key from a file or from a command; what these hold is never shown."""

import base64
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from events.keys import MasterKeys
from service import master_key_source
from service.master_key_source import BYTES_MAX, master_keys
from service.settings import Misconfigured, Settings
from tests.service.command_line import run
from tests.service.serving import environment

SECRET = base64.b64encode(b"hunter2!" * 4).decode()
KEYS = MasterKeys.parse(SECRET)
NO_DATABASE = "postgresql://app@127.0.0.1:1/shop"


def faulty(**given: Any) -> str:
    with pytest.raises(Misconfigured) as refused:
        master_keys(Settings(**given))
    said = str(refused.value)
    assert "\n" not in said
    assert SECRET not in said
    return said


@pytest.mark.parametrize("text", [SECRET, f"{SECRET}\n", f"  {SECRET},\n{SECRET}\n"])
def test_a_file_gives_the_keys_that_it_holds(tmp_path: Path, text: str) -> None:
    file = tmp_path / "key"
    file.write_text(text)
    assert master_keys(Settings(master_key_file=file)).names == KEYS.names
    assert master_keys(Settings(master_key_command=SecretStr(f"cat {shlex.quote(str(file))}"))).names == KEYS.names


def test_a_file_without_a_key_is_named_and_not_quoted(tmp_path: Path) -> None:
    missing, file = tmp_path / "missing", tmp_path / "key"
    assert faulty(master_key_file=missing) == (
        f"ROLLBOOK_MASTER_KEY_FILE: {missing} cannot be read: No such file or directory"
    )
    assert faulty(master_key_file=tmp_path).endswith("cannot be read: Is a directory")
    for content in (b"", SECRET.encode()[:-4], b"\xff" * 44, f"{SECRET} {SECRET}".encode(), b"A" * BYTES_MAX):
        file.write_bytes(content)
        assert faulty(master_key_file=file).startswith(f"ROLLBOOK_MASTER_KEY_FILE: {file} is not a master key: ")


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("exit 3", "the command ended with exit code 3"),
        ("echo denied >&2; exit 1", "the command ended with exit code 1: denied"),
        (f"echo first >&2; echo no {SECRET} here >&2; exit 1", "the command ended with exit code 1: no *** here"),
        ("kill -9 $$", "the command was ended by signal 9"),
        (f"echo {SECRET[:-4]}", f"the output of the command is {master_key_source.NO_KEY}"),
        ("yes", f"the output of the command is {master_key_source.NO_KEY}"),
        ("true", f"the output of the command is {master_key_source.NO_KEY}"),
    ],
)
def test_a_command_that_gives_no_key_is_one_line_without_a_secret(command: str, expected: str) -> None:
    assert faulty(master_key_command=command) == f"ROLLBOOK_MASTER_KEY_COMMAND: {expected}"


def test_a_command_is_given_so_much_time_and_what_it_started_is_ended_with_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(master_key_source, "COMMAND_TIMEOUT_S", 0.2)
    pipe = tmp_path / "never"
    assert faulty(master_key_command=f"mkfifo {shlex.quote(str(pipe))}; cat {shlex.quote(str(pipe))} & wait") == (
        "ROLLBOOK_MASTER_KEY_COMMAND: the command has not ended within 0.2 s"
    )


async def test_a_command_of_ours_takes_the_key_from_a_command_and_ends_with_2_where_it_gives_none(
    database: str, tmp_path: Path
) -> None:
    given = {"ROLLBOOK_MASTER_KEY": "", "ROLLBOOK_MASTER_KEY_COMMAND": f"{sys.executable} -c 'print(\"{SECRET}\")'"}
    code, said, errors = await run(environment(database, tmp_path, **given), "master-key", "list")
    assert (code, errors) == (0, "")
    assert KEYS.names[0].hex() in said
    code, said, errors = await run(environment(database, tmp_path, **given), "config")
    assert SECRET not in said + errors
    given["ROLLBOOK_MASTER_KEY_COMMAND"] = "exit 3"
    outcome = await run(environment(NO_DATABASE, tmp_path, **given), "serve")
    assert outcome == (2, "", "ROLLBOOK_MASTER_KEY_COMMAND: the command ended with exit code 3\n")
