"""The Host check of development, against DNS rebinding: a web page may not reach the service by a name of its own.

A browser lets a page call its own origin. A page whose name is made to point at 127.0.0.1 would so reach a development
service, whose key everybody knows. Names that only this machine and its network can mean are answered.
"""

import socket
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from ipaddress import ip_address

from aiohttp import web

# RFC 6761, RFC 6762, RFC 8375, and the .internal that ICANN reserved.
PRIVATE_SUFFIXES = (".localhost", ".local", ".internal", ".test", ".home.arpa", ".lan")
KNOWN_MAX = 256
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class HostCheck:
    """Answers requests for hosts that no public name can mean, and refuses the others."""

    def __init__(self, own: str) -> None:
        self._own = {own.lower(), socket.gethostname().lower(), socket.getfqdn().lower()}
        self._known: set[str] = set()  # values of the header that passed

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse a request for another host."""
        host = request.headers.get("Host", "")
        if host not in self._known and not self._allows(host):
            return web.json_response({"error": {"type": "invalid_request_error", "message": MESSAGE}}, status=STATUS)
        return await handler(request)

    def _allows(self, host: str) -> bool:
        if not self.allows(host):
            return False
        if len(self._known) >= KNOWN_MAX:
            self._known.clear()
        self._known.add(host)
        return True

    def allows(self, host: str) -> bool:
        """Whether a Host header names this machine, or one of a network that is not public."""
        name = _without_port(host).lower().removesuffix(".")
        if name in self._own or "." not in name or name.endswith(PRIVATE_SUFFIXES):
            return True
        try:
            ip_address(name)
        except ValueError:
            return False
        return True


STATUS = HTTPStatus.FORBIDDEN
MESSAGE = (
    "In development, requests are answered for localhost, addresses and names of a private network only, so that no "
    "web page can make them. Set ROLLBOOK_HOST to the name you use, or ROLLBOOK_ENV=production."
)


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() and ":" not in name else host
