"""API, relay and worker, each a process, over a PostgreSQL that a test takes away; nothing of them is restarted."""

import asyncio
import os
import secrets
import signal
import subprocess
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aio_pika
import aiohttp
import asyncpg
import orjson

from service.commands.keys import DEVELOPMENT_KEY
from tests.faults.deployment import free_port
from tests.servers.receiver import Receiver
from tests.service.serving import command, environment
from tests.waiting import until

LISTENERS = ("rollbook listen",)


@dataclass
class RoleProcesses:
    """The processes of `roles` over the database at `dsn`, with an exchange and a queue of their own."""

    dsn: str
    amqp_url: str
    directory: Path
    roles: tuple[str, ...] = ("api", "relay", "worker")
    variables: dict[str, str] = field(default_factory=dict)
    name: str = field(default_factory=lambda: f"test.{secrets.token_hex(4)}")
    ports: dict[str, int] = field(default_factory=dict)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self) -> None:
        """Start every process."""
        for role in self.roles:
            port = self.ports[role] = free_port()
            named = "ROLLBOOK_PORT" if role in ("api", "serve") else "ROLLBOOK_OPERATIONS_PORT"
            seen = environment(
                self.dsn,
                self.directory,
                AMQP_URL=self.amqp_url,
                ROLLBOOK_EXCHANGE=f"{self.name}.exchange",
                ROLLBOOK_FANOUT_QUEUE=f"{self.name}.fanout",
                ROLLBOOK_RELAY_LEASE_S="2",
                ROLLBOOK_DRAIN_S="1",
                **{named: str(port)},
                **self.variables,
            )
            if not self.dsn:
                del seen["DATABASE_URL"]
            with self.log(role).open("wb") as output:
                self.processes[role] = subprocess.Popen(
                    command(role), env=seen, stdout=output, stderr=subprocess.STDOUT, cwd=self.directory
                )

    def log(self, role: str) -> Path:
        """What a process printed."""
        return self.directory / f"{self.name}.{role}.log"

    @property
    def url(self) -> str:
        """Where the API is."""
        return f"http://127.0.0.1:{self.ports[self.roles[0]]}"

    def stop(self) -> None:
        """End the processes as an operator does; each has to end well."""
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        ended = {role: process.wait(30) for role, process in self.processes.items()}
        assert set(ended.values()) == {0}, ended
        for role in self.roles:
            assert "Traceback" not in self.log(role).read_text()

    def kill(self) -> None:
        """End what is left of them."""
        for process in self.processes.values():
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
            process.wait()

    async def states(self) -> dict[str, tuple[int, str]]:
        """What each process says at /readyz of PostgreSQL."""
        said = {}
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
            for role, port in self.ports.items():
                with suppress(aiohttp.ClientError):
                    async with session.get(f"http://127.0.0.1:{port}/readyz") as answer:
                        said[role] = (answer.status, (await answer.json())["dependencies"]["postgres"])
        return said

    async def all_say(self, status: int, state: str, timeout_s: float = 30) -> None:
        """Wait until every process says so."""

        async def agreed() -> bool:
            return await self.states() == dict.fromkeys(self.roles, (status, state))

        try:
            await until(agreed, timeout_s)
        except AssertionError:
            raise AssertionError(f"{await self.states()} rather than {status} {state}") from None

    async def ask(self, method: str, path: str, body: str = "", key: str | None = None) -> tuple[int, Any, Any]:
        """Status, headers and JSON of an answer; the bytes of one that is not one document."""
        headers = {
            "Authorization": f"Bearer {DEVELOPMENT_KEY}",
            "Content-Type": "application/x-www-form-urlencoded",
            **({"Idempotency-Key": key} if key else {}),
        }
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, self.url + path, data=body or None, headers=headers) as answer,
        ):
            said = await answer.read()
            return answer.status, answer.headers, orjson.loads(said) if said.startswith(b"{\n") else said

    async def post(self, path: str, body: str, key: str | None = None) -> Any:
        """The JSON of what has to succeed."""
        status, _, said = await self.ask("POST", path, body, key)
        assert status == 200, said
        return said

    def said(self, role: str, event: str) -> int:
        """How often a process logged an event."""
        return self.log(role).read_text().count(event)

    async def works(self, receiver: Receiver, path: str) -> None:
        """Have every role show that it does its part: API, search, webhook, relay, scheduler, and the feed's wait."""
        word = secrets.token_hex(6)
        _, headers, _ = await self.ask("GET", "/v1/rollbook/feed")
        async with self._published() as published:
            waiting = asyncio.create_task(
                self.ask("GET", f"/v1/rollbook/feed?wait=20&after={headers['Rollbook-Position']}")
            )
            made = await self.post("/v1/customers", f"name={word}")
            created = asyncio.get_running_loop().time()
            assert (await waiting)[2], "the feed woke who waited"
            assert asyncio.get_running_loop().time() - created < 15

            async def found() -> bool:
                _, _, page = await self.ask("GET", f"/v1/customers/search?query=name:%22{word}%22")
                return [customer["id"] for customer in page["data"]] == [made["id"]]

            await until(found, 30)
            await until(lambda: any(made["id"].encode() in got.body for got in receiver.received(path)), 30)
            await until(lambda: published[made["id"]], 30)
        clock = await self.post("/v1/test_helpers/test_clocks", "frozen_time=1700000000")
        await self.post(f"/v1/test_helpers/test_clocks/{clock['id']}/advance", "frozen_time=1700086400")

        async def advanced() -> bool:
            _, _, now = await self.ask("GET", f"/v1/test_helpers/test_clocks/{clock['id']}")
            return bool(now["status"] == "ready")

        await until(advanced, 30)

    @asynccontextmanager
    async def _published(self) -> AsyncIterator[Counter[str]]:
        """Counts what is published, by the id of the object."""
        counted: Counter[str] = Counter()
        connection = await aio_pika.connect(self.amqp_url)
        try:
            channel = await connection.channel()
            exchange = await channel.declare_exchange(
                f"{self.name}.exchange", aio_pika.ExchangeType.TOPIC, durable=True
            )
            queue = await channel.declare_queue(exclusive=True)
            await queue.bind(exchange, "#")

            async def take(message: Any) -> None:
                counted[orjson.loads(message.body)["data"]["object"]["id"]] += 1

            await queue.consume(take, no_ack=True)
            yield counted
        finally:
            await connection.close()

    async def forget_broker(self) -> None:
        """Delete what was declared."""
        connection = await aio_pika.connect(self.amqp_url)
        channel = await connection.channel()
        await channel.queue_delete(f"{self.name}.fanout")
        await channel.exchange_delete(f"{self.name}.exchange")
        await connection.close()


async def listeners(owner: asyncpg.Connection) -> Counter[str]:
    """The connections that LISTEN, by their application's name."""
    rows = await owner.fetch(
        "SELECT application_name FROM pg_stat_activity WHERE application_name = ANY($1)", list(LISTENERS)
    )
    return Counter(row["application_name"] for row in rows)
