"""A whole system of a test's own: Postgres, RabbitMQ, and each role in a process, to be killed one by one."""

import asyncio
import os
import signal
import socket
import subprocess
import uuid
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import aio_pika
import aiohttp
import asyncpg
import orjson

from service.wiring import build
from tests import api_keys
from tests.servers.postgres import PrivatePostgres
from tests.servers.rabbitmq import PrivateRabbit
from tests.servers.receiver import Receiver
from tests.service.serving import command, environment, settings_for
from tests.waiting import until
from webhooks.broker.amqp import BROKER_ERRORS

ROLES = ("api", "relay", "worker")
ACCOUNT = "acct_faults"
CALLERS = 8
RETRY_S = 0.05
LEASE_S = 17  # longer than an attempt may take


def role_of(name: str) -> str:
    """The role that a process of this name plays."""
    return name.partition("-")[0]


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@dataclass
class Deployment:
    """Starts, kills and restarts its parts; `dsn` and `amqp_url` stay the same over restarts.

    A process goes by its role, and where there are several by names such as `relay-2`. `variables` are for all of them.
    """

    postgres: PrivatePostgres
    rabbit: PrivateRabbit
    directory: Path
    dsn: str = ""
    amqp_url: str = ""
    key: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    ports: defaultdict[str, int] = field(default_factory=lambda: defaultdict(free_port))
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    async def open(self, names: Sequence[str] = ROLES) -> None:
        """Start everything, with an API key."""
        self.dsn, self.amqp_url = await asyncio.gather(
            asyncio.to_thread(self.postgres.start), asyncio.to_thread(self.rabbit.start)
        )
        for name in names:
            self.start(name)
        await until(self.ready, timeout_s=60)
        await self.issue_key()

    async def issue_key(self) -> None:
        """Have a key to call with."""
        core = await build(settings_for(self.directory), self.dsn)
        _, self.key = await api_keys.issue(core, account=ACCOUNT)
        await core.close()

    def start(self, name: str) -> None:
        """Start one process; what it prints goes to a file of its name."""
        role = role_of(name)
        serves = role in ("api", "serve")
        with self.log(name).open("ab") as output:
            self.processes[name] = subprocess.Popen(
                command(role),
                env=self.environment(ROLLBOOK_PORT=str(self.ports[name] if serves else 0)),
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def environment(self, **more: str) -> dict[str, str]:
        """What the deployment's processes see of the environment."""
        variables = {"AMQP_URL": self.amqp_url, "ROLLBOOK_WEBHOOK_LEASE_S": str(LEASE_S), **self.variables, **more}
        return environment(self.dsn, self.directory, **variables)

    def log(self, name: str) -> Path:
        """Where a process's output goes, over restarts."""
        return self.directory / f"{name}.log"

    def kill9(self, name: str) -> None:
        """Kill a process as the kernel would, and wait until it is gone."""
        self.processes[name].kill()
        self.processes[name].wait()

    async def kill9_and_restart(self, part: str) -> None:
        """Kill a part as the kernel would, and start it again."""
        if part == "postgres":
            await asyncio.to_thread(self.postgres.restart)
        elif part == "rabbit":
            await asyncio.to_thread(self.rabbit.restart)
        else:
            self.kill9(part)
            self.start(part)

    async def ready(self) -> bool:
        """Whether the API says it is ready."""
        with suppress(aiohttp.ClientError):
            async with aiohttp.ClientSession() as session, session.get(f"{self.url}/readyz") as answer:
                return answer.status == 200
        return False

    def close(self) -> None:
        """End every process."""
        for process in self.processes.values():
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
            process.wait()

    @property
    def url(self) -> str:
        """Where the API listens."""
        return self.urls[0]

    @property
    def urls(self) -> list[str]:
        """Where each of the APIs listens."""
        return [f"http://127.0.0.1:{self.ports[name]}" for name in self.processes if name in self.ports]

    async def post(self, session: aiohttp.ClientSession, path: str, body: str) -> Any:
        """A POST that is retried, with the same idempotency key, as Stripe's clients do, until it is answered.

        Where there are several APIs each try goes to the next of them, as a load balancer would have it.
        """
        key = uuid.uuid4()
        headers = {
            "Authorization": f"Bearer {self.key}",
            "Idempotency-Key": key.hex,
            "Content-Type": "application/x-www-form-urlencoded",
        }
        for attempt in count(key.int):
            url = self.urls[attempt % len(self.urls)]
            with suppress(aiohttp.ClientError, TimeoutError):
                async with session.post(url + path, data=body, headers=headers) as answer:
                    answered = await answer.read()
                    if answer.status == 200:
                        return orjson.loads(answered)
                    assert answer.status in (409, 429) or answer.status >= 500, answered
            await asyncio.sleep(RETRY_S)  # the pause of a client between its tries
        return None

    async def register(self, url: str) -> None:
        """Have webhooks sent to a URL."""
        async with aiohttp.ClientSession() as session:
            await self.post(session, "/v1/webhook_endpoints", f"url={url}&enabled_events[]=*")


@dataclass
class Load:
    """Callers that create customers and change them, and what was acknowledged to them."""

    deployment: Deployment
    created: list[str] = field(default_factory=list)
    updated: int = 0

    async def run(self, customers: int) -> None:
        """Create so many customers and change each once."""
        numbers = iter(range(customers))
        timeout = aiohttp.ClientTimeout(total=10)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            await asyncio.gather(*(self._caller(session, numbers) for _ in range(CALLERS)))

    async def _caller(self, session: aiohttp.ClientSession, numbers: Any) -> None:
        for number in numbers:
            made = await self.deployment.post(session, "/v1/customers", f"email=c{number}@example.com")
            self.created.append(made["id"])
            await self.deployment.post(session, f"/v1/customers/{made['id']}", f"metadata[n]={number}")
            self.updated += 1


class Subscriber:
    """A microservice with a queue of its own: counts the notices it got by id."""

    def __init__(self, amqp_url: str, queue: str) -> None:
        self._amqp_url = amqp_url
        self._queue = queue
        self.got: Counter[str] = Counter()
        self.sequences: list[int] = []
        self.listening = asyncio.Event()

    async def run(self) -> None:
        """Consume, connecting again whenever the broker goes away."""
        while True:
            with suppress(*BROKER_ERRORS):
                await self._consume()
            await asyncio.sleep(RETRY_S)  # the pause of a client between its tries

    async def _consume(self) -> None:
        async with await aio_pika.connect(self._amqp_url, timeout=5) as connection:
            channel = await connection.channel()
            await channel.set_qos(prefetch_count=100)
            exchange = await channel.declare_exchange("rollbook.events", aio_pika.ExchangeType.TOPIC, durable=True)
            queue = await channel.declare_queue(self._queue, durable=True, arguments={"x-queue-type": "quorum"})
            await queue.bind(exchange, f"{ACCOUNT}.test.customer.*")
            self.listening.set()
            async with queue.iterator() as messages:
                async for message in messages:
                    async with message.process():
                        self.got[str(message.headers["rollbook-event-id"])] += 1
                        if not message.redelivered:  # what a killed broker hands out again comes behind newer ones
                            self.sequences.append(int(str(message.headers["rollbook-sequence"])))


@dataclass(frozen=True)
class Account:
    """What is in the database at the end."""

    notices: list[str]
    customers: set[str]
    positions: list[int]
    pending: int


async def account(dsn: str) -> Account:
    """Read what is in the database."""
    connection = await asyncpg.connect(dsn)
    try:
        notices = await connection.fetch("SELECT id FROM projections.notice ORDER BY sequence")
        customers = await connection.fetch("SELECT id FROM projections.customer")
        positions = await connection.fetch("SELECT position FROM events.log ORDER BY position")
        return Account(
            notices=[row["id"] for row in notices],
            customers={row["id"] for row in customers},
            positions=[row["position"] for row in positions],
            pending=await connection.fetchval("SELECT count(*) FROM webhooks.delivery"),
        )
    finally:
        await connection.close()


def delivered(receiver: Receiver, path: str) -> Counter[str]:
    """The notices a receiver got, by id."""
    return Counter(received.headers["webhook-id"] for received in receiver.received(path))
