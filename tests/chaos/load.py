"""A steady load of callers who try again until they are answered, and what was acknowledged to them."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field

import aiohttp

from tests.chaos.latency import Timed
from tests.faults.deployment import Deployment

CALLERS = 32  # they ask all at once, and then pause together
TRY_S = 10.0  # that a caller waits for an answer, before it asks again
CHANGES = 2  # of each customer, each a request of its own


@dataclass
class Load:
    """Customers created and changed, `rate` requests a second as long as they are answered."""

    deployment: Deployment
    rate: float
    created: list[str] = field(default_factory=list)
    changed: Counter[str] = field(default_factory=Counter)
    timed: list[Timed] = field(default_factory=list)  # each request, retries and all
    created_at: dict[str, float] = field(default_factory=dict)  # when a customer was acknowledged, by id

    async def run(self, stop: asyncio.Event) -> None:
        """Call until `stop` is set; what was asked by then is asked until it is answered."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TRY_S)) as session:
            await asyncio.gather(*(self._call(session, stop) for _ in range(CALLERS)))

    async def _call(self, session: aiohttp.ClientSession, stop: asyncio.Event) -> None:
        while not stop.is_set():
            made, answered_at = await self._post(session, "/v1/customers", "name=Chaos")
            self.created.append(made)
            self.created_at[made] = answered_at
            for change in range(CHANGES):
                await self._post(session, f"/v1/customers/{made}", f"metadata[change]={change}")
                self.changed[made] += 1

    async def _post(self, session: aiohttp.ClientSession, path: str, body: str) -> tuple[str, float]:
        """The id of the customer that a request was about, and when it was answered; returns when the next is due."""
        now = asyncio.get_running_loop().time
        next_at = now() + CALLERS / self.rate
        began = time.monotonic()
        customer = await self.deployment.post(session, path, body)
        answered_at = time.monotonic()
        self.timed.append(Timed(began, answered_at - began))
        await asyncio.sleep(next_at - now())
        id: str = customer["id"]
        return id, answered_at
