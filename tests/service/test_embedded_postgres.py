"""The embedded PostgreSQL keeps its data and its promises, whatever is killed."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import asyncpg
import psutil
import pytest

from service.dev.cluster import PostgresFailed
from service.dev.postgres import EmbeddedPostgres
from tests.waiting import until

USE_IT = """
import signal
import sys
from pathlib import Path
from service.dev.postgres import EmbeddedPostgres

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has what it runs in the background ignore it
postgres = EmbeddedPostgres()
print(postgres.start(Path(sys.argv[1])), flush=True)
try:
    sys.stdin.read()
except KeyboardInterrupt:
    sys.exit(130)
postgres.stop()
"""


@pytest.fixture
def data_dir(server_dir: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A directory for one test's cluster; whatever server is left over it is killed."""
    directory = server_dir / request.node.name[:60]
    yield directory
    for process in _servers(directory):
        process.kill()


@asynccontextmanager
async def connected(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(dsn)
    try:
        yield connection
    finally:
        await connection.close()


@contextmanager
def another_process(data_dir: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that starts the server over `data_dir`, in a group of its own, and uses it until it hears EOF."""
    process = subprocess.Popen(
        [sys.executable, "-c", USE_IT, data_dir],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        process_group=0,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def dsn_of(process: subprocess.Popen[str]) -> str:
    """The DSN the other process was given, once its server is ready."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


async def test_data_outlive_a_stop(data_dir: Path) -> None:
    postgres = EmbeddedPostgres()
    async with connected(postgres.start(data_dir)) as connection:
        await connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    postgres.stop()
    assert not _servers(data_dir)

    async with connected(postgres.start(data_dir)) as connection:
        assert await connection.fetchval("SELECT answer FROM kept") == 42
    postgres.stop()


async def test_commits_are_durable_and_errors_quote_no_rows(data_dir: Path) -> None:
    postgres = EmbeddedPostgres()
    async with connected(postgres.start(data_dir)) as connection:
        settings = ("fsync", "full_page_writes", "synchronous_commit", "log_error_verbosity", "listen_addresses")
        assert [await connection.fetchval("SELECT current_setting($1)", name) for name in settings] == [
            *("on", "on", "on", "terse", "")
        ]
        assert await connection.fetchval("SELECT current_setting('server_version_num')::int / 10000") == 18
    postgres.stop()


async def test_nobody_else_may_enter_the_data(data_dir: Path) -> None:
    postgres = EmbeddedPostgres()
    postgres.start(data_dir)
    assert (data_dir / "postgres").stat().st_mode & 0o077 == 0
    postgres.stop()


async def test_a_killed_process_leaves_a_server_that_the_next_takes_up(data_dir: Path) -> None:
    with another_process(data_dir) as first:
        async with connected(dsn_of(first)) as connection:
            await connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        first.kill()
        first.wait()
    (left_running,) = _servers(data_dir)

    postgres = EmbeddedPostgres()
    async with connected(postgres.start(data_dir)) as connection:
        assert await connection.fetchval("SELECT answer FROM kept") == 42
    assert _servers(data_dir) == [left_running]

    postgres.stop()
    assert not _servers(data_dir)


@pytest.mark.faults
async def test_a_killed_server_recovers_what_was_committed(data_dir: Path) -> None:
    with another_process(data_dir) as first:
        left_alone = await asyncpg.connect(dsn_of(first))
        await left_alone.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        (server,) = _servers(data_dir)
        backend = psutil.Process(left_alone.get_server_pid())
        backend.suspend()  # it is still there, and cannot notice
        server.kill()
        first.kill()

    postgres = EmbeddedPostgres()
    starting = asyncio.create_task(asyncio.to_thread(postgres.start, data_dir))
    await asyncio.wait([starting], timeout=0.2)
    assert not starting.done(), "what a killed server left is no server"
    backend.resume()
    async with connected(await starting) as connection:
        assert await connection.fetchval("SELECT answer FROM kept") == 42
    postgres.stop()
    left_alone.terminate()


@pytest.mark.faults
@pytest.mark.parametrize("moment", ["postgres.starting.lock", "postgres.new", "postgres.new/PG_VERSION", "postgres"])
async def test_a_first_start_may_be_killed_at_any_moment(data_dir: Path, moment: str) -> None:
    with another_process(data_dir) as first:
        await until((data_dir / moment).exists)
        os.killpg(first.pid, signal.SIGKILL)

    postgres = EmbeddedPostgres()
    async with connected(postgres.start(data_dir)) as connection:
        assert await connection.fetchval("SELECT 42") == 42
    postgres.stop()


async def test_a_pid_that_is_another_programs_by_now_is_no_server(data_dir: Path) -> None:
    postgres = EmbeddedPostgres()
    postgres.start(data_dir)
    pid_file = data_dir / "postgres" / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    postgres.stop()
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")

    async with connected(postgres.start(data_dir)) as connection:
        assert await connection.fetchval("SELECT 42") == 42
    postgres.stop()


async def test_processes_share_a_server_and_the_last_to_stop_stops_it(data_dir: Path) -> None:
    with another_process(data_dir) as first, another_process(data_dir) as second:
        assert dsn_of(first) == dsn_of(second)
        (shared,) = _servers(data_dir)

        first.communicate()
        assert _servers(data_dir) == [shared]

        second.communicate()
        assert not _servers(data_dir)


async def test_an_interrupt_from_the_terminal_does_not_reach_the_server(data_dir: Path) -> None:
    with another_process(data_dir) as first:
        async with connected(dsn_of(first)) as connection:
            os.killpg(first.pid, signal.SIGINT)
            assert first.wait() == 130
            assert await connection.fetchval("SELECT 42") == 42

    postgres = EmbeddedPostgres()
    postgres.start(data_dir)
    postgres.stop()
    assert not _servers(data_dir)


@pytest.mark.parametrize("name", ['with spaces, a comma and $(dollars) \'n "quotes"', "x" * 120, "ünïcödé"])
async def test_any_path_will_do(data_dir: Path, name: str) -> None:
    postgres = EmbeddedPostgres()
    async with connected(postgres.start(data_dir / name)) as connection:
        assert await connection.fetchval("SELECT 42") == 42
    postgres.stop()


async def test_the_machines_locale_does_not_matter(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "xx_XX.UTF-8")
    monkeypatch.setenv("LANG", "xx_XX.UTF-8")
    monkeypatch.setenv("PGPORT", "1")
    postgres = EmbeddedPostgres()
    async with connected(postgres.start(data_dir)) as connection:
        letters = "SELECT string_agg(letter, '' ORDER BY letter) FROM unnest(ARRAY['ä', 'b', 'B', 'a']) letter"
        assert await connection.fetchval(letters) == "Babä"
    postgres.stop()


async def test_a_server_that_cannot_start_says_why(data_dir: Path) -> None:
    postgres = EmbeddedPostgres()
    postgres.start(data_dir)
    postgres.stop()
    (data_dir / "postgres" / "PG_VERSION").write_text("12\n")
    with pytest.raises(PostgresFailed, match="database files are incompatible with server"):
        postgres.start(data_dir)


def _servers(data_dir: Path) -> list[psutil.Process]:
    """The postmasters over the data directory: those of its processes whose parent is not one."""
    found = {}
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.name() == "postgres" and Path(process.cwd()).is_relative_to(data_dir / "postgres"):
                found[process.pid] = process
    return [process for process in found.values() if process.ppid() not in found]
