"""Whether a change keeps its speed as its stream grows long: one more change of a customer with 10,000 events, and of
one with 100,000, against one more of customers with 10.

Two API processes change a customer by turns, so that each finds that the other was first and loads the stream again.
One connection to each and one request at a time: it is the latency of a request, not of a queue. The histories are
written by the same commands as the API's, many to a commit.
"""

import base64
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice

import aiohttp
from pydantic import SecretStr

from events import ids
from events.customer import CUSTOMER, CreateCustomer, UpdateCustomer
from events.record import Origin
from events.unit_of_work import UnitOfWork
from service.commands import keys
from service.settings import Settings
from service.wiring import Core, build
from tests import api_keys
from tests.benchmarks.figures import Bound, Figure, percentile, take_turns
from tests.benchmarks.processes import rollbook
from tests.benchmarks.servers import Bench

FEW, MANY = 10, (10_000, 100_000)  # events
COMMIT_EVENTS = 2_000
SAMPLES = 60  # a round
BOUND = 1.2
CREATED = 1_700_000_000  # Unix seconds


async def long_streams(bench: Bench) -> Sequence[Figure]:
    """One more change of long histories by one more of short ones."""
    samples = int(bench.seconds(SAMPLES))
    master_key = base64.b64encode(os.urandom(32)).decode()
    settings = {"ROLLBOOK_ENV": "production", "ROLLBOOK_MASTER_KEY": master_key}
    async with bench.database() as dsn:
        short = len(MANY) * (bench.rounds + 1) * samples
        key, customers = await _customers(dsn, master_key, [*MANY, *[FEW - 2] * short])
        async with (
            rollbook("api", bench.scratch("first"), DATABASE_URL=dsn, **settings) as first,
            rollbook("api", bench.scratch("second"), DATABASE_URL=dsn, **settings) as second,
            aiohttp.ClientSession(headers={"Authorization": f"Bearer {key}"}) as session,
        ):
            apis = (_Api(session, first), _Api(session, second))
            unused = iter(customers[len(MANY) :])
            return [
                await _figure(bench, apis, events, [long] * samples, unused)
                for events, long in zip(MANY, customers, strict=False)
            ]


async def _figure(
    bench: Bench, apis: "tuple[_Api, _Api]", events: int, long: Sequence[str], shorts: Iterator[str]
) -> Figure:
    """One more change of a customer with so many events, by one more of short ones."""
    rounds = await take_turns(
        lambda: _p50_ms(apis, list(islice(shorts, len(long)))), lambda: _p50_ms(apis, long), rounds=bench.rounds
    )
    return rounds.figure(
        row="long-streams",
        what=f"one more change of a customer with {events:,} events, two processes by turns, p50",
        unit="ms",
        baseline_is=f"the same with {FEW} events",
        bound=Bound("at most", BOUND),
    )


@dataclass(frozen=True, slots=True)
class _Api:
    """One of the processes, and a client of it."""

    session: aiohttp.ClientSession
    port: int

    async def change(self, id: str) -> float:
        """Change a customer; gives the seconds until it was answered."""
        started = time.perf_counter()
        form = {"metadata[changed]": str(time.time_ns())}
        async with self.session.post(f"http://127.0.0.1:{self.port}/v1/customers/{id}", data=form) as response:
            response.raise_for_status()
            await response.read()
        return time.perf_counter() - started


async def _p50_ms(apis: tuple[_Api, _Api], customers: Sequence[str]) -> float:
    """Milliseconds of a change by a process that saw the customer before another process changed it."""
    first, second = apis
    took: list[float] = []
    for id in customers:
        await first.change(id)
        await second.change(id)
        took.append(await first.change(id))
    return percentile(took, 0.5) * 1000


async def _customers(dsn: str, master_key: str, histories: Sequence[int]) -> tuple[str, Sequence[str]]:
    """The key of an account, and ids of its customers, each with so many events."""
    core = await build(Settings(master_key=SecretStr(master_key)), dsn)
    try:
        account = keys.new_account()
        key_id, key = await api_keys.issue(core, account=account)
        origin = Origin(account, False, core.clock.now(), key_id)
        return key, [await _customer(core, origin, events) for events in histories]
    finally:
        await core.close()


async def _customer(core: Core, origin: Origin, events: int) -> str:
    id = ids.new("cus", os.urandom(ids.ID_BYTES))
    prefix = os.urandom(4).hex().upper()

    async def create(unit: UnitOfWork) -> None:
        unit.begin(CUSTOMER, id)
        unit.do(CUSTOMER, id, CreateCustomer(id=id, created=CREATED, invoice_prefix=prefix, patch={}))

    async def change(unit: UnitOfWork, version: int) -> None:
        await unit.load(CUSTOMER, id)
        for number in range(version, min(events, version + COMMIT_EVENTS)):
            patch = UpdateCustomer(id=id, patch={"email": f"jenny.{number}@example.com", "description": f"{number}"})
            unit.do(CUSTOMER, id, patch)

    await core.executor.transact(create, origin)
    for version in range(1, events, COMMIT_EVENTS):
        await core.executor.transact(partial(change, version=version), origin)
    return id
