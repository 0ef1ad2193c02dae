"""Accounts whose customers change and who want to hear of it: what the rows about webhooks set up, over the API."""

import asyncio
import base64
import os
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal

import aiohttp

from tests.benchmarks.api import PROFILE, id_of, issue_keys
from tests.benchmarks.figures import Unmeasurable
from tests.benchmarks.processes import rollbook
from tests.benchmarks.receiver import Arrival, Receiver
from tests.benchmarks.servers import Bench

ENDPOINTS_MAX = 16  # of an account in one mode
FIRST_TIMEOUT_S = 10.0
LAST_TIMEOUT_S = 20.0
POLL_S = 0.05
AS_IN_PRODUCTION = "tests.benchmarks.as_in_production"
AT_ONCE = 32  # endpoints being registered
NO_SETTINGS: Mapping[str, str] = {}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass(slots=True)
class Shop:
    """An API with accounts, each with its `share` of `endpoints` registered endpoints, numbered from 0."""

    url: str
    keys: Sequence[str]  # an account each
    endpoints: int
    share: int
    receiver: Receiver
    session: aiohttp.ClientSession
    environment: Mapping[str, str]  # for further processes over the same database
    answered: dict[str, float] = field(default_factory=dict)  # by customer, when its creation was answered

    def endpoints_of(self, account: int) -> range:
        """The endpoints of one account."""
        return range(account * self.share, min((account + 1) * self.share, self.endpoints))

    async def create(self, account: int = 0) -> str:
        """A new customer of an account; gives its id, and notes when it was answered."""
        body = await self._post(account, "/v1/customers", PROFILE)
        at = time.monotonic()
        id = id_of(body)
        self.answered[id] = at
        return id

    async def create_at(self, rate: float, duration_s: float, *, of: Sequence[int] | None = None) -> list[str]:
        """New customers at a steady `rate` a second, whatever the answers take, of accounts in turn: all, or those."""
        accounts = range(len(self.keys)) if of is None else of
        started = time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            made = []
            for number in range(round(rate * duration_s)):
                await asyncio.sleep(max(0.0, started + number / rate - time.monotonic()))
                made.append(tasks.create_task(self.create(accounts[number % len(accounts)])))
        return [task.result() for task in made]

    async def register(self) -> None:
        """Register every endpoint, for everything."""
        pairs = ((account, endpoint) for account in range(len(self.keys)) for endpoint in self.endpoints_of(account))

        async def register_in_turn() -> None:
            for account, endpoint in pairs:
                await self.register_one(account, endpoint)

        async with asyncio.TaskGroup() as tasks:
            for _ in range(AT_ONCE):
                tasks.create_task(register_in_turn())

    async def register_one(self, account: int, endpoint: int, wanted: str = "*") -> None:
        """Register an endpoint, for the types of notices `wanted`."""
        url = self.receiver.url(endpoint)
        await self._post(account, "/v1/webhook_endpoints", f"url={url}&enabled_events[]={wanted}")

    async def first(self) -> None:
        """Create a customer of each account and see their webhooks arrive. Raises Unmeasurable when they do not."""
        await asyncio.gather(*(self.create(account) for account in range(len(self.keys))))
        try:
            await self.arrived(self.endpoints, FIRST_TIMEOUT_S)
        except TimeoutError:
            raise Unmeasurable(
                f"{await self.receiver.count()} of the first {self.endpoints} webhooks arrived in {FIRST_TIMEOUT_S} s"
            ) from None

    async def arrived(self, count: int, timeout_s: float = LAST_TIMEOUT_S) -> None:
        """Return once so many webhooks have arrived. Raises TimeoutError."""
        async with asyncio.timeout(timeout_s):
            while True:
                if await self.receiver.count() >= count:
                    return
                await asyncio.sleep(POLL_S)

    async def heard(self, wanted: set[tuple[str, int]]) -> list[float]:
        """Milliseconds from the API's answer to the arrival, for each of these customers and endpoints.

        Raises TimeoutError when one of them has not arrived some time from now.
        """
        async with asyncio.timeout(LAST_TIMEOUT_S):
            while True:
                arrivals = await self.receiver.arrivals()
                heard = [each for each in arrivals if (each.customer, each.endpoint) in wanted]
                if wanted <= {(each.customer, each.endpoint) for each in heard}:
                    return self.latencies_ms(heard)
                await asyncio.sleep(POLL_S)

    def latencies_ms(self, arrivals: Sequence[Arrival]) -> list[float]:
        """From the API's answer to the first arrival, for each customer and endpoint."""
        first: dict[tuple[str, int], float] = {}
        for arrival in arrivals:
            first.setdefault((arrival.customer, arrival.endpoint), arrival.at)
        return [(at - self.answered[customer]) * 1000 for (customer, _), at in first.items()]

    async def ask(self, method: str, path: str, body: str = "", *, account: int = 0) -> bytes:
        """The answer to a request. Raises RuntimeError when it is anything but a 200."""
        headers = {"Authorization": f"Bearer {self.keys[account]}"} | (FORM if body else {})
        async with self.session.request(method, self.url + path, data=body or None, headers=headers) as response:
            answer = await response.read()
            if response.status != 200:
                raise RuntimeError(f"{path} was answered {response.status}: {answer.decode()}")
            return answer

    async def _post(self, account: int, path: str, body: str) -> bytes:
        return await self.ask("POST", path, body, account=account)


@asynccontextmanager
async def shop(
    bench: Bench,
    receiver: Receiver,
    *,
    role: Literal["api", "serve"],
    endpoints: int,
    share: int = ENDPOINTS_MAX,
    settings: Mapping[str, str] = NO_SETTINGS,
) -> AsyncIterator[Shop]:
    """A `rollbook` process playing `role` over a database of its own, which knows `endpoints` at `receiver`.

    Each account has its `share` of them, which may be more than it could have elsewhere. There is one account at least.
    """
    master_key = base64.b64encode(os.urandom(32)).decode()
    async with bench.database() as dsn:
        environment = {"DATABASE_URL": dsn, "ROLLBOOK_MASTER_KEY": master_key, **settings}
        await bench.set(dsn, "rollbook.endpoints_max", max(share, ENDPOINTS_MAX))
        keys = await issue_keys(dsn, master_key, accounts=max(1, -(-endpoints // share)))
        async with (
            rollbook(role, bench.scratch("shop"), module=AS_IN_PRODUCTION, **environment) as port,
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
        ):
            opened = Shop(f"http://127.0.0.1:{port}", keys, endpoints, share, receiver, session, environment)
            await opened.register()
            yield opened
