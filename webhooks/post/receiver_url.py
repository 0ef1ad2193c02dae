"""The URL of a receiver, parsed once: the one parser for registration, policy, grouping by host, sending and proxies.

Whatever is asked of a URL later is a plain field here, worked out while parsing. So a URL either survives everything
that is done with it, or it does not parse at all. The request target (path and query) keeps the bytes that were
registered: percent-encoding, dots, empty segments and the order of the query are left alone, because a receiver may
compare or sign them. Only what HTTP cannot carry is changed: letters beyond ASCII become percent-encoded UTF-8, and a
fragment is never sent.
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
LETTERS_MAX = 8_192  # many servers read no longer request line


class UrlUnreadable(ValueError):
    """A text that is no http or https URL; says why."""


@dataclass(frozen=True, slots=True)
class ReceiverUrl:
    """Where a receiver is, and what it is asked for."""

    scheme: str  # http or https
    host: str  # in ASCII and lower case; an IPv6 address without its brackets
    bracketed: bool  # the host was written as an IPv6 address
    port: int
    authority: str  # host and port as the Host header says them: without the default port
    target: str  # path and query as they were registered
    origin: URL  # what connections are made by

    @property
    def host_and_port(self) -> str:
        """Host and port, by which attempts are grouped."""
        return f"{self.host}:{self.port}"


def parse(text: str) -> ReceiverUrl:
    """The URL in a text. Raises UrlUnreadable, and nothing else, for whatever cannot be worked with."""
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
            origin = origin.with_host(host)  # IDNA leaves labels of ASCII as they are written
        port, authority = origin.port, origin.host_port_subcomponent
        _survives(origin)
    except Exception as error:  # of whatever class: yarl, its IDNA and the interpreter's have several
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
    """Ask what the HTTP client may ask while it connects or reports an error: some labels encode but do not decode."""
    _ = (origin.host, origin.authority, origin.human_repr(), str(origin), origin.host_subcomponent)


def _why_not(text: str) -> str:
    scheme, found, rest = text.partition("://")
    if not found or scheme.lower() not in DEFAULT_PORTS:
        return "it must begin with https:// or http://"
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if "@" in authority:
        return "it must not contain a user name or password"
    return "its host and port cannot be read"
