"""Routes of the API documentation: `/openapi.json`, its reference `/docs`, and `/asyncapi.json` for RabbitMQ. No key
needed.

The page consists of three files of our own, and its content security policy forbids loading anything else.
"""

import asyncio
import gzip
import hashlib
from collections.abc import Callable, Sequence
from importlib import resources
from typing import ClassVar

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from service.http.docs import landing
from service.http.large_body import LargeBody
from service.http.operation import Operation

POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
FILES = {
    "/docs": ("index.html", "text/html"),
    "/docs/docs.css": ("docs.css", "text/css"),
    "/docs/docs.js": ("docs.js", "text/javascript"),
}


KEY = b"EXAMPLE_KEY"  # stands for it in the page
SENDING_MAX = 64  # documents that are being sent: a client that does not read keeps a part of one in memory
BUSY = b"Too many clients are reading. Ask again later.\n"


class DocumentBody(LargeBody):
    """A document while it is being sent: part by part, and counted, since its readers need no key."""

    sending: ClassVar[int] = 0

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Write the document part by part; a client that does not read is cut off by its connection's timeout."""
        DocumentBody.sending += 1
        try:
            await super().write(writer)
        finally:
            DocumentBody.sending -= 1


class Document:
    """A description, made when it is first asked for."""

    def __init__(self, make: Callable[[], bytes]) -> None:
        self._make = make
        self._made: asyncio.Future[_File] | None = None

    async def serve(self, request: web.Request) -> web.Response:
        """The document, which other sites' tools may read too."""
        if self._made is None:
            self._made = asyncio.ensure_future(asyncio.to_thread(lambda: _File(self._make(), "application/json")))
        file = await asyncio.shield(self._made)
        answer = file.answer(request)
        answer.headers["Access-Control-Allow-Origin"] = "*"
        return answer


def asyncapi(exchange: str) -> web.RouteDef:
    """The document of the events that are published to `exchange`."""

    def make() -> bytes:
        from service import asyncapi

        return asyncapi.dumps(exchange)

    return web.get("/asyncapi.json", Document(make).serve)


def routes(operations: Sequence[Operation], example_key: str) -> list[web.RouteDef]:
    """The document of `operations`, and the page, whose examples use that key."""
    directory = resources.files("service.http.docs")

    def make() -> bytes:
        from service.http import openapi  # takes a second to load, which a service need not that nobody asks

        return openapi.dumps(operations)

    return [
        web.get("/openapi.json", Document(make).serve),
        *(
            web.get(path, _Served(directory.joinpath(name).read_bytes().replace(KEY, example_key.encode()), type).serve)
            for path, (name, type) in FILES.items()
        ),
        web.get("/docs/", _to_the_page),
        web.get("/favicon.ico", landing.icon),
    ]


async def _to_the_page(request: web.Request) -> web.Response:
    """Redirect to the one address of the page: its files are addressed relative to it, so that it works behind a path
    prefix.
    """
    return web.Response(status=308, headers={"Location": "../docs"})


class _Served:
    """Serves a file of the page."""

    def __init__(self, body: bytes, content_type: str) -> None:
        self._file = _File(body, content_type)

    async def serve(self, request: web.Request) -> web.Response:
        """The file, under the page's policy."""
        answer = self._file.answer(request)
        answer.headers["Content-Security-Policy"] = POLICY
        answer.headers["Referrer-Policy"] = "no-referrer"
        return answer


class _File:
    """What does not change while the service runs, compressed once: served with an ETag."""

    def __init__(self, body: bytes, content_type: str) -> None:
        self._body = body
        self._compressed = gzip.compress(body, mtime=0)
        self._content_type = content_type
        self._tag = hashlib.sha256(body).hexdigest()[:32]

    def answer(self, request: web.Request) -> web.Response:
        """Serve a file, compressed if the client accepts it; 304 if the client has it, 503 while too many are sent."""
        headers = {"Cache-Control": "no-cache", "ETag": f'"{self._tag}"', "Vary": "Accept-Encoding"}
        if any(known.value in (self._tag, "*") for known in request.if_none_match or ()):
            return web.Response(status=304, headers=headers)
        if DocumentBody.sending >= SENDING_MAX:
            refused = {"Cache-Control": "no-store", "Retry-After": "1"}
            return web.Response(status=503, body=BUSY, content_type="text/plain", charset="utf-8", headers=refused)
        body = self._body
        if _takes_gzip(request.headers.get("Accept-Encoding", "")):
            body = self._compressed
            headers["Content-Encoding"] = "gzip"
        content_type = f"{self._content_type}; charset=utf-8"
        return web.Response(body=DocumentBody(body, content_type), headers=headers)


def _takes_gzip(accepted: str) -> bool:
    """Whether an Accept-Encoding names gzip without refusing it (RFC 9110, 12.5.3)."""
    for part in accepted.lower().split(","):
        coding, _, weight = part.partition(";")
        if coding.strip() == "gzip":
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False
