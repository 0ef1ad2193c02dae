"""The webhook inbox of development (request bin): a receiver that streams the requests POSTed to it to its viewers.

Development only. `curl -N http://127.0.0.1:8420/dev/inbox` shows the latest webhooks and then new ones. All viewers
read from one bounded buffer: a viewer that falls behind misses some, and one that does not read is disconnected.
"""

import asyncio
from collections import deque
from contextlib import suppress

from aiohttp import web

from service.http import answer_headers

PATH = "/dev/inbox"
KEPT_MAX = 20
KEPT_BYTES_MAX = 2 * 1024 * 1024
SHOWN_BYTES_MAX = 64 * 1024  # of one body
WATCHERS_MAX = 16
READ_TIMEOUT_S = 30.0
LOOK_EVERY_S = 5.0
SHOWN_HEADERS = ("Stripe-Signature", "webhook-id", "User-Agent")


class Inbox:
    """Keeps the last webhooks received, in memory."""

    def __init__(self) -> None:
        self._kept: deque[bytes] = deque()
        self._kept_bytes = 0
        self._received = 0  # in all; the kept ones are the last of them
        self._came = asyncio.Condition()
        self._watching = 0
        self._closed = False

    async def receive(self, request: web.Request) -> web.Response:
        """Take a webhook, as any receiver would."""
        body = await request.read()
        head = [f"POST {request.path}"] + [
            f"{name}: {request.headers[name]}" for name in SHOWN_HEADERS if name in request.headers
        ]
        rest = len(body) - SHOWN_BYTES_MAX
        body = body if rest <= 0 else body[:SHOWN_BYTES_MAX] + f"… and {rest} bytes more".encode()
        async with self._came:
            self._keep("\n".join(head).encode() + b"\n\n" + body + b"\n\n")
            self._came.notify_all()
        return web.Response(text="received\n")

    def _keep(self, shown: bytes) -> None:
        self._kept.append(shown)
        self._kept_bytes += len(shown)
        self._received += 1
        while len(self._kept) > KEPT_MAX or self._kept_bytes > KEPT_BYTES_MAX:
            self._kept_bytes -= len(self._kept.popleft())

    async def watch(self, request: web.Request) -> web.StreamResponse:
        """Show what came and what comes, until the watcher goes away."""
        if self._watching >= WATCHERS_MAX:
            raise web.HTTPTooManyRequests(text="too many are watching\n")
        answer = web.StreamResponse(
            headers=(*answer_headers.OF_ANYTHING, ("Content-Type", "text/plain; charset=utf-8"))
        )
        self._watching += 1
        try:
            await answer.prepare(request)
            await self._show(request, answer)
        except TimeoutError:
            if (transport := request.transport) is not None:
                transport.abort()  # what waits to be sent goes with it
        except ConnectionError:
            pass
        finally:
            self._watching -= 1
        return answer

    async def _show(self, request: web.Request, answer: web.StreamResponse) -> None:
        """Write what came and what comes. Raises TimeoutError when it is not read."""
        next_one = 0
        while request.transport is not None:
            await self._beyond(next_one)
            if self._closed:
                return
            while next_one < self._received:
                first = self._received - len(self._kept)
                next_one = max(next_one, first)
                shown = self._kept[next_one - first]
                next_one += 1
                async with asyncio.timeout(READ_TIMEOUT_S):
                    await answer.write(shown)

    async def _beyond(self, count: int) -> None:
        """Until more than `count` were received, or it is time to see whether the watcher is there still."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_EVERY_S), self._came:
                await self._came.wait_for(lambda: self._closed or self._received > count)

    async def close(self, application: web.Application) -> None:
        """Close the streams of all viewers."""
        async with self._came:
            self._closed = True
            self._came.notify_all()

    def routes(self) -> list[web.RouteDef]:
        """Where it receives and where it is watched."""
        return [web.post(PATH, self.receive), web.get(PATH, self.watch)]
