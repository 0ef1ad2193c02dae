"""The real application on a free port, in this process or in one of its own, and a client to call it with."""

import asyncio
import base64
import io
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from events.api_key import KeyType
from events.clock import Clock
from service import roles, wiring
from service.health import Health
from service.roles import delivery
from service.settings import Settings
from service.wiring import Core
from tests import api_keys
from tests.service import described

MASTER_KEY = base64.b64encode(bytes(range(32))).decode()
ACCOUNT = "acct_tests"


@dataclass(frozen=True, slots=True)
class Answer:
    """A response, read whole."""

    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)

    @property
    def error(self) -> Any:
        return self.json["error"]


@dataclass(slots=True)
class Api:
    """A running application, and a client that calls it with a secret test key unless given another."""

    core: Core
    port: int
    key: str
    session: aiohttp.ClientSession

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def ask(
        self,
        method: str,
        path: str,
        body: str | bytes | aiohttp.FormData | None = None,
        *,
        key: str | None = None,
        **headers: str,
    ) -> Answer:
        """Send a request, as a form unless a type is given; underscores in the names of `headers` stand for hyphens.

        The answer must be as the API describes it.
        """
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        sent.setdefault("Authorization", f"Bearer {key or self.key}")
        if isinstance(body, str):
            body = body.encode()
        if isinstance(body, bytes):
            sent.setdefault("Content-Type", "application/x-www-form-urlencoded")
        url = self.url + path
        data = io.BytesIO(body) if isinstance(body, bytes) else body
        async with self.session.request(method, url, data=data, headers=sent, allow_redirects=False) as response:
            answer = Answer(response.status, response.headers, await response.read())
        described.check(method, path, answer.status, answer.headers.get("Stripe-Version"), answer.body)
        return answer

    async def get(self, path: str, **headers: Any) -> Answer:
        return await self.ask("GET", path, **headers)

    async def post(self, path: str, body: str | bytes | aiohttp.FormData = "", **headers: Any) -> Answer:
        return await self.ask("POST", path, body, **headers)

    async def delete(self, path: str, **headers: Any) -> Answer:
        return await self.ask("DELETE", path, **headers)

    async def customer(self, body: str = "", **headers: Any) -> Any:
        """A new customer, as the API shows it."""
        answer = await self.post("/v1/customers", body, **headers)
        assert answer.status == 200, answer.body
        return answer.json

    async def update(self, id: str, body: str, **headers: Any) -> Any:
        """A customer just changed, as the API shows it."""
        answer = await self.post(f"/v1/customers/{id}", body, **headers)
        assert answer.status == 200, answer.body
        return answer.json

    async def events(self, *types: str) -> list[Any]:
        """The last hundred events of these types, or of all, oldest first."""
        query = (
            "".join(f"&types[]={type}" for type in types) if len(types) > 1 else f"&type={types[0]}" if types else ""
        )
        shown = await self.get(f"/v1/events?limit=100{query}")
        assert shown.status == 200, shown.body
        return list(reversed(shown.json["data"]))

    async def issue(
        self,
        *,
        account: str = ACCOUNT,
        livemode: bool = False,
        key_type: KeyType = "secret",
        permissions: tuple[str, ...] = (),
    ) -> str:
        """A new API key."""
        _, key = await api_keys.issue(
            self.core, account=account, livemode=livemode, key_type=key_type, permissions=permissions
        )
        return key

    async def refused(
        self, method: str, path: str, body: str = "", *, status: int = 400, **headers: Any
    ) -> tuple[str | None, str | None, str]:
        """The code, param and message of a request that must be refused with `status`."""
        answer = await self.ask(method, path, body or None, **headers)
        assert answer.status == status, answer.body
        error = answer.error
        return error.get("code"), error.get("param"), error["message"]


def settings_for(directory: Path, **changed: Any) -> Settings:
    """Settings of a server of the tests' own, on a free port."""
    return Settings(**{"port": 0, "data_dir": directory, "master_key": MASTER_KEY, "drain_s": 0, **changed})


@asynccontextmanager
async def serving(settings: Settings, dsn: str, clock: Clock | None = None) -> AsyncIterator[Api]:
    """The application, serving the API from this process, by the machine's clock unless another is given."""
    core = await wiring.build(settings, dsn)
    if clock is not None:
        core = replace(core, clock=clock)
    runner = await roles.serve_http(core, Health(core, prepared=True), api=True)
    connector = aiohttp.TCPConnector(limit=0)
    try:
        async with aiohttp.ClientSession(connector=connector) as session:
            yield Api(core, runner.addresses[0][1], "", session)
    finally:
        await runner.cleanup()
        await core.close()


@dataclass(slots=True)
class Process:
    """`rollbook` in a process of its own."""

    process: asyncio.subprocess.Process
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def kill9(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()


def environment(database: str, directory: Path, **more: str) -> dict[str, str]:
    """What a `rollbook` of the tests' own sees of the environment."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ROLLBOOK_", "AMQP_URL"))}
    return {
        **kept,
        "DATABASE_URL": database,
        "ROLLBOOK_MASTER_KEY": MASTER_KEY,
        "ROLLBOOK_DATA_DIR": str(directory),
        "ROLLBOOK_PORT": "0",
        "PYTHONUNBUFFERED": "1",
        "COLUMNS": "200",
        **more,
    }


def command(*words: str) -> list[str]:
    """The `rollbook` command line."""
    return [sys.executable, "-m", "service.cli", *words]


Serve = Callable[..., Awaitable[Api]]
Launch = Callable[..., Awaitable[Process]]


@asynccontextmanager
async def working(api: Api) -> AsyncIterator[None]:
    """A worker over the same database."""
    stop = asyncio.Event()
    task = asyncio.create_task(delivery.worker(api.core, Health(api.core, prepared=True), stop))
    try:
        yield
    finally:
        stop.set()
        await task
