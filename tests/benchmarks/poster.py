"""A bare aiohttp client that posts the same bytes again and again: what a worker is compared with.

`python -m tests.benchmarks.poster` reads a Posting a line, in JSON, and says `done` when the last was answered.
"""

import asyncio
import gc
import itertools
import json
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass

import aiohttp
import uvloop

from tests.benchmarks.processes import ask, helper

CONCURRENCY = 64  # more is no faster


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """Post `body` so many times, to the URLs in turn."""

    urls: Sequence[str]
    headers: dict[str, str]
    body: str
    count: int


class Poster:
    """The client, from outside."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def run(self, posting: Posting) -> None:
        """Post, and return when everything was answered."""
        await ask(self._process, json.dumps(asdict(posting)))


@asynccontextmanager
async def poster() -> AsyncIterator[Poster]:
    """A client, ended afterwards."""
    async with helper("poster") as process:
        yield Poster(process)


async def _post(posting: Posting) -> None:
    body = posting.body.encode()
    urls = itertools.islice(itertools.cycle(posting.urls), posting.count)

    async def post_in_turn(session: aiohttp.ClientSession) -> None:
        for url in urls:
            async with session.post(url, data=body, headers=posting.headers) as response:
                await response.read()

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await asyncio.gather(*(post_in_turn(session) for _ in range(CONCURRENCY)))


async def _serve() -> None:
    gc.freeze()
    gc.set_threshold(50_000)  # as the service has it
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        await _post(Posting(**json.loads(line)))
        print("done", flush=True)


if __name__ == "__main__":
    uvloop.run(_serve())
