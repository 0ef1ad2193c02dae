"""Cross-origin requests (CORS, https://fetch.spec.whatwg.org/#http-cors-protocol): browsers make tokens from any page.

Every answer may be read by the page that asked, for a key is needed to ask; browsers send no credentials of their own,
since no answer allows them. The one key that is no secret, development's, is refused to pages of other machines: else
any page that a developer opens could read and change what the service holds.
"""

import os
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from aiohttp import web
from multidict import istr

from events import ids
from service.http import answer_headers

ORIGIN = istr("Origin")
METHOD_ASKED = istr("Access-Control-Request-Method")
LOOPBACK = frozenset(("localhost", "127.0.0.1", "::1"))
# `*` stands for every name but Authorization, in browsers that know it; the others get the usual list.
ALLOWED = (
    "Authorization, Content-Type, Idempotency-Key, Stripe-Account, Stripe-Context, Stripe-Version, traceparent, "
    "X-Requested-With, X-Stripe-Client-Telemetry, X-Stripe-Client-User-Agent, *"
)
PREFLIGHT_HEADERS = (
    *answer_headers.OF_ANYTHING,
    (istr("Access-Control-Allow-Origin"), "*"),
    (istr("Access-Control-Allow-Methods"), "GET, POST, PUT, DELETE"),
    (istr("Access-Control-Allow-Headers"), ALLOWED),
    (istr("Access-Control-Max-Age"), "300"),
)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def preflights(otherwise: Handler, answered: Callable[[int, float], None]) -> Handler:
    """A handler of OPTIONS: answers browsers' preflights, which bring no key, and leaves the rest to `otherwise`."""

    async def handle(request: web.Request) -> web.StreamResponse:
        if ORIGIN not in request.headers or METHOD_ASKED not in request.headers:
            return await otherwise(request)
        answered(204, 0.0)
        request_id = ids.new("req", os.urandom(ids.ID_BYTES))
        return web.Response(status=204, headers=(*PREFLIGHT_HEADERS, ("Request-Id", request_id)))

    return handle


def of_this_machine(origin: str) -> bool:
    """Whether a page of that origin was served by the machine of its reader."""
    try:
        return urlsplit(origin).hostname in LOOPBACK
    except ValueError:
        return False
