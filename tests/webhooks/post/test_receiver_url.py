"""URLs of receivers: what parses can be worked with everywhere, and keeps its bytes."""

import asyncio
import random
from collections.abc import Iterator

import pytest
from aiohttp import ClientRequest, ClientSession, ClientTimeout
from yarl import URL

from webhooks.post import receiver_url
from webhooks.post.http1 import Http1Client
from webhooks.post.receiver_url import ReceiverUrl, UrlUnreadable
from webhooks.post.sender import HEADERS
from webhooks.post.ssrf import Policy, UrlRefused

GENERATED = 100_000
DEVELOPMENT = Policy(production=False)

# fmt: off
LABELS = [
    "a", "example", "xn--a", "xn--bcher-kva", "xn--", "xn--0", "xn--zzzzzz", "xn--ls8h", "b\u00fccher",
    "\u00df", "\u0130", "\u200d", "\u0660", "\uff11", "-a", "a-", "a--b", "_x", "\U0001f600", "\u0644\u0644",
    "1", "0x7f", "\ud800", "a" * 63, "a" * 64, "%61", "%", "*", "a]b", "[", "~", "\u3002", "LOCALHOST",
    "x\u0308", "\u1100\u1161",
]
HOSTS = ["127.0.0.1", "[::1]", "[::ffff:1.2.3.4]", "[v1.x]", "[::1%25lo]", "[]", "[:::]", "1.1.1.1.", "", "0", "::1"]
PORTS = [
    "",
    "",
    "",
    ":",
    ":80",
    ":443",
    ":8443",
    ":0",
    ":65535",
    ":65536",
    ":99999",
    ":-1",
    ":+1",
    ":\u0661",
    ":1x",
    ":080",
]
STARTS = [
    "https://",
    "https://",
    "https://",
    "http://",
    "HTTPS://",
    "https:/",
    "https:",
    "ftp://",
    "//",
    "",
    "https:///",
]
USERS = ["", "", "", "", "", "u@", "u:p@", "@", ":@"]
PIECES = [
    "/", "//", ".", "..", "/./", "/../", "a", "%2F", "%2f", "%", "%zz", "%00", "?", "&", "=", "&&", "#", "+",
    "%20", ";", "@", ":", "[", "]", "{", "|", "}", "^", "`", '"', "<", ">", "'", "~", "!", "$", "*", "\u00fc",
    "\U0001f600", "\ud800", "\\", " ", "\t", "\r\n", "\x7f", "\x85", "\u2028",
]
# fmt: on


def generated(count: int, seed: int = 8) -> Iterator[str]:
    chance = random.Random(seed)
    for _ in range(count):
        host = (
            chance.choice(HOSTS)
            if chance.random() < 0.2
            else ".".join(chance.choice(LABELS) for _ in range(chance.randint(1, 3)))
        )
        rest = "".join(chance.choice(PIECES) for _ in range(chance.randint(0, 6)))
        url = (
            chance.choice(STARTS)
            + chance.choice(USERS)
            + host
            + chance.choice(PORTS)
            + chance.choice("/? ").strip()
            + rest
        )
        if chance.random() < 0.1:  # and some that are no longer anything
            at = chance.randrange(len(url) + 1)
            url = url[:at] + chr(chance.choice([chance.randrange(128), chance.randrange(0x11_0000)])) + url[at:]
        yield url


def accepted(url: str) -> ReceiverUrl | None:
    try:
        return DEVELOPMENT.vet_url(url)
    except UrlRefused:
        return None


