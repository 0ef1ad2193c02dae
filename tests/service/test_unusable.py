"""A database or data directory that cannot be used: one line that says what is wrong with what, and the exit code."""

import asyncio
import re
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from events import database as _database
from events.outage import DatabaseUnavailable, Kind
from service.cli import main
from tests.service.serving import command, environment
from tests.waiting import until

NOWHERE = "postgresql://app:hunter2@127.0.0.1:1/shop"
HOW_TO = "Set it to a directory that this user may write to."


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Callable[..., tuple[int, str]]:
    """Runs a command in this process; gives its exit code and what it said."""
    monkeypatch.setattr("service.logging.configure", lambda **_: None)

    def command(words: str, **seen: str) -> tuple[int, str]:
        for name, value in environment("", tmp_path, **seen).items():
            if value:
                monkeypatch.setenv(name, value)
            else:
                monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr("sys.argv", ["rollbook", *words.split()])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr().err
        assert said.count("\n") == 1, said
        assert "hunter2" not in said
        code = ended.value.code
        assert isinstance(code, int)
        return code, said

    return command


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("hunter2", "is not a URL like postgresql://role:password@host:5432/database"),
        ("mysql://root:hunter2@h/d", "begins with mysql://, and has to begin with postgresql://"),
        ("postgresql://app:hunter2/x@h/d", "has a port that is not a number from 1 to 65535; @ / ? # and : in the"),
    ],
)
@pytest.mark.parametrize("command", ["serve", "migrate", "keys list"])
def test_a_url_that_can_never_work(run: Callable[..., tuple[int, str]], command: str, url: str, expected: str) -> None:
    code, said = run(command, DATABASE_URL=url)
    assert (code, said.partition(expected)[0]) == (2, "DATABASE_URL: ")


