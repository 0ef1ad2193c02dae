"""The database refuses, changes or fills up under running processes: each says so once, and recovers by itself."""

import asyncio
import os
import secrets
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import asyncpg
import pytest

from tests.faults.role_processes import RoleProcesses, listeners
from tests.servers.postgres import QUICK, PrivatePostgres
from tests.servers.receiver import Receiver
from tests.waiting import until

pytestmark = [pytest.mark.faults, pytest.mark.rabbitmq, pytest.mark.timeout(180)]

SMALL_MB = 96
TERMINATE = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'"


class ProcessesOverPostgres(RoleProcesses):
    """The processes with the server beneath it."""

    owner_dsn: str
    small: Path | None  # where the database's files are, when they are on a small disk of their own


@pytest.fixture(scope="module")
def processes(
    server_dir: Path, amqp_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ProcessesOverPostgres]:
    postgres = PrivatePostgres(server_dir / "changes", settings=QUICK)
    postgres_dsn = postgres.start()
    small = _small_disk(server_dir / "small")
    try:
        dsn = asyncio.run(_shop(postgres_dsn, small))
        made = ProcessesOverPostgres(dsn, amqp_url, tmp_path_factory.mktemp("changes"))
        made.owner_dsn, made.small = postgres_dsn, small
        made.start()
        try:
            asyncio.run(made.all_say(200, "ok", 60))
            yield made
            made.stop()
        finally:
            made.kill()
            asyncio.run(made.forget_broker())
    finally:
        postgres.stop()
        if small is not None:
            subprocess.run(["umount", small], check=True)


def _small_disk(at: Path) -> Path | None:
    """A file system of its own, for root to mount; None for everybody else."""
    at.mkdir()
    if (
        os.geteuid() != 0
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={SMALL_MB}m,mode=777", "tmpfs", at], check=False, capture_output=True
        ).returncode
    ):
        return None
    return at


async def _shop(dsn: str, small: Path | None) -> str:
    """A database of a role that logs in by password and is no superuser."""
    owner = await asyncpg.connect(dsn)
    await owner.execute("CREATE ROLE rollbook_service NOLOGIN")
    await owner.execute("CREATE ROLE app LOGIN PASSWORD 'first'")
    await owner.execute("GRANT rollbook_service TO app")
    tablespace = ""
    if small is not None:
        directory = small / "tablespace"
        directory.mkdir(mode=0o700)
        data = os.stat(await owner.fetchval("SHOW data_directory"))
        os.chown(directory, data.st_uid, data.st_gid)
        await owner.execute(f"CREATE TABLESPACE small LOCATION '{directory}'")
        tablespace = "TABLESPACE small"
    await owner.execute(f"CREATE DATABASE shop OWNER app {tablespace}")
    _prepend(await owner.fetchval("SHOW hba_file"), "local shop app scram-sha-256\n")
    await owner.execute("SELECT pg_reload_conf()")
    socket_dir = await owner.fetchval("SHOW unix_socket_directories")
    await owner.close()
    return f"postgresql://app:first@/shop?host={quote(socket_dir)}&port=5432"


def _prepend(file: str, line: str) -> None:
    rules = Path(file)
    rules.write_text(line + rules.read_text())


def _fill(disk: Path) -> Path:
    """A file that takes all the space there is left."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    return ballast


@asynccontextmanager
async def working(processes: ProcessesOverPostgres, receiver: Receiver) -> AsyncIterator[asyncpg.Connection]:
    """Everything works before and after; gives the owner's connection."""
    path = f"/{secrets.token_hex(4)}"
    owner = await asyncpg.connect(processes.owner_dsn)
    try:
        endpoint = await processes.post("/v1/webhook_endpoints", f"url={receiver.url(path)}&enabled_events[]=*")
        await processes.works(receiver, path)
        before = await listeners(owner)
        assert sum(before.values()) >= 3
        yield owner
        await processes.all_say(200, "ok")
        await processes.works(receiver, path)

        async def all_listen() -> bool:
            return await listeners(owner) == before

        await until(all_listen, 30)
        await processes.ask("DELETE", f"/v1/webhook_endpoints/{endpoint['id']}")
    finally:
        await owner.close()


