"""A webhook receiver: an aiohttp server in a process of its own, which notes when what arrived where.

`python -m tests.benchmarks.receiver HOSTS` says its ports, and then does as the lines it reads say: `forget`, `count`,
`arrivals`, `take`, `last`, `dead N...`, `failing N...`, `slow N...`. Endpoints are numbers, at `/N`; one that is dead
takes a request and never answers, one that fails answers 500, and one that is slow answers just before it is too late.
"""

import asyncio
import json
import sys
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

import uvloop
from aiohttp import web

from tests.benchmarks.processes import answer, ask, helper

HOST = "127.0.0.1"
SLOW_S = 14.0  # an attempt may take 15
CUSTOMER = b'"id": "cus_'  # how the body of an event names its customer


class Arrival(NamedTuple):
    """A request as it arrived."""

    at: float  # seconds of CLOCK_MONOTONIC, which is the same in all processes
    endpoint: int
    customer: str


class Delivery(NamedTuple):
    """What one request was, to send it again."""

    headers: dict[str, str]
    body: bytes


class Receiver:
    """The receiver, from outside."""

    def __init__(self, process: Process, ports: Sequence[int]) -> None:
        self._process = process
        self._ports = ports
        self._asking = asyncio.Lock()

    def url(self, endpoint: int) -> str:
        """Where an endpoint is."""
        return f"http://{HOST}:{self._ports[endpoint % len(self._ports)]}/{endpoint}"

    async def forget(self) -> None:
        """Forget what arrived so far."""
        await self._ask("forget")

    async def count(self) -> int:
        """How many requests arrived."""
        return int(await self._ask("count"))

    async def arrivals(self) -> Sequence[Arrival]:
        """What arrived, in order."""
        return [Arrival(*each) for each in json.loads(await self._ask("arrivals"))]

    async def take(self) -> Sequence[Arrival]:
        """What arrived, in order, which is forgotten."""
        return [Arrival(*each) for each in json.loads(await self._ask("take"))]

    async def last(self) -> Delivery:
        """The last request, whole."""
        headers, body = json.loads(await self._ask("last"))
        return Delivery(headers, body.encode())

    async def kill(self, endpoints: Iterable[int]) -> None:
        """Have these endpoints be dead, and no others."""
        await self._ask(" ".join(["dead", *map(str, endpoints)]))

    async def fail(self, endpoints: Iterable[int]) -> None:
        """Have these endpoints answer 500, and no others."""
        await self._ask(" ".join(["failing", *map(str, endpoints)]))

    async def slow(self, endpoints: Iterable[int]) -> None:
        """Have these endpoints be slow, and no others."""
        await self._ask(" ".join(["slow", *map(str, endpoints)]))

    async def _ask(self, question: str) -> str:
        async with self._asking:
            return await ask(self._process, question)


@asynccontextmanager
async def receiver(hosts: int = 1) -> AsyncIterator[Receiver]:
    """A receiver, ended afterwards; its endpoints are spread over so many ports, each another host to a worker."""
    async with helper("receiver", str(hosts)) as process:
        yield Receiver(process, json.loads(await answer(process)))


async def _serve(hosts: int) -> None:
    arrived: list[tuple[float, str, bytes]] = []
    last: list[object] = []
    dead: set[str] = set()
    failing: set[str] = set()
    slow: set[str] = set()
    never = asyncio.Event()

    async def receive(request: web.BaseRequest) -> web.Response:
        at = time.monotonic()
        body = await request.read()
        arrived.append((at, request.path, body))
        if len(arrived) == 1:
            last[:] = [dict(request.headers), body.decode()]
        if request.path in dead:
            await never.wait()
        if request.path in slow:
            await asyncio.sleep(SLOW_S)
        return web.Response(status=500 if request.path in failing else 200)

    def arrivals() -> str:
        return json.dumps([Arrival(at, int(path[1:]), _customer(body)) for at, path, body in arrived])

    def answer(line: str) -> str:
        match line.split():
            case ["forget"]:
                arrived.clear()
            case ["count"]:
                return str(len(arrived))
            case ["arrivals"]:
                return arrivals()
            case ["take"]:
                taken = arrivals()
                arrived.clear()
                return taken
            case ["last"]:
                return json.dumps(last)
            case ["dead", *endpoints]:
                dead.clear()
                dead.update(f"/{endpoint}" for endpoint in endpoints)
            case ["failing", *endpoints]:
                failing.clear()
                failing.update(f"/{endpoint}" for endpoint in endpoints)
            case ["slow", *endpoints]:
                slow.clear()
                slow.update(f"/{endpoint}" for endpoint in endpoints)
            case _:
                raise ValueError(line)
        return "done"

    runner = web.ServerRunner(web.Server(receive), shutdown_timeout=0)
    await runner.setup()
    for _ in range(hosts):
        await web.TCPSite(runner, HOST, 0, backlog=1024).start()
    print(json.dumps([port for _, port in runner.addresses]), flush=True)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        print(answer(line), flush=True)


def _customer(body: bytes) -> str:
    start = body.find(CUSTOMER) + len(CUSTOMER) - len(b"cus_")
    return body[start : body.find(b'"', start)].decode()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
