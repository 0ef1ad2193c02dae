"""`/openapi.json`, the API's description of itself, and `/docs`, a page to read it with; `/asyncapi.json`, what comes
out of the broker. None asks for a key.

The page is three files of our own, and its policy lets it load nothing else from anywhere.
"""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from importlib import resources

from aiohttp import web

from service.http.operation import Operation

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
FILES = {
    "/docs": ("index.html", "text/html"),
    "/docs/": ("index.html", "text/html"),
    "/docs/docs.css": ("docs.css", "text/css"),
    "/docs/docs.js": ("docs.js", "text/javascript"),
}


class Document:
    """A description, made when it is first asked for."""

    def __init__(self, make: Callable[[], bytes]) -> None:
        self._make = make
        self._made: asyncio.Future[bytes] | None = None

    async def serve(self, request: web.Request) -> web.Response:
        """The document, which other sites' tools may read too."""
        if self._made is None:
            self._made = asyncio.ensure_future(asyncio.to_thread(self._make))
        body = await asyncio.shield(self._made)
        answer = _file(request, body, "application/json")
        answer.headers["Access-Control-Allow-Origin"] = "*"
        return answer


def asyncapi(exchange: str) -> web.RouteDef:
    """The document of the notices of `exchange`."""

    def make() -> bytes:
        from service import asyncapi

        return asyncapi.dumps(exchange)

    return web.get("/asyncapi.json", Document(make).serve)


def routes(operations: Sequence[Operation]) -> list[web.RouteDef]:
    """The document of `operations`, and the page."""
    directory = resources.files("service.http.docs")

    def make() -> bytes:
        from service.http import openapi  # takes a second to load, which a service need not that nobody asks

        return openapi.dumps(operations)

    return [
        web.get("/openapi.json", Document(make).serve),
        *(
            web.get(path, _Served(directory.joinpath(name).read_bytes(), type).serve)
            for path, (name, type) in FILES.items()
        ),
    ]


class _Served:
    """Serves a file of the page."""

    def __init__(self, body: bytes, content_type: str) -> None:
        self._body = body
        self._content_type = content_type

    async def serve(self, request: web.Request) -> web.Response:
        """The file, under the page's policy."""
        answer = _file(request, self._body, self._content_type)
        answer.headers["Content-Security-Policy"] = POLICY
        answer.headers["Referrer-Policy"] = "no-referrer"
        return answer


def _file(request: web.Request, body: bytes, content_type: str) -> web.Response:
    """What does not change while the service runs: whoever has it already is told so."""
    tag = hashlib.sha256(body).hexdigest()[:32]
    headers = {"Cache-Control": "no-cache", "ETag": f'"{tag}"'}
    if any(known.value in (tag, "*") for known in request.if_none_match or ()):
        return web.Response(status=304, headers=headers)
    answer = web.Response(body=body, content_type=content_type, charset="utf-8", headers=headers)
    answer.enable_compression()
    return answer