CHANGES = {
    "password": (
        "ALTER ROLE app PASSWORD 'other'",
        "ALTER ROLE app PASSWORD 'first'",
        "PostgreSQL refuses the login",
        'refuses the login: password authentication failed for user "app"',
    ),
    "no login": (
        "ALTER ROLE app NOLOGIN",
        "ALTER ROLE app LOGIN",
        "PostgreSQL refuses the login",
        'refuses the login: role "app" is not permitted to log in',
    ),
    "role": (
        "REVOKE rollbook_service FROM app",
        "GRANT rollbook_service TO app",
        "PostgreSQL denies a permission",
        'As its administrator run: GRANT rollbook_service TO "app"',
    ),
    "no connections": (
        "ALTER ROLE app CONNECTION LIMIT 0",
        "ALTER ROLE app CONNECTION LIMIT -1",
        "PostgreSQL has no connection left",
        'too many connections for role "app"',
    ),
    "read-only": (
        "ALTER DATABASE shop SET default_transaction_read_only = on",
        "ALTER DATABASE shop RESET default_transaction_read_only",
        "PostgreSQL is read-only",
        "is read-only",
    ),
    "renamed": (
        "ALTER DATABASE shop RENAME TO closed",
        "ALTER DATABASE closed RENAME TO shop",
        "the database does not exist",
        'database "shop" does not exist',
    ),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_every_role_says_what_changed_and_recovers_without_a_restart(
    processes: ProcessesOverPostgres, receiver: Receiver, change: str
) -> None:
    break_it, mend_it, state, logged = CHANGES[change]
    async with working(processes, receiver) as owner:
        said = {role: processes.said(role, "database.unavailable") for role in processes.roles}
        if change == "renamed":
            await owner.execute("ALTER DATABASE shop ALLOW_CONNECTIONS false")
            await owner.execute(TERMINATE)
            await _alone(owner)
        await owner.execute(break_it)
        await owner.execute(TERMINATE)
        await processes.all_say(503, state)
        key = secrets.token_hex(8)
        assert (await processes.ask("POST", "/v1/customers", "name=Later", key))[0] == 503
        await owner.execute(mend_it)
        if change == "renamed":
            await owner.execute("ALTER DATABASE shop ALLOW_CONNECTIONS true")
        await processes.all_say(200, "ok")
        status, headers, _ = await processes.ask("POST", "/v1/customers", "name=Later", key)
        assert (status, headers.get("Idempotent-Replayed")) == (200, None), "nothing was kept under the key"
    for role in processes.roles:
        assert logged in processes.log(role).read_text()
        assert processes.said(role, "database.unavailable") - said[role] <= 3, "said once, however long"
        assert processes.log(role).read_text().count("first@") == 0


async def _alone(owner: asyncpg.Connection) -> None:
    async def gone() -> bool:
        return await owner.fetchval("SELECT count(*) = 0 FROM pg_stat_activity WHERE usename = 'app'") is True

    await until(gone)


async def test_a_full_disk_is_503_and_over_when_there_is_space_again(
    processes: ProcessesOverPostgres, receiver: Receiver
) -> None:
    if processes.small is None:
        pytest.skip("only root can mount a disk to fill")
    async with working(processes, receiver):
        ballast = _fill(processes.small)
        key, answers = secrets.token_hex(8), list[int]()
        body = f"description={'x' * 4000}"

        async def refused() -> bool:
            answers.append((await processes.ask("POST", "/v1/customers", body, secrets.token_hex(8)))[0])
            return answers[-1] != 200

        await until(refused, 30)
        await processes.ask("POST", "/v1/customers", body, key)

        async def ready_says_so() -> bool:
            return (await processes.states())["api"] == (503, "PostgreSQL's disk is full")

        await until(ready_says_so)
        answers += [(await processes.ask("POST", "/v1/customers", body, key))[0] for _ in range(5)]
        assert set(answers) <= {200, 503}, "never 500"
        assert (await processes.ask("GET", "/v1/customers"))[0] == 200
        ballast.unlink()
        await processes.all_say(200, "ok")
        status, headers, _ = await processes.ask("POST", "/v1/customers", body, key)
        assert (status, headers.get("Idempotent-Replayed")) == (200, None)
    assert processes.said("api", "could not extend file") <= 6
    assert "request.failed" not in processes.log("api").read_text()
