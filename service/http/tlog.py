"""`/checkpoint` and `/tile/…`: the log's Merkle tree for everybody (C2SP tlog-tiles), hashes only, without a key.

Whoever may reach the API may read them unless ROLLBOOK_TILES_OPEN is false. A process has few such reads in PostgreSQL
at once and a few more that wait; others are answered 503.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable

from aiohttp import web

from events.sealed_tree import SealedTree
from events.supervision import DATABASE_ERRORS
from events.tiles import WIDTH, TileId, number_of

READS_MAX = 2
WAITING_MAX = 64
LEVEL_MAX = 63
LEVEL = re.compile(r"0|[1-9][0-9]?")
PARTIAL = re.compile(r"[1-9][0-9]{0,2}")
OCTETS = "application/octet-stream"
TEXT = "text/plain; charset=utf-8"
FOR_EVER = "public, max-age=31536000, immutable"
HEADERS = {"Access-Control-Allow-Origin": "*", "X-Content-Type-Options": "nosniff"}

Read = Callable[[], Awaitable[bytes | None]]


class TileServer:
    """Serves the tree."""

    def __init__(self, tree: SealedTree) -> None:
        self._tree = tree
        self._reads = asyncio.Semaphore(READS_MAX)
        self._waiting = 0

    def routes(self) -> list[web.RouteDef]:
        """The routes; what is spelled otherwise is an unknown route of the API."""
        return [
            web.get("/checkpoint", self._checkpoint),
            web.get("/tile/entries/{path:.+}", self._entries),
            web.get("/tile/{level:[0-9]+}/{path:.+}", self._tile),
        ]

    async def _checkpoint(self, request: web.Request) -> web.Response:
        async def read() -> bytes | None:
            newest = await self._tree.checkpoint()
            return None if newest is None else newest.note.encode()

        return await self._answer(read, TEXT, "no-cache")

    async def _tile(self, request: web.Request) -> web.Response:
        level, (number, width) = request.match_info["level"], _index(request.match_info["path"])
        if not LEVEL.fullmatch(level) or int(level) > LEVEL_MAX or number is None:
            return _refused(404, "There is no such tile.")
        id = TileId(int(level), number)
        return await self._answer(lambda: self._tree.tile(id, width), OCTETS, FOR_EVER)

    async def _entries(self, request: web.Request) -> web.Response:
        number, width = _index(request.match_info["path"])
        if number is None:
            return _refused(404, "There is no such entry bundle.")
        return await self._answer(lambda: self._tree.entries(number, width), OCTETS, FOR_EVER)

    async def _answer(self, read: Read, content_type: str, cache: str) -> web.Response:
        """What is read, or a 404 or 503."""
        if self._waiting >= WAITING_MAX:
            return _refused(503, "Too many tiles are being read. Ask again later.")
        self._waiting += 1
        try:
            async with self._reads:
                body = await read()
        except DATABASE_ERRORS:
            return _refused(503, "The log cannot be read now. Ask again later.")
        finally:
            self._waiting -= 1
        if body is None:
            return _refused(404, "The tree does not have it, or not yet.")
        return web.Response(body=body, headers={"Content-Type": content_type, "Cache-Control": cache, **HEADERS})


def _index(path: str) -> tuple[int | None, int]:
    """Index and width in the path of a tile, such as `x001/067` or `x001/067.p/8`; None for what is not one."""
    number, partial, width = path.partition(".p/")
    if not partial:
        return number_of(number), WIDTH
    if not PARTIAL.fullmatch(width) or int(width) >= WIDTH:
        return None, 0
    return number_of(number), int(width)


def _refused(status: int, why: str) -> web.Response:
    headers = {"Content-Type": TEXT, "Cache-Control": "no-store", **HEADERS}
    if status == 503:
        headers["Retry-After"] = "1"
    return web.Response(status=status, text=None, body=f"{why}\n".encode(), headers=headers)
