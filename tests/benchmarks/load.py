"""The load generator: so many connections, each sending a request as soon as the last was answered.

A process of its own, so that what it costs is the same for whatever it is pointed at. It reads no more of an answer
than its status and its Content-Length; requests are bytes made beforehand, into which only an idempotency key is put.
`python -m tests.benchmarks.load` reads a Blast a line and writes what came of it, both in JSON; `Generator` speaks to
it.
"""

import asyncio
import gc
import itertools
import json
import resource
import secrets
import sys
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import cast

import uvloop

from tests.benchmarks.processes import ask, helper

HOST = "127.0.0.1"
KEY = "{key}"  # stands in a request for a key that was never used before
OK, SHED = b"200", (b"429", b"503")
RETRY_AFTER_S = 1.0  # as the API says


@dataclass(frozen=True, slots=True, kw_only=True)
class Blast:
    """Send `requests` in turn, over and over, for `duration_s`, over `connections` at once.

    Where requests `may_be_shed`, a connection that is answered 429 or 503 waits for as long as Retry-After says.
    """

    port: int
    requests: Sequence[str]
    duration_s: float
    connections: int = 32
    may_be_shed: bool = False


@dataclass(frozen=True, slots=True)
class Answered:
    """What was answered within the time, in seconds of latency."""

    rate: float  # answers a second
    p50_s: float
    p99_s: float
    longest_s: float
    shed: int = 0  # answers that were 429 or 503
    shed_p99_s: float = 0.0


class Generator:
    """The load generator, from outside."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def run(self, blast: Blast) -> Answered:
        """Run it. Raises RuntimeError when an answer was anything but a 200."""
        reply = json.loads(await ask(self._process, json.dumps(asdict(blast))))
        if "error" in reply:
            raise RuntimeError(reply["error"])
        return Answered(**reply)


@asynccontextmanager
async def generator() -> AsyncIterator[Generator]:
    """A load generator, ended afterwards."""
    async with helper("load") as process:
        yield Generator(process)


def request(method: str, path: str, headers: dict[str, str] | None = None, body: str = "") -> str:
    """A request as it goes over the wire; `{key}` in a header becomes a fresh key each time."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body:
        lines += ["Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(body.encode())}"]
    return "\r\n".join([*lines, "", body])


class _Run:
    """One blast under way."""

    def __init__(self, requests: Iterator[bytes], may_be_shed: bool) -> None:
        self.next_request = requests.__next__
        self.may_be_shed = may_be_shed
        self.latencies_s: list[float] = []
        self.shed_s: list[float] = []
        self.error = ""
        self.over = False


class _Connection(asyncio.Protocol):
    """Keeps one request in flight."""

    def __init__(self, run: _Run) -> None:
        self._run = run
        self._write: Callable[[bytes], None]
        self._transport: asyncio.Transport
        self._sent_at = 0.0
        self._head = b""  # of an answer whose header has not ended yet
        self._missing = 0  # bytes of a body that are still to come
        self._shed = False
        self.closed = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._write = self._transport.write

    def send(self) -> None:
        """Send the next request."""
        if self._transport.is_closing():
            return
        self._shed = False
        self._sent_at = time.perf_counter()
        self._write(self._run.next_request())

    def stop(self) -> None:
        """Close where no answer is waited for, which closes otherwise."""
        if self._shed:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        if self._missing:
            self._missing -= len(data)
        else:
            data = self._head + data
            end = data.find(b"\r\n\r\n")
            if end < 0:
                self._head = data
                return
            self._head = b""
            at = data.find(b"\r\nContent-Length: ", 0, end)
            self._shed = self._run.may_be_shed and data[9:12] in SHED
            if (data[9:12] != OK and not self._shed) or at < 0:
                self._fail(data[:1000].decode(errors="replace"))
                return
            self._missing = end + 4 + int(data[at + 18 : data.find(b"\r", at + 18)]) - len(data)
        if self._missing == 0:
            run = self._run
            if run.over:
                self._transport.close()
                return
            took_s = time.perf_counter() - self._sent_at
            if self._shed:
                run.shed_s.append(took_s)
                asyncio.get_running_loop().call_later(RETRY_AFTER_S, self.send)
                return
            run.latencies_s.append(took_s)
            self.send()

    def connection_lost(self, error: Exception | None) -> None:
        if not self._run.over:
            self._fail(f"a connection was lost: {error}")
        self.closed.set_result(None)

    def _fail(self, error: str) -> None:
        self._run.error = self._run.error or error
        self._run.over = True
        self._transport.close()


async def _blast(blast: Blast, keys: Iterator[int]) -> dict[str, object]:
    run = _Run(_requests(blast.requests, keys), blast.may_be_shed)
    loop = asyncio.get_running_loop()
    made = [await loop.create_connection(lambda: _Connection(run), HOST, blast.port) for _ in range(blast.connections)]
    connections = [connection for _, connection in made]
    for connection in connections:
        connection.send()
    await asyncio.sleep(blast.duration_s)
    run.over = True
    for connection in connections:
        connection.stop()
    await asyncio.wait([connection.closed for connection in connections], timeout=30)
    if run.error:
        return {"error": run.error}
    ranked = sorted(run.latencies_s)
    if not ranked:
        return {"error": "nothing was answered"}
    return asdict(
        Answered(
            rate=len(ranked) / blast.duration_s,
            p50_s=ranked[len(ranked) // 2],
            p99_s=ranked[len(ranked) * 99 // 100],
            longest_s=ranked[-1],
            shed=len(run.shed_s),
            shed_p99_s=sorted(run.shed_s)[len(run.shed_s) * 99 // 100] if run.shed_s else 0.0,
        )
    )


def _requests(texts: Sequence[str], keys: Iterator[int]) -> Iterator[bytes]:
    """The requests, in turn, for ever."""
    run = secrets.token_hex(8)
    halves = [text.encode().partition(KEY.encode()) for text in texts]
    prefix = f"bench-{run}-".encode()
    for before, key, after in itertools.cycle(halves):
        yield b"%b%b%d%b" % (before, prefix, next(keys), after) if key else before


async def _serve() -> None:
    gc.disable()  # nothing here makes cycles
    _, files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    keys = itertools.count(1_000_000)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        print(json.dumps(await _blast(Blast(**json.loads(line)), keys)), flush=True)


if __name__ == "__main__":
    uvloop.run(_serve())
