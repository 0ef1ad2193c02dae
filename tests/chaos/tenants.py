"""Hostile tenants: an account whose receivers, readers and callers do all they can to be in the way of the others.

Its receivers are slow once they have been quick for a while, or never come to an end: interim answers, headers, bodies;
one has a URL that cannot be decoded. Its readers ask for long lists and do not read the answers. Its callers create
customers as fast as they can, in bursts, with one key.
"""

import asyncio
import time
from asyncio import StreamReader, StreamWriter
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import aiohttp
import asyncpg

from service.wiring import build
from tests import api_keys
from tests.faults.deployment import Deployment
from tests.service.serving import settings_for

ACCOUNT = "acct_hostile"
HOST = "127.0.0.3"
SLOW = 12  # endpoints; an account has 16 as a rule
QUICK_FIRST = 30  # answers of a slow one, until its concurrency has grown
SLOW_S = 6.0  # just within the time an attempt has
ENDLESS = ("continues", "headers", "body")
UNDECODABLE = "http://xn--a.com/"
PAGE_CUSTOMERS, VALUES, VALUE = 20, 40, "x" * 500  # a page is of half a megabyte
READERS, READER_S = 40, 20.0
CALLERS, BURST_S, PAUSE_S = 48, 1.0, 3.0
OPEN_TIMEOUT_S = 5.0


@dataclass
class Tenant:
    """The hostile account; `did` counts what it did."""

    deployment: Deployment
    key: str = ""
    did: Counter[str] = field(default_factory=Counter)
    _answered: Counter[str] = field(default_factory=Counter)
    _serving: set[asyncio.Task[None]] = field(default_factory=set)

    async def settle(self, port: int) -> None:
        """Have a key, endpoints at a server of its own, and customers that make long lists."""
        core = await build(settings_for(self.deployment.directory), self.deployment.dsn)
        try:
            _, self.key = await api_keys.issue(core, account=ACCOUNT)
        finally:
            await core.close()
        paths = [*(f"slow/{n}" for n in range(SLOW)), *ENDLESS, "undecodable"]
        long = "&".join(f"metadata[k{n}]={VALUE}" for n in range(VALUES))
        async with self._session() as session:
            for path in paths:
                await _posted(session, "/v1/webhook_endpoints", f"url=http://{HOST}:{port}/{path}&enabled_events[]=*")
            for _ in range(PAGE_CUSTOMERS):
                await _posted(session, "/v1/customers", long)
        # The API refuses it: it is there as from a version that did not.
        connection = await asyncpg.connect(self.deployment.dsn)
        try:
            await connection.execute(
                "UPDATE webhooks.endpoint SET url = $1 WHERE url LIKE '%/undecodable'", UNDECODABLE
            )
        finally:
            await connection.close()

    async def run(self) -> None:
        """Be in the way, until canceled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._flood())
            for number in range(READERS):
                tasks.create_task(self._read_nothing(number))

    def _session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            self.deployment.url,
            headers={"Authorization": f"Bearer {self.key}", "Content-Type": "application/x-www-form-urlencoded"},
            timeout=aiohttp.ClientTimeout(total=10),
            connector=aiohttp.TCPConnector(limit=0),
        )

    async def _flood(self) -> None:
        async with self._session() as session:
            while True:
                until_s = time.monotonic() + BURST_S
                await asyncio.gather(*(self._call(session, until_s) for _ in range(CALLERS)))
                await asyncio.sleep(PAUSE_S)  # between bursts

    async def _call(self, session: aiohttp.ClientSession, until_s: float) -> None:
        while time.monotonic() < until_s:
            try:
                async with session.post("/v1/customers", data="name=Flood") as answer:
                    await answer.read()
                    self.did[f"creates answered {answer.status}"] += 1
            except (aiohttp.ClientError, TimeoutError):
                self.did["creates not answered"] += 1
                await asyncio.sleep(0.1)  # an API that is killed refuses at once

    async def _read_nothing(self, number: int) -> None:
        head = f"GET /v1/customers?limit=100 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {self.key}\r\n\r\n".encode()
        await asyncio.sleep(READER_S * number / READERS)  # one after the other
        while True:
            port = int(self.deployment.urls[number % len(self.deployment.urls)].rpartition(":")[2])
            with suppress(OSError, TimeoutError, RuntimeError):  # uvloop's, of a connection that is closed already
                async with asyncio.timeout(OPEN_TIMEOUT_S):
                    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
                try:
                    reader._transport.pause_reading()  # type: ignore[attr-defined]
                    writer.write(head)
                    self.did["lists not read"] += 1
                    await asyncio.sleep(READER_S)
                finally:
                    writer.transport.abort()
                continue
            await asyncio.sleep(1)

    def accept(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Take one request, and answer as its path says."""
        task = asyncio.create_task(self._serve(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def close(self) -> None:
        """Answer nobody any more."""
        serving = list(self._serving)
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        try:
            async with asyncio.timeout(4 * SLOW_S):
                head = await reader.readuntil(b"\r\n\r\n")
                path = head.split(b" ", 2)[1].decode().removeprefix("/")
                kind = path.partition("/")[0]
                self.did[f"webhooks tried: {kind}"] += 1
                await self._answer(kind, path, writer)
        except (OSError, TimeoutError, RuntimeError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # whoever asked went away
        finally:
            writer.transport.abort()

    async def _answer(self, kind: str, path: str, writer: StreamWriter) -> None:
        match kind:
            case "continues":
                await _without_end(writer, b"HTTP/1.1 100 Continue\r\n\r\n" * 10)
            case "headers":
                writer.write(b"HTTP/1.1 200 OK\r\n")
                await _without_end(writer, b"X-Filler: " + b"x" * 500 + b"\r\n")
            case "body":
                writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                await _without_end(writer, b"3e8\r\n" + b"x" * 1000 + b"\r\n")
            case _:
                self._answered[path] += 1
                if self._answered[path] > QUICK_FIRST:
                    await asyncio.sleep(SLOW_S)  # what this receiver is like
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                await writer.drain()


async def _without_end(writer: StreamWriter, said: bytes) -> None:
    while True:
        writer.write(said)
        await writer.drain()
        await asyncio.sleep(0.001)  # it shares the processor with what is measured


async def _posted(session: aiohttp.ClientSession, path: str, body: str) -> None:
    async with session.post(path, data=body) as answer:
        assert answer.status == 200, await answer.text()


@asynccontextmanager
async def hostile(deployment: Deployment) -> AsyncIterator[Tenant]:
    """The tenant, with its server listening."""
    tenant = Tenant(deployment)
    server = await asyncio.start_server(tenant.accept, HOST, 0)
    async with server:
        await tenant.settle(server.sockets[0].getsockname()[1])
        try:
            yield tenant
        finally:
            server.close()
            await tenant.close()