async def test_of_100_000_urls_each_that_is_accepted_works_in_every_parser() -> None:
    session = ClientSession()
    wire = Http1Client(session, HEADERS, timeout=ClientTimeout())
    passed, origins = 0, set()
    for url in generated(GENERATED):
        parsed = accepted(url)
        if parsed is None:
            continue
        passed += 1
        head = wire.target(parsed).head.encode("ascii")
        request_line, host_line, *_ = head.split(b"\r\n")
        assert request_line == f"{parsed.target} HTTP/1.1".encode(), url
        assert host_line == f"Host: {parsed.authority}".encode()
        assert request_line.count(b" ") == 1
        assert parsed.target.startswith("/")
        through_a_proxy = parsed.origin.with_host("203.0.113.7")
        assert (through_a_proxy.raw_host, through_a_proxy.port) == ("203.0.113.7", parsed.port)
        if parsed.origin not in origins:
            origins.add(parsed.origin)
            request = ClientRequest("POST", parsed.origin, loop=asyncio.get_running_loop(), session=session)
            assert (request.host, request.port) == (parsed.host, parsed.port), url
            assert (request.connection_key.host, request.headers["Host"]) == (parsed.host, parsed.authority)
            assert str(request.request_info)
            again = receiver_url.parse(f"{parsed.origin}{parsed.target}")  # what the wire says is the same URL
            assert (again.host, again.port, again.target) == (parsed.host, parsed.port, parsed.target)
        whole = URL(url)  # a second parser sees the same host
        assert ((whole.raw_host or "").lower(), whole.port, whole.scheme) == (
            parsed.host,
            parsed.port,
            parsed.scheme,
        ), url
    await session.close()
    assert passed > GENERATED // 100
    assert len(origins) > 50


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://e.example", "/"),
        ("https://e.example?a", "/?a"),
        ("https://e.example/?", "/?"),
        ("https://e.example/t?sig=aB%2FcD%2BeF%3D%3D&go=%2Fa%2Fb", "/t?sig=aB%2FcD%2BeF%3D%3D&go=%2Fa%2Fb"),
        ("https://e.example/a/./b/../c//d/", "/a/./b/../c//d/"),
        ("https://e.example/../..", "/../.."),
        ("https://e.example/?b=2&a=1&&b=&=", "/?b=2&a=1&&b=&="),
        ("https://e.example/%7e%7E~?%zz%", "/%7e%7E~?%zz%"),
        ("https://e.example/a+b%20c;d=1,2!$'()*", "/a+b%20c;d=1,2!$'()*"),
        ('https://e.example/{a}|[b]^`"<>', '/{a}|[b]^`"<>'),
        ("https://e.example/a#fragment?not", "/a"),
        ("https://e.example/\u00fc?\U0001f600", "/%C3%BC?%F0%9F%98%80"),
        ("https://e.example/a?b?c/d@e:f", "/a?b?c/d@e:f"),
    ],
)
def test_the_target_keeps_its_bytes(url: str, target: str) -> None:
    assert receiver_url.parse(url).target == target


@pytest.mark.parametrize(
    ("url", "host", "port", "authority"),
    [
        ("https://Example.COM/", "example.com", 443, "example.com"),
        ("https://example.com:443/", "example.com", 443, "example.com"),
        ("https://example.com:/", "example.com", 443, "example.com"),
        ("http://example.com:08080/", "example.com", 8080, "example.com:8080"),
        ("https://b\u00fccher.example:8443/", "xn--bcher-kva.example", 8443, "xn--bcher-kva.example:8443"),
        ("https://[2606:4700:0:0::1111]:8443/", "2606:4700::1111", 8443, "[2606:4700::1111]:8443"),
    ],
)
def test_host_and_port_are_worked_out_once(url: str, host: str, port: int, authority: str) -> None:
    parsed = receiver_url.parse(url)
    assert (parsed.host, parsed.port, parsed.authority, parsed.host_and_port) == (
        host,
        port,
        authority,
        f"{host}:{port}",
    )


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("https://a]b[@", "user name"),
        ("https://a]b[", "cannot be read"),
        ("http://xn--a.com/", "cannot be read"),
        ("ftp://example.com/", "begin with"),
        ("https:///x", "no host"),
        ("https://example.com:65536/", "cannot be read"),
        ("https://example.com/\ud800", "cannot be read"),
        ("https://example.com/" + "a" * 9000, "8192 characters"),
        ("https://example.com/\x7f", "control characters"),
    ],
)
def test_what_cannot_be_worked_with_does_not_parse(url: str, why: str) -> None:
    with pytest.raises(UrlUnreadable, match=why):
        receiver_url.parse(url)