def test_a_data_directory_that_is_none(run: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    message = f"ROLLBOOK_DATA_DIR: {file} is a file, not a directory. {HOW_TO}\n"
    assert run("serve", ROLLBOOK_DATA_DIR=str(file)) == (2, message)
    message = f"ROLLBOOK_DATA_DIR: /proc/x cannot be made: No such file or directory. {HOW_TO}\n"
    assert run("serve", ROLLBOOK_DATA_DIR="/proc/x") == (2, message)


def test_a_master_key_file_without_a_key(run: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    (tmp_path / "master.key").write_text("hunter2")
    code, said = run("serve", ROLLBOOK_MASTER_KEY="", DATABASE_URL=NOWHERE)
    assert (code, said.partition(": ")[0]) == (2, str(tmp_path / "master.key"))


@pytest.mark.parametrize("variable", ["ROLLBOOK_PORT", "ROLLBOOK_OPERATIONS_PORT"])
def test_a_port_that_is_taken_ends_it_before_a_database_is_made(
    run: Callable[..., tuple[int, str]], tmp_path: Path, variable: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, said = run("serve", DATABASE_URL="", ROLLBOOK_DATA_DIR=str(tmp_path / "data"), **{variable: str(port)})
    assert code == 2
    assert said == f"cannot listen on 127.0.0.1 port {port}: Address already in use; {variable} names another port\n"
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("command", ["serve", "api", "relay", "worker", "migrate", "keys list", "subscribers list"])
def test_a_file_of_tls_to_the_database_that_is_missing(run: Callable[..., tuple[int, str]], command: str) -> None:
    url = f"{NOWHERE}?sslmode=verify-full&sslrootcert=/missing.pem"
    code, said = run(command, DATABASE_URL=url, AMQP_URL="amqp://me:hunter2@127.0.0.1:1/")
    assert (code, said.startswith("DATABASE_URL")) == (2, True)
    assert "sslrootcert: /missing.pem cannot be read: No such file or directory" in said


@pytest.mark.parametrize(
    "command",
    [
        "serve",
        "relay",
        "worker",
        "subscribers list",
        "subscribers add x --types *",
        "subscribers remove x --yes",
        "subscribers replay x --from 0",
    ],
)
def test_a_file_of_tls_to_the_broker_that_is_missing(run: Callable[..., tuple[int, str]], command: str) -> None:
    code, said = run(command, DATABASE_URL=NOWHERE, AMQP_URL="amqps://me:hunter2@127.0.0.1:1/?cafile=/missing.pem")
    assert (code, said) == (2, "AMQP_URL: cafile: /missing.pem cannot be read: No such file or directory\n")


@pytest.mark.parametrize("command", ["migrate", "keys list"])
def test_a_server_that_is_not_there(run: Callable[..., tuple[int, str]], command: str) -> None:
    message = (
        'PostgreSQL at 127.0.0.1 port 1 (database "shop", role "app") cannot be reached: Connection refused. '
        "Is the server running, and is DATABASE_URL right?\n"
    )
    assert run(command, DATABASE_URL=NOWHERE) == (1, message)


@pytest.mark.parametrize(
    ("part", "code", "expected"),
    [
        ({"path": "/nosuch"}, 1, 'database "nosuch" does not exist. Create it, or name another one in DATABASE_URL.'),
        ({"query": "schema=public"}, 2, 'refuses a parameter of DATABASE_URL: unrecognized configuration parameter "s'),
    ],
)
def test_a_server_that_refuses(
    run: Callable[..., tuple[int, str]], postgres_dsn: str, part: dict[str, str], code: int, expected: str
) -> None:
    url = urlsplit(postgres_dsn)
    if "query" in part:
        part = {"query": "&".join(filter(None, (url.query, part["query"])))}
    ended, said = run("migrate", DATABASE_URL=url._replace(**part).geturl())
    assert ended == code
    assert expected in said


async def test_a_database_that_is_away_is_said_once_and_waiting_ends_well(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *command("serve"),
        env=environment(NOWHERE, tmp_path),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    said = b""
    while b"database.unavailable" not in said:
        said += await process.stdout.readline()
    await asyncio.sleep(1.2)  # time for two more tries
    process.send_signal(signal.SIGINT)
    said += await process.stdout.read()
    assert await process.wait() == 0, said
    assert len(re.findall(rb"\[warning|\[error|Traceback", said)) == 1, said


async def test_a_server_that_is_too_old_is_refused(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("events.database.VERSION_MIN", 99)
    with pytest.raises(DatabaseUnavailable, match=r"is version \d\d$") as refused:
        await _database.connect(database, application="test")
    assert refused.value.kind is Kind.TOO_OLD
    assert refused.value.hopeless


async def test_a_pool_connects_again_after_a_change_of_server(database: str) -> None:
    pool = await _database.create_pool(database, application="test", size_max=1)
    before = await pool.fetchval("SELECT pg_backend_pid()")
    assert await pool.fetchval("SELECT pg_backend_pid()") == before
    pool.availability.generation += 1
    assert await pool.fetchval("SELECT pg_backend_pid()") != before
    await pool.close()


@pytest.mark.parametrize("read_only", [False, True])
async def test_a_connection_to_another_primary_replaces_every_other_before_its_next_use(
    database: str, monkeypatch: pytest.MonkeyPatch, read_only: bool
) -> None:
    pool = await _database.create_pool(database, application="test", size_max=1)
    before = await pool.fetchval("SELECT pg_backend_pid()")
    reads = _database.DedicatedConnection(database, application="test")
    [row] = await reads.fetch("SELECT pg_backend_pid() AS pid")
    monkeypatch.setattr("events.availability.SERVER", f"SELECT 'another' AS server, {read_only} AS read_only")
    writes = await _database.connect(database, application="test")
    monkeypatch.undo()
    assert (await pool.fetchval("SELECT pg_backend_pid()") == before) == read_only
    assert (await reads.fetch("SELECT pg_backend_pid() AS pid") == [row]) == read_only
    await asyncio.gather(pool.close(), reads.close(), writes.close())


async def test_a_statement_that_nobody_waits_for_gives_its_connection_back(database: str) -> None:
    pool = await _database.create_pool(database, application="test", size_max=1)
    sleeping = asyncio.create_task(pool.fetch("SELECT pg_sleep(60)"))

    other = await asyncpg.connect(database)

    async def asleep() -> bool:
        others = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()"
        return bool(await other.fetchval(others))

    await until(asleep)
    sleeping.cancel()
    await asyncio.wait([sleeping])
    assert await pool.fetchval("SELECT 1") == 1
    await pool.close()
    await other.close()
