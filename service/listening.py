"""Listening: sockets, and addresses as URLs write them."""

import socket

from aiohttp import web

BACKLOG = 1024
EVERY_ADDRESS = "::"


async def start(runner: web.BaseRunner, host: str, port: int) -> None:
    """Listen on an address; `::` is every address of IPv6 and of IPv4, where the machine has both. Raises OSError."""
    site: web.BaseSite = web.TCPSite(runner, host, port, backlog=BACKLOG, reuse_port=None)
    if host == EVERY_ADDRESS and socket.has_dualstack_ipv6():  # asyncio's own sockets for it are of IPv6 alone
        both = socket.create_server((host, port), family=socket.AF_INET6, backlog=BACKLOG, dualstack_ipv6=True)
        site = web.SockSite(runner, both, backlog=BACKLOG)
    await site.start()


def url(host: str, port: int) -> str:
    """The URL of a service that listens there; an address of IPv6 stands in brackets (RFC 3986)."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
