"""A process over a database that it must not work with: another master key, migrations missing or unknown."""

import asyncio
import base64
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest
from structlog.testing import capture_logs

from events.errors import DatabaseUnsuitable
from events.migrate import migrate
from service import roles, suitability
from service.commands.keys import DEVELOPMENT_KEY
from service.dev import development_key
from service.wiring import build
from tests.service.serving import MASTER_KEY, Serve, command, environment, settings_for
from tests.waiting import until

OTHER_KEY = base64.b64encode(bytes(32)).decode()
WRONG = "ROLLBOOK_MASTER_KEY is not the one that this database was made with"
NEWER = "INSERT INTO events.migration (name, digest) VALUES ('webhooks/migrations/9999_next.sql', '')"


class Playing:
    """A process's roles, played here, that need not become ready."""

    def __init__(self, port: int, session: aiohttp.ClientSession) -> None:
        self._url = f"http://127.0.0.1:{port}"
        self._session = session

    async def ask(self, method: str, path: str, **form: str) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {DEVELOPMENT_KEY}"}
        async with self._session.request(method, self._url + path, data=form or None, headers=headers) as answer:
            return answer.status, await answer.json()

    async def ready(self) -> tuple[int, str]:
        """What /readyz says, once it answers."""

        async def asked() -> Any:
            with suppress(aiohttp.ClientConnectionError):
                return await self.ask("GET", "/readyz")

        status, said = await until(asked)
        return status, said["dependencies"]["postgres"]


@pytest.fixture
async def play(database: str, tmp_path: Path) -> AsyncIterator[Callable[..., Awaitable[Playing]]]:
    stop = asyncio.Event()
    tasks = []
    async with aiohttp.ClientSession() as session:

        async def start(*names: str, **changed: Any) -> Playing:
            with socket.create_server(("127.0.0.1", 0)) as taken:
                port = taken.getsockname()[1]
            settings = settings_for(tmp_path, port=port, **changed)
            tasks.append(asyncio.create_task(roles.play(settings, database, frozenset(names), stop)))
            return Playing(port, session)

        yield start
        stop.set()
        await asyncio.gather(*tasks)


async def test_a_process_with_another_master_key_writes_nothing(
    serve: Serve, play: Callable[..., Awaitable[Playing]], database: str, capfd: pytest.CaptureFixture[str]
) -> None:
    right = await serve()
    await suitability.prepare(right.core)
    await development_key.ensure(right.core)
    right.key = DEVELOPMENT_KEY
    old = await right.customer("name=Alice")
    wrong = await play("api", "worker", master_key=OTHER_KEY)
    assert await until(lambda: _unlike(wrong, "waiting for migrations")) == (
        503,
        "ROLLBOOK_MASTER_KEY is not the one that this database was made with",
    )
    assert (await wrong.ask("GET", f"/v1/customers/{old['id']}"))[0] == 200
    counted = "SELECT (SELECT position FROM events.head), (SELECT count(*) FROM keys.receipt_day)"
    owner = await asyncpg.connect(database)
    before = await owner.fetchrow(counted)
    assert (await wrong.ask("POST", f"/v1/customers/{old['id']}", name="Bob"))[0] == 503
    assert (await wrong.ask("POST", "/v1/customers", name="New"))[0] == 503
    assert (await wrong.ask("DELETE", f"/v1/customers/{old['id']}"))[0] == 503
    assert await owner.fetchrow(counted) == before
    await owner.close()
    await right.update(old["id"], "name=Carol")
    assert (await right.delete(f"/v1/customers/{old['id']}")).status == 200
    said = capfd.readouterr().out
    assert said.count("ROLLBOOK_MASTER_KEY: this database holds data sealed with the master key") == 1


async def _unlike(playing: Playing, state: str) -> tuple[int, str] | tuple[()]:
    status, said = await playing.ready()
    return (status, said) if said != state else ()


async def test_a_process_with_both_keys_in_either_order_is_ready(
    serve: Serve, play: Callable[..., Awaitable[Playing]]
) -> None:
    right = await serve()
    await suitability.prepare(right.core)
    await right.customer("name=Alice")
    both = await play("api", master_key=f"{OTHER_KEY},{MASTER_KEY}")
    await until(lambda: _ready(both))
    assert (await both.ask("POST", "/v1/customers", name="New"))[0] == 200


