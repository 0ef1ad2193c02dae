"""The egress proxy (HTTP CONNECT): if it is configured, all webhooks go through it.

A proxy resolves names itself, later than we do and perhaps to another address, so a check here would not hold for the
connection (DNS rebinding). Therefore we resolve the name, check every address, and ask the proxy for a concrete one
(CONNECT 203.0.113.7:443); TLS verifies the certificate for the name, and `Host` has the name. A proxy that filters too,
as Smokescreen does, is a second line of defence. Where only the proxy can resolve names, or allows by name, `resolves`
leaves both to it: then the proxy alone must refuse internal addresses. Literal addresses and names of local networks
are refused here all the same.

An http URL, which only test mode outside production may have, goes to the proxy in absolute form, with the vetted
address in it. RFC 9112 (3.2.2) lets the proxy put that into `Host`: a receiver with several names may see the address.

If a proxy opens no tunnel, its status says whose fault that is. 407 (wrong credentials, or refused by Smokescreen),
403, 500 and others are a fault on our side. 502 and 504 mean that the receiver could not be reached (RFC 9110), which
counts against it: a dead one would be retried forever otherwise. 503 is the proxy's own failure, except from Squid,
which sends it for a dead receiver, with X-Squid-Error. A Proxy-Status header (RFC 9209) precedes the status.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from yarl import URL

STATUS_ERROR = re.compile(r";\s*error=([a-z_]+)", re.ASCII)
# Types of Proxy-Status errors that say something of the receiver.
ITS_ERRORS = frozenset(
    {
        "connection_refused",
        "connection_terminated",
        "connection_timeout",
        "destination_ip_unroutable",
        "destination_not_found",
        "destination_unavailable",
        "dns_error",
        "dns_timeout",
    }
)
ITS_SQUID_ERRORS = ("ERR_CANNOT_FORWARD", "ERR_CONNECT_FAIL", "ERR_DNS_FAIL")


@dataclass(frozen=True, slots=True)
class Proxy:
    """The URL of a proxy, with credentials if it needs them; and whether it resolves, and checks, host names."""

    url: URL = field(repr=False)
    resolves: bool = False

    @property
    def address(self) -> tuple[str | None, int | None]:
        """Its host and port."""
        return self.url.raw_host, self.url.port


def parse(text: str) -> URL:
    """The URL of a proxy. Raises ValueError, which does not repeat it: there may be a password in it."""
    try:
        url = URL(text)
        host, port = url.raw_host, url.port
    except ValueError:
        raise ValueError("it does not parse as a URL") from None
    if url.scheme not in ("http", "https"):
        raise ValueError("it must begin with http:// or https://")
    if not host or not port:
        raise ValueError("it names no host, or port 0")
    if url.raw_path not in ("", "/") or url.raw_query_string or url.raw_fragment:
        raise ValueError("a proxy has no path, no query and no fragment")
    return url


def blames_receiver(status: int, headers: Mapping[str, str]) -> bool:
    """Whether a proxy that opened no tunnel says that the receiver could not be reached."""
    if said := STATUS_ERROR.findall(headers.get("Proxy-Status", "")):
        return said[-1] in ITS_ERRORS  # of several proxies, the last is the nearest one
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        return headers.get("X-Squid-Error", "").startswith(ITS_SQUID_ERRORS)
    return status in (HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT)
