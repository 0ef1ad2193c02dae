"""A Rollbook API to measure: in a process of its own, as in production, and what a caller needs to know of it."""

import asyncio
import base64
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlencode

import aiohttp
import orjson
from pydantic import SecretStr

from service.commands import keys
from service.settings import Settings
from service.wiring import build
from tests import api_keys
from tests.benchmarks.load import request
from tests.benchmarks.processes import rollbook
from tests.benchmarks.servers import Bench

PROFILE = urlencode(
    {
        "name": "Jenny Rosen",
        "email": "jenny.rosen@example.com",
        "phone": "+15555550123",
        "description": "Bought a bicycle, a bell and a pump",
        "metadata[order_id]": "6735",
    }
)


@dataclass(frozen=True, slots=True)
class Api:
    """An API that serves, and a key it takes."""

    port: int
    key: str

    def create(self) -> str:
        """A request that creates a customer, with an idempotency key of its own each time."""
        return request("POST", "/v1/customers", self._headers() | {"Idempotency-Key": "{key}"}, PROFILE)

    def get(self, path: str) -> str:
        """A request that reads what is at `path`."""
        return request("GET", path, self._headers())

    async def created(self) -> bytes:
        """A new customer, as it was answered."""
        async with (
            aiohttp.ClientSession(headers=self._headers()) as session,
            session.post(
                f"http://127.0.0.1:{self.port}/v1/customers",
                data=PROFILE,
                headers={"Content-Type": "application/x-www-form-urlencoded"},
            ) as response,
        ):
            response.raise_for_status()
            return await response.read()

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}


@asynccontextmanager
async def production_api(bench: Bench, dsn: str) -> AsyncIterator[Api]:
    """`rollbook api` with ROLLBOOK_ENV=production over a migrated database, logging every request to a file."""
    async with production_apis(bench, dsn, accounts=1) as (api,):
        yield api


@asynccontextmanager
async def production_apis(bench: Bench, dsn: str, *, accounts: int) -> AsyncIterator[Sequence[Api]]:
    """The same, once for each of so many accounts."""
    master_key = base64.b64encode(os.urandom(32)).decode()
    issued = await issue_keys(dsn, master_key, accounts=accounts)
    async with rollbook(
        "api",
        bench.scratch("api"),
        ROLLBOOK_ENV="production",
        DATABASE_URL=dsn,
        ROLLBOOK_MASTER_KEY=master_key,
    ) as port:
        yield [Api(port, key) for key in issued]


async def issue_keys(dsn: str, master_key: str, *, accounts: int) -> Sequence[str]:
    """A test mode key for each of so many new accounts."""
    core = await build(Settings(master_key=SecretStr(master_key)), dsn)
    try:
        issuing = (api_keys.issue(core, account=keys.new_account()) for _ in range(accounts))
        return [key for _, key in await asyncio.gather(*issuing)]
    finally:
        await core.close()


def id_of(body: bytes) -> str:
    """The id of an object as the API sends it."""
    id: str = orjson.loads(body)["id"]
    return id
