"""The soak: hours of a steady, mixed load, to see that nothing grows but what has to. `--soak SECONDS` runs it.

Customers are created, changed and deleted at the same rate, and are read. Events go to eight endpoints, of which one
fails every other half minute and one never answers. A reader follows the feed and, where there is a RabbitMQ, events go
through it, and to a subscriber's queue as well. `rollbook api`, `worker` and `relay` are processes of their own. Every
few seconds it records the memory of each of them, the sizes of tables and indexes, and the latency of requests and
webhooks.
"""

import asyncio
import itertools
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import aio_pika
import asyncpg
import psutil

from tests.benchmarks.figures import Unmeasurable
from tests.benchmarks.processes import rollbook
from tests.benchmarks.receiver import receiver
from tests.benchmarks.rows.latency import topology
from tests.benchmarks.servers import Bench
from tests.benchmarks.shop import AS_IN_PRODUCTION, Shop, shop

RATE = 40.0  # requests a second
IN_FLIGHT_MAX = 64  # of them; one that would be more is left out, and counted
CUSTOMERS = 500  # about
# Ten requests, in turn. As many customers go as come.
MIX = ("create", "get", "update", "get", "delete", "list", "update", "get", "update", "get")
HEALTHY, FLAPS, DEAD = range(6), 6, 7  # endpoints
FLAP_S = 30.0
FEED_WAIT_S = 5
SAMPLE_S = 5.0
WARM_UP_SHARE, WARM_UP_S_MAX = 0.2, 120.0
QUIET = {"ROLLBOOK_LOG_LEVEL": "warning"}  # an hour's lines would take a gigabyte
MIB = 1024 * 1024

# Partitions count as what they are parts of.
SIZES = """
SELECT coalesce(i.inhparent, c.oid)::regclass::text AS name, sum(pg_table_size(c.oid))::bigint AS heap,
    sum(pg_indexes_size(c.oid))::bigint AS indexes, sum(s.n_dead_tup)::bigint AS dead
FROM pg_class c JOIN pg_stat_user_tables s ON s.relid = c.oid LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
WHERE s.schemaname IN ('events', 'keys', 'projections', 'webhooks')
GROUP BY 1
"""
BACKENDS = """
SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'rollbook %'
"""


@dataclass(frozen=True, slots=True)
class Size:
    """What a table takes."""

    heap_mib: float
    indexes_mib: float
    dead: int  # rows, until they are vacuumed


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """How things stood at one moment."""

    at_s: float
    memory_mib: Mapping[str, float]  # resident, by process; of Postgres, what all our connections have to themselves
    sizes: Mapping[str, Size]  # by table
    pending: int  # deliveries
    latencies_ms: Mapping[str, Sequence[float]]  # of requests and webhooks, since the sample before


@dataclass(slots=True)
class Soaked:
    """What a soak came to."""

    duration_s: float
    samples: list[Sample] = field(default_factory=list)
    requests: int = 0
    left_out: int = 0

    @property
    def settled(self) -> Sequence[Sample]:
        """The samples since everything had been done once."""
        warm_up_s = min(self.duration_s * WARM_UP_SHARE, WARM_UP_S_MAX)
        return [sample for sample in self.samples if sample.at_s >= warm_up_s]


async def soak(bench: Bench, duration_s: float) -> Soaked:
    """Run for so long. Raises whatever breaks it."""
    soaked = Soaked(duration_s)
    async with AsyncExitStack() as stack:
        settings = await stack.enter_async_context(_broker())
        listening = await stack.enter_async_context(receiver())
        opened = await stack.enter_async_context(
            shop(bench, listening, role="api", endpoints=0, settings={**settings, **QUIET})
        )
        for role in ("worker", "relay") if settings else ("worker",):
            playing = rollbook(role, bench.scratch(role), module=AS_IN_PRODUCTION, **opened.environment)
            await stack.enter_async_context(playing)
        for endpoint in (*HEALTHY, FLAPS, DEAD):
            # What waits for the dead piles up, rightly: as little of it as will do.
            await opened.register_one(0, endpoint, "*" if endpoint in HEALTHY else "customer.deleted")
        await listening.kill([DEAD])
        connection = await asyncpg.connect(opened.environment["DATABASE_URL"])
        stack.push_async_callback(connection.close)
        await _load(opened, connection, soaked, settings)
    return soaked


async def _load(opened: Shop, connection: asyncpg.Connection, soaked: Soaked, settings: Mapping[str, str]) -> None:
    requests = _Requests(opened, soaked)
    until = time.monotonic() + soaked.duration_s
    async with asyncio.TaskGroup() as tasks:
        beside = [_sample(soaked, requests, connection), _flap(opened), _follow_feed(opened)]
        if settings:
            beside.append(_subscribe(settings))
        running = [tasks.create_task(each) for each in beside]
        await requests.run(until)
        for task in running:
            task.cancel()


