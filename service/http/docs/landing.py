"""The landing page at `/`, with a link to the reference, and the favicon.

Everybody else is answered by the API, which asks for a key. A browser that is asked for a key shows a sign-in box.
"""

from collections.abc import Awaitable, Callable

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
REFERENCE = "docs"  # relative, for there may be a path prefix before it
ICON = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect width="16" height="16" rx="3" fill="#3a3f9c"/>'
    b'<path d="M5 3.5h4a2.5 2.5 0 0 1 0 5H5zm0 0v9m3-4 3 4" fill="none" stroke="#fff" stroke-width="1.6"/></svg>'
)


def reference(otherwise: Handler) -> Handler:
    """A handler of `/` that sends browsers to the reference."""

    async def handle(request: web.Request) -> web.StreamResponse:
        if "text/html" in request.headers.get("Accept", "") and "Authorization" not in request.headers:
            return web.Response(status=302, headers={"Location": REFERENCE})
        return await otherwise(request)

    return handle


async def icon(request: web.Request) -> web.Response:
    """The icon, which browsers ask for by themselves."""
    return web.Response(body=ICON, content_type="image/svg+xml", headers={"Cache-Control": "max-age=86400"})
