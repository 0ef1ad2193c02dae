"""The URL of a receiver: the only URL parser, for registration, policy, grouping by host, sending and proxies.

Everything that is needed of a URL later is a field, computed while parsing: a URL that parses can be used everywhere.
The request target (path and query) keeps the bytes that were registered: percent-encoding, dots, empty segments and the
order of the query are unchanged, because a receiver may compare or sign them. Only what HTTP cannot transport is
changed: characters beyond ASCII become percent-encoded UTF-8, and a fragment is never sent.
"""

import re
from dataclasses import dataclass
from urllib.parse import quote

from yarl import URL

FORBIDDEN_LETTER = re.compile(r"[\x00-\x20\x7f\\]")
URL_PARTS = re.compile(
    r"""(?P<scheme>https?)://
    (?P<authority>(?P<host>\[[^\[\]@:/?#]*(?::[^\[\]@:/?#]*)*\]|[^\[\]@:/?#]*)(?::(?P<port>[0-9]{0,5}))?)
    (?P<target>[/?][^#]*)?(?:\#.*)?""",
    re.ASCII | re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
ASCII_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))
DEFAULT_PORTS = {"http": 80, "https": 443}
LETTERS_MAX = 8_192  # many servers accept no longer request line


class UrlUnreadable(ValueError):
    """The text is not a valid http or https URL; the message says why."""


@dataclass(frozen=True, slots=True)
class ReceiverUrl:
    """A parsed URL of a receiver."""

    scheme: str  # http or https
    host: str  # ASCII, lower case; an IPv6 address without brackets
    bracketed: bool  # whether the host is an IPv6 address
    port: int
    authority: str  # the Host header: without the default port
    target: str  # path and query, as registered
    origin: URL  # used to open connections

    @property
    def host_and_port(self) -> str:
        """Host and port; attempts are grouped by them."""
        return f"{self.host}:{self.port}"


def parse(text: str) -> ReceiverUrl:
    """Parse a URL. Raises UrlUnreadable, and nothing else, for every text that is unusable."""
    if FORBIDDEN_LETTER.search(text):
        raise UrlUnreadable("it contains spaces, control characters or backslashes")
    parts = URL_PARTS.fullmatch(text)
    if parts is None:
        raise UrlUnreadable(_why_not(text))
    if not parts["host"]:
        raise UrlUnreadable("it names no host")
    scheme = parts["scheme"].lower()
    try:
        target = quote(parts["target"] or "/", safe=ASCII_PRINTABLE)
        origin = URL(f"{scheme}://{parts['authority']}/").origin()
        host = (origin.raw_host or "").lower()
        if host != origin.raw_host:
            origin = origin.with_host(host)  # IDNA does not change ASCII labels
        port, authority = origin.port, origin.host_port_subcomponent
        _survives(origin)
    except Exception as error:  # of any class: yarl, its IDNA library and the interpreter raise several
        raise UrlUnreadable("its host and port cannot be read") from error
    if not host or port is None or not authority or not (host.isascii() and authority.isascii()):
        raise UrlUnreadable("its host and port cannot be read")
    if len(target) > LETTERS_MAX:
        raise UrlUnreadable(f"its path and query take more than {LETTERS_MAX} characters")
    return ReceiverUrl(
        scheme=scheme,
        host=host,
        bracketed=parts["host"].startswith("["),
        port=port,
        authority=authority,
        target=target if target.startswith("/") else f"/{target}",
        origin=origin,
    )


def _survives(origin: URL) -> None:
    """Call what the HTTP client may call to connect or to report an error: some labels can be encoded but not
    decoded.
    """
    _ = (origin.host, origin.authority, origin.human_repr(), str(origin), origin.host_subcomponent)


def _why_not(text: str) -> str:
    scheme, found, rest = text.partition("://")
    if not found or scheme.lower() not in DEFAULT_PORTS:
        return "it must begin with https:// or http://"
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if "@" in authority:
        return "it must not contain a user name or password"
    return "its host and port cannot be read"
