"""An inbox to point a webhook at while there is no receiver yet: what is POSTed to it is shown to whoever watches.

Development only. `curl -N http://127.0.0.1:8420/dev/inbox` shows what came lately and then what comes.
"""

import asyncio
from collections import deque

from aiohttp import web

from service.http import answer_headers

PATH = "/dev/inbox"
KEPT_MAX = 20
WATCHERS_MAX = 16
WAITING_MAX = 100
SHOWN_HEADERS = ("Stripe-Signature", "webhook-id", "User-Agent")


class Inbox:
    """Keeps the last webhooks received, in memory."""

    def __init__(self) -> None:
        self._kept: deque[bytes] = deque(maxlen=KEPT_MAX)
        self._watchers: set[asyncio.Queue[bytes]] = set()

    async def receive(self, request: web.Request) -> web.Response:
        """Take a webhook, as any receiver would."""
        body = await request.read()
        head = [f"POST {request.path}"] + [
            f"{name}: {request.headers[name]}" for name in SHOWN_HEADERS if name in request.headers
        ]
        shown = "\n".join(head).encode() + b"\n\n" + body + b"\n\n"
        self._kept.append(shown)
        for watcher in self._watchers:
            if not watcher.full():  # one that does not read misses some
                watcher.put_nowait(shown)
        return web.Response(text="received\n")

    async def watch(self, request: web.Request) -> web.StreamResponse:
        """Show what came and what comes, until the watcher goes away."""
        if len(self._watchers) >= WATCHERS_MAX:
            raise web.HTTPTooManyRequests(text="too many are watching\n")
        answer = web.StreamResponse(
            headers=(*answer_headers.OF_ANYTHING, ("Content-Type", "text/plain; charset=utf-8"))
        )
        await answer.prepare(request)
        watcher: asyncio.Queue[bytes] = asyncio.Queue(maxsize=WAITING_MAX)
        self._watchers.add(watcher)
        try:
            for shown in list(self._kept):
                await answer.write(shown)
            while shown := await watcher.get():
                await answer.write(shown)
            return answer
        except ConnectionResetError:
            return answer
        finally:
            self._watchers.discard(watcher)

    async def close(self, application: web.Application) -> None:
        """Let every watcher go."""
        for watcher in self._watchers:
            while not watcher.empty():
                watcher.get_nowait()
            watcher.put_nowait(b"")

    def routes(self) -> list[web.RouteDef]:
        """Where it receives and where it is watched."""
        return [web.post(PATH, self.receive), web.get(PATH, self.watch)]