async def _ready(playing: Playing) -> bool:
    return (await playing.ready())[0] == 200


async def test_rebuilding_with_another_master_key_is_refused_in_one_line(
    serve: Serve, database: str, tmp_path: Path
) -> None:
    right = await serve()
    await suitability.prepare(right.core)
    await right.customer("name=Alice")
    child = await asyncio.create_subprocess_exec(
        *command("rebuild", "customers", "--yes"),
        env=environment(database, tmp_path, ROLLBOOK_MASTER_KEY=OTHER_KEY),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await child.communicate()
    assert child.returncode == 1
    assert said.decode().startswith("ROLLBOOK_MASTER_KEY: this database holds data sealed with the master key")
    assert len(said.decode().splitlines()) == 1


PRODUCTION = {"env": "production", "database_url": "postgresql://unused"}


@pytest.mark.parametrize(
    ("statement", "state"),
    [
        ("DELETE FROM events.migration WHERE name LIKE 'projections/migrations/%'", "not migrated"),
        (NEWER, "migrated by a newer version"),
        ("UPDATE events.migration SET digest = '' WHERE name LIKE '%/0001_log.sql'", "a migration was edited"),
        ("REVOKE ALL ON SCHEMA events FROM rollbook_service", "not migrated"),
    ],
)
async def test_readiness_knows_the_migrations(
    play: Callable[..., Awaitable[Playing]], database: str, statement: str, state: str
) -> None:
    running = await play("api", **PRODUCTION)
    await until(lambda: _ready(running))
    owner = await asyncpg.connect(database)
    await owner.execute(statement)
    await owner.close()
    assert await until(lambda: _unlike(running, "ok")) == (503, state)
    starting = await play("api", **PRODUCTION)
    assert await until(lambda: _unlike(starting, "waiting for migrations")) == (503, state)


async def test_in_production_an_empty_database_is_waited_for_with_what_to_do(
    empty_database: str, tmp_path: Path
) -> None:
    settings = settings_for(tmp_path, **PRODUCTION)
    owner = await asyncpg.connect(empty_database)
    await owner.execute("DO $$ BEGIN CREATE ROLE rollbook_service; EXCEPTION WHEN duplicate_object THEN END $$")
    await owner.close()
    core = await build(settings, empty_database)
    with pytest.raises(DatabaseUnsuitable, match="run `rollbook migrate`"):
        await suitability.prepare(core)
    await migrate(empty_database)
    await suitability.prepare(core)
    await core.close()


async def test_requests_to_a_database_that_is_not_migrated_are_answered_503(
    empty_database: str, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    stop = asyncio.Event()
    with capture_logs() as logs:
        settings = settings_for(tmp_path, port=port, **PRODUCTION)
        playing = asyncio.create_task(roles.play(settings, empty_database, frozenset({"api"}), stop))
        await until(lambda: any(line["event"] == "database.unavailable" for line in logs))
        async with aiohttp.ClientSession(headers={"Authorization": "Bearer sk_test_x"}) as session:
            for method, path in (("GET", "/v1/customers"), ("POST", "/v1/customers"), ("GET", "/v1/customers/cus_1")):
                async with session.request(method, f"http://127.0.0.1:{port}{path}") as answer:
                    error = (await answer.json())["error"]
                    assert (answer.status, error["type"]) == (503, "api_error"), (method, path)
                    assert answer.headers["Retry-After"]
        stop.set()
        await playing
    (said,) = [line for line in logs if line["log_level"] not in ("debug", "info")]
    assert (said["event"], "rollbook migrate" in said["error"]) == ("database.unavailable", True)


async def test_a_process_that_started_with_the_functions_of_an_older_version_is_not_ready(
    database: str, tmp_path: Path
) -> None:
    """A running one stays so: the next release's functions are put under it."""
    owner = await asyncpg.connect(database)
    core = await build(settings_for(tmp_path, **PRODUCTION), database)
    await suitability.prepare(core)
    await owner.execute("UPDATE events.migration SET digest = '' WHERE name LIKE '%/append.sql'")
    await suitability.Migrations(core.pool, core.master_keys).check()
    with pytest.raises(DatabaseUnsuitable, match=r"append\.sql.*run `rollbook migrate`"):
        await suitability.prepare(core)
    await core.close()
    await owner.close()