class _Requests:
    """The requests, at a steady rate, and how long they took."""

    def __init__(self, opened: Shop, soaked: Soaked) -> None:
        self._opened = opened
        self._soaked = soaked
        self._customers: deque[str] = deque()
        self._latencies_ms: list[float] = []

    async def run(self, until: float) -> None:
        """Make them. Raises what one raises that fails."""
        began = time.monotonic()
        in_flight: set[asyncio.Task[None]] = set()
        async with asyncio.TaskGroup() as tasks:
            for number, kind in enumerate(itertools.cycle(MIX)):
                at = began + number / RATE
                if at >= until:
                    return
                await asyncio.sleep(max(0.0, at - time.monotonic()))
                if len(in_flight) >= IN_FLIGHT_MAX:
                    self._soaked.left_out += 1
                    continue
                task = tasks.create_task(self._make(kind))
                in_flight.add(task)
                task.add_done_callback(in_flight.discard)

    async def latencies_ms(self) -> dict[str, Sequence[float]]:
        """Of requests, and of creations from their answers to their webhooks, since last asked."""
        webhooks = [
            (arrival.at - answered) * 1000
            for arrival in await self._opened.receiver.take()
            if arrival.endpoint == HEALTHY[0]
            and (answered := self._opened.answered.pop(arrival.customer, None)) is not None
        ]
        requests, self._latencies_ms = self._latencies_ms, []
        return {"requests": requests, "webhooks": webhooks}

    async def _make(self, kind: str) -> None:
        began = time.monotonic()
        await self._ask(kind)
        self._latencies_ms.append((time.monotonic() - began) * 1000)
        self._soaked.requests += 1

    async def _ask(self, kind: str) -> None:
        opened, customers = self._opened, self._customers
        if kind == "create" or not customers:
            customers.append(await opened.create())
            return
        if kind == "list" or (kind == "delete" and len(customers) < CUSTOMERS):
            await opened.ask("GET", "/v1/customers?limit=10")
            return
        customer = customers.popleft()  # nobody else's meanwhile
        path = f"/v1/customers/{customer}"
        match kind:
            case "delete":
                await opened.ask("DELETE", path)
                return
            case "update":
                await opened.ask("POST", path, f"description=changed+at+{time.monotonic():.6f}")
            case _:
                await opened.ask("GET", path)
        customers.append(customer)


async def _sample(soaked: Soaked, requests: _Requests, connection: asyncpg.Connection) -> None:
    began = time.monotonic()
    for number in itertools.count(1):
        await asyncio.sleep(max(0.0, began + number * SAMPLE_S - time.monotonic()))
        latencies_ms = await requests.latencies_ms()
        rows = await connection.fetch(SIZES)
        backends = [row["pid"] for row in await connection.fetch(BACKENDS)]
        soaked.samples.append(
            Sample(
                at_s=time.monotonic() - began,
                memory_mib=_memory_mib(backends),
                sizes={row["name"]: Size(row["heap"] / MIB, row["indexes"] / MIB, row["dead"]) for row in rows},
                pending=await connection.fetchval("SELECT count(*) FROM webhooks.delivery"),
                latencies_ms=latencies_ms,
            )
        )


def _memory_mib(backends: Sequence[int]) -> dict[str, float]:
    """Of each Rollbook process, and of Postgres where it runs on this machine."""
    memory: defaultdict[str, float] = defaultdict(float)
    for process in psutil.Process().children():
        command = process.cmdline()
        if AS_IN_PRODUCTION in command:
            memory[f"rollbook {command[-1]}"] = process.memory_info().rss / MIB
    for pid in backends:
        with suppress(OSError):  # it runs elsewhere, or is gone
            memory["connections of Postgres"] += _own_mib(Path(f"/proc/{pid}/smaps_rollup").read_text())
    return dict(memory)


def _own_mib(smaps: str) -> float:
    """What a process has that is no file and no shared memory: Postgres' buffers are, and count with nobody."""
    (line,) = (line for line in smaps.splitlines() if line.startswith("Pss_Anon:"))
    return int(line.split()[1]) / 1024


async def _flap(opened: Shop) -> None:
    """Have an endpoint fail half of the time."""
    for failing in itertools.cycle(([], [FLAPS])):
        await opened.receiver.fail(failing)
        await asyncio.sleep(FLAP_S)


async def _follow_feed(opened: Shop) -> None:
    """Read on in the feed, always."""
    position = "0"
    headers = {"Authorization": f"Bearer {opened.keys[0]}"}
    while True:
        url = f"{opened.url}/v1/rollbook/feed?after={position}&limit=1000&wait={FEED_WAIT_S}"
        async with opened.session.get(url, headers=headers) as response:
            response.raise_for_status()
            await response.read()
            position = response.headers["Rollbook-Position"]


async def _subscribe(settings: Mapping[str, str]) -> None:
    """Consume what a queue of our own on the broker gets."""
    async with await aio_pika.connect(settings["AMQP_URL"]) as connection:
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=100)
        queue = await channel.declare_queue(exclusive=True)
        await queue.bind(settings["ROLLBOOK_EXCHANGE"], "#")
        async with queue.iterator() as messages:
            async for message in messages:
                await message.ack()


@asynccontextmanager
async def _broker() -> AsyncIterator[dict[str, str]]:
    """Settings for the broker, if there is one."""
    async with AsyncExitStack() as stack:
        settings: dict[str, str] = {}
        with suppress(Unmeasurable):
            settings = await stack.enter_async_context(topology())
        yield settings
