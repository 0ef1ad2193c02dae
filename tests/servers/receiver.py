"""A webhook receiver on loopback that records what it is sent and misbehaves as it is set to."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self, assert_never

from aiohttp import web
from multidict import CIMultiDictProxy

from tests.waiting import until

HOST = "127.0.0.1"
CHUNK = b"x" * 65_536


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer with `status`, `headers` and `body`, after `delay_s`."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_s: float = 0


@dataclass(frozen=True, slots=True)
class Hang:
    """Take the request and never answer."""


@dataclass(frozen=True, slots=True)
class HangInBody:
    """Answer with headers and the first bytes of a body, and never go on."""

    status: int = 200


@dataclass(frozen=True, slots=True)
class Drop:
    """Take the request and reset the connection."""


@dataclass(frozen=True, slots=True)
class Flood:
    """Answer with a body of `size_bytes`, or as much of it as is taken."""

    size_bytes: int
    status: int = 200


@dataclass(frozen=True, slots=True)
class Drip:
    """Answer with headers and then a byte every `every_s`, for ever."""

    every_s: float = 0.2
    status: int = 200


Behaviour = Answer | Hang | HangInBody | Drop | Flood | Drip


def redirect(location: str, status: int = 302) -> Answer:
    """Answer that the caller should ask elsewhere."""
    return Answer(status=status, headers={"Location": location})


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it arrived."""

    path: str  # with its query
    headers: CIMultiDictProxy[str]
    body: bytes
    at: float  # seconds of time.monotonic()


class Receiver:
    """An HTTP server on a free port; enter it with `async with`. Every path answers 200 until it is set otherwise."""

    def __init__(self, host: str = HOST) -> None:
        self._host = host
        self.requests: list[Received] = []
        self._behaviours: defaultdict[str, list[Behaviour]] = defaultdict(lambda: [Answer()])
        self._closing = asyncio.Event()
        self._runner: web.ServerRunner | None = None
        self._port = 0

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen, after a stop on the same port as before."""
        self._closing.clear()
        self._runner = web.ServerRunner(web.Server(self._serve), shutdown_timeout=1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port, reuse_address=True)
        await site.start()
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Close the port and every connection; what was received is kept."""
        self._closing.set()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def url(self, path: str = "/") -> str:
        """Where to send requests for `path`."""
        return f"http://{self._host}:{self._port}{path}"

    def behave(self, path: str, *behaviours: Behaviour) -> None:
        """Do so at `path`, one behaviour a request in this order; the last one stays."""
        assert behaviours, "say at least one behaviour"
        self._behaviours[path] = list(behaviours)

    def received(self, path: str) -> list[Received]:
        """What arrived at `path` so far, in order."""
        return [request for request in self.requests if request.path == path]

    async def wait_for(self, count: int, path: str | None = None, timeout_s: float = 10) -> Sequence[Received]:
        """The requests, at `path` or at all, once there are at least `count`."""

        def enough() -> list[Received] | None:
            arrived = self.requests if path is None else self.received(path)
            return arrived if len(arrived) >= count else None

        found = await until(enough, timeout_s)
        assert found is not None
        return found

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        at = time.monotonic()
        body = await request.read()
        self.requests.append(Received(request.path_qs, request.headers, body, at))
        script = self._behaviours[request.path]
        behaviour = script.pop(0) if len(script) > 1 else script[0]
        match behaviour:
            case Answer():
                if behaviour.delay_s:
                    await self._pause(behaviour.delay_s)
                return web.Response(status=behaviour.status, body=behaviour.body, headers=behaviour.headers)
            case Hang():
                await self._closing.wait()
                return web.Response(status=503)
            case HangInBody():
                response = web.StreamResponse(status=behaviour.status)
                await response.prepare(request)
                await response.write(b"begun")
                await self._closing.wait()
                return response
            case Drop():
                if request.transport is not None:
                    request.transport.abort()
                return web.Response()
            case Flood():
                return await self._flood(request, behaviour)
            case Drip():
                return await self._drip(request, behaviour)
            case _:
                assert_never(behaviour)

    async def _flood(self, request: web.BaseRequest, flood: Flood) -> web.StreamResponse:
        response = web.StreamResponse(status=flood.status)
        response.content_length = flood.size_bytes
        await response.prepare(request)
        left_bytes = flood.size_bytes
        with suppress(ConnectionError):
            while left_bytes > 0 and not self._closing.is_set():
                await response.write(CHUNK[:left_bytes])
                left_bytes -= len(CHUNK)
        return response

    async def _drip(self, request: web.BaseRequest, drip: Drip) -> web.StreamResponse:
        response = web.StreamResponse(status=drip.status)
        await response.prepare(request)
        with suppress(ConnectionError):
            while not self._closing.is_set():
                await response.write(b".")
                await self._pause(drip.every_s)
        return response

    async def _pause(self, delay_s: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), delay_s)
