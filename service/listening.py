"""Listening sockets: binding host and port, and their URLs."""

import asyncio
import errno
import socket
from typing import Any

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


async def require_free(host: str, port: int) -> None:
    """Find out whether `start` could listen there, without doing it. Raises OSError."""
    flags = socket.AI_PASSIVE
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
    unassigned: OSError | None = None
    bound = False
    for family, kind, protocol, _, address in found:
        try:
            _bind(family, kind, protocol, address)
            bound = True
        except OSError as error:
            if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                raise
            unassigned = error  # such as ::1, by the name of localhost, on a machine without IPv6
    if unassigned is not None and not bound:
        raise unassigned


def _bind(family: int, kind: int, protocol: int, address: tuple[Any, ...]) -> None:
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do, for connections that linger
        if family == socket.AF_INET6:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, address[0] != EVERY_ADDRESS)
        probe.bind(address)


def url(host: str, port: int) -> str:
    """The URL of a service that listens there; an address of IPv6 stands in brackets (RFC 3986)."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
