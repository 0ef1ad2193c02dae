"""Requests made up at random, sent as bytes: whatever comes, the answer is no fault of ours, and quotes no card number.

Forms, multipart forms, JSON, headers, methods, versions and framing, whole, broken, cut and pipelined. The seed is fixed
and the number small; ROLLBOOK_FUZZ=20000 sends more, and ROLLBOOK_FUZZ_SEED others.
"""

# ruff: noqa: E501  (raw requests are read best in one line each)
import asyncio
import os
import random
import re
from collections import Counter

import structlog

from service.http.app import OPERATIONS
from tests.service.http import raw
from tests.service.serving import Api

OTHER_PATHS = ["/", "/docs", "/openapi.json", "/healthz", "/metrics", "//x", "x", "*", "/v2/x", "/favicon.ico"]
REQUESTS = int(os.environ.get("ROLLBOOK_FUZZ", "400"))
SEED = int(os.environ.get("ROLLBOOK_FUZZ_SEED", "8420"))
AT_ONCE = 8
CARD = "4532015112830366"
STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) ")

METHODS = (
    ["GET"] * 4
    + ["POST"] * 8
    + ["DELETE", "PUT", "PATCH", "HEAD", "OPTIONS", "TRACE", "CONNECT", "get", "G T", "", "PRI"]
)
VERSIONS = ["HTTP/1.1"] * 12 + [
    "HTTP/1.0",
    "HTTP/0.9",
    "HTTP/2.0",
    "HTTP/1.2",
    "HTTP/9.9",
    "HTTP/1",
    "http/1.1",
    "",
    "X",
]
IDS = [
    "cus_x",
    "tok_visa",
    "pm_card_visa",
    "a%0Ab",
    "%00",
    "%FF",
    "..",
    "%2E%2E",
    "%7B%7D",
    "a%2Fb",
    "é",
    "x" * 300,
    CARD,
    "*",
]
NAMES = [
    "name",
    "email",
    "metadata",
    "metadata[a]",
    "address[line1]",
    "card[number]",
    "card[exp_month]",
    "url",
    "limit",
    "enabled_events[]",
    "expand[]",
    "balance",
    "amount",
    "currency",
    "source",
    "type",
    "items[0][id]",
    "query",
    "a[b][c]",
    "created[gte]",
    "types[]",
    "customer",
    "percent_off",
    "duration",
    "tax_id_data[0][type]",
    "frozen_time",
    "key",
    "starting_after",
    "[]",
    "a[",
    "]a",
    "",
    "a[][b]",
    "preferred_locales[1]",
    "invoice_settings[custom_fields]",
]
VALUES = [
    "x",
    "",
    "0",
    "-1",
    "1",
    "true",
    "null",
    "9" * 30,
    "1e9",
    "1.5",
    CARD,
    "usd",
    "*",
    "é",
    "%C3%A9",
    "%FF",
    "%",
    "%zz",
    "%00",
    "\ud83d",
    "name:'x'",
    'name~"x',
    "email:(",
    "https://a]b[@",
    "https://xn--a.com/",
    "http://[::1",
    "data.customer",
    "a@b.co",
    "4242 4242 4242 4242",
    "x" * 6000,
    "%F0%9F%98%80" * 60,
    "+",
    "&",
    "=",
    "'; drop",
    "{}",
    "[]",
    "\\u0000",
]
HEADERS = [
    "Idempotency-Key: ",
    "Stripe-Version: ",
    "Stripe-Account: ",
    "traceparent: ",
    "Content-Encoding: ",
    "Expect: ",
    "Origin: ",
    "Access-Control-Request-Method: ",
    "Upgrade: ",
    "Connection: ",
    "Content-Length: ",
    "Transfer-Encoding: ",
    "Content-Type: ",
    "Cookie: ",
    "If-None-Match: ",
    "Range: ",
    "Accept: ",
    "Host: ",
    "X Y: ",
    "No-Colon",
    " folded: ",
    ": ",
]
HEADER_VALUES = [
    "x",
    "",
    "gzip",
    "deflate",
    "br",
    "zstd",
    "100-continue",
    "chunked",
    "gzip, chunked",
    "identity",
    "0",
    "-1",
    "5",
    "+5",
    "99999999999999999999",
    "websocket",
    "h2c",
    "close",
    "keep-alive",
    "upgrade",
    "text/html",
    "null",
    f"order-{CARD}",
    "2026-10-28.endive",
    "00-" + "a" * 32 + "-" + "b" * 16 + "-01",
    "é",
    "\x00",
    "\x7f",
    "x" * 9000,
    '"',
    "*",
    "bytes=0-1",
    "multipart/form-data",
    "multipart/form-data; boundary=",
    "application/json",
    "application/x-www-form-urlencoded; x=;",
]
TYPES = (
    ["application/x-www-form-urlencoded"] * 3
    + ["multipart/form-data; boundary=B"] * 3
    + [
        "application/json",
        "text/plain",
        "",
        "multipart/mixed; boundary=B",
        "multipart/form-data",
        'multipart/form-data; boundary="B',
        "application/octet-stream",
        "é",
    ]
)
SCRAPS = [
    b"\r\n",
    b"\r",
    b"\n",
    b"\0",
    b"\xff",
    b"--B",
    b"--",
    b'"',
    b":",
    b";",
    b"=",
    b"&",
    b"%",
    b"[",
    b"]",
    b"{",
    b"0\r\n\r\n",
    b" ",
]
WHOLE = [  # kinds of request that attack framing, of which the rest is made
    b"GET / HTTP/1.1\nHost: x\n\n", b"\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\x00\x01", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET http://x/v1/customers HTTP/1.1\r\nHost: x\r\n\r\n", b"GET http:// HTTP/1.1\r\nHost: x\r\n\r\n", b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
    b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n", b"GET //[ HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /v1/customers HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n", b"GET /\r\n", b"GET / HTTP/1.1\r\nHost: x\r\n X: y\r\n\r\n", b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
    b"POST /v1/customers HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
    b"POST /v1/customers HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    b"POST /v1/customers HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nname=x",
    b"POST /v1/customers HTTP/1.1\r\nHost: x\r\nContent_Length: 5\r\n\r\nname=", b"POST /v1/tokens HTTP/1.1\r\nHost: x\r\nContent-Length: \xd9\xa1\r\n\r\nx",
    *(b"POST /v1/tokens HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:%s\r\n\r\n5\r\nkey=x\r\n0\r\n\r\n" % coding for coding in (
        b" chunked", b"chunked", b" Chunked", b" chunked, gzip", b" gzip, chunked", b" xchunked", b"\tchunked", b" chunked;q=1", b' "chunked"',
        b" identity", b" chunked\r\nTransfer-Encoding: identity", b"\x0bchunked")),
    *(b"POST /v1/tokens HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n%s\r\nkey=x\r\n0\r\n\r\n" % size for size in (
        b"5;a=b", b"5 ", b"0x5", b"-5", b"+5", b"5\n", b"FFFFFFFFFFFFFFFFF", b"00000000000000005", b"5;" + b"x" * 9000, b"", b"g", b"5\r")),
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: x\r\n\r\n",
    b"GET /v1/customers HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 50, b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X%d: y\r\n" % n for n in range(300)) + b"\r\n",
    b"GET /v1/a\0b HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /#x?y HTTP/1.1\r\nHost: x\r\n\r\n",
]  # fmt: skip


class Maker:
    """Makes requests up from a seed."""

    def __init__(self, api: Api, seed: int) -> None:
        self._dice, self._api = random.Random(seed), api

    def request(self) -> bytes:
        """A request, or several, or a part of one."""
        dice = self._dice
        made = dice.choice(WHOLE) if dice.random() < 0.12 else self._made()
        if dice.random() < 0.15:
            made = self._broken(made)
        if dice.random() < 0.05:
            made = made[: dice.randrange(len(made) + 1)]
        return made * 2 if dice.random() < 0.05 else made

    def _made(self) -> bytes:
        dice = self._dice
        operation = dice.choice(OPERATIONS)
        method = operation.method if dice.random() < 0.7 else dice.choice(METHODS)
        path = operation.path if dice.random() < 0.9 else dice.choice(OTHER_PATHS)
        path = re.sub("{.*?}", lambda _: dice.choice(IDS), path)
        if dice.random() < 0.3:
            path += "?" + self._form()
        body = b"" if dice.random() < 0.2 else self._body()
        version = "HTTP/1.1" if dice.random() < 0.8 else dice.choice(VERSIONS)
        lines = [f"{method} {path} {version}", "Host: x"]
        if dice.random() < 0.85:
            lines.append(f"Authorization: {dice.choice(['Bearer ', 'bearer ', 'Basic ', ''])}{self._api.key}")
        if body:
            lines.append(f"Content-Type: {dice.choice(TYPES)}")
        if body and dice.random() < 0.15:
            lines.append("Transfer-Encoding: chunked")
            body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        elif body or dice.random() < 0.3:
            lines.append(f"Content-Length: {len(body) + (dice.randint(-3, 3) if dice.random() < 0.05 else 0)}")
        for _ in range(dice.choice([0, 0, 0, 1, 1, 2, 4])):
            lines.insert(dice.randint(1, len(lines)), dice.choice(HEADERS) + dice.choice(HEADER_VALUES))
        return "\r\n".join(lines).encode("utf-8", "surrogatepass") + b"\r\n\r\n" + body

    def _form(self) -> str:
        dice = self._dice
        return "&".join(f"{dice.choice(NAMES)}={dice.choice(VALUES)}" for _ in range(dice.choice([0, 1, 1, 1, 2, 5])))

    def _body(self) -> bytes:
        dice = self._dice
        kind = dice.random()
        if kind < 0.4:
            made = self._form().encode("utf-8", "surrogatepass")
        elif kind < 0.75:
            made = b"".join(
                f'--B\r\nContent-Disposition: form-data; name="{dice.choice(NAMES)}"\r\n'
                f"{dice.choice(['', '', dice.choice(HEADERS) + dice.choice(HEADER_VALUES) + chr(13) + chr(10)])}\r\n"
                f"{dice.choice(VALUES)}\r\n".encode("utf-8", "surrogatepass")
                for _ in range(dice.randint(0, 4))
            )
            made += dice.choice([b"--B--\r\n", b"--B--", b"", b"--B"])
        else:
            made = dice.choice(
                [b'{"amount": 1}', b"{}", b"[]", b"[" * 1000, b'{"a": ' * 100, b'{"a": 1e999}', b"nul", b'{"\\ud800": "\\ud800"}',
                 b'{"currency": ["usd"], "status": {"a": null}}', b'"%s"' % CARD.encode(), b"9" * 4000, b'{"a": NaN}']
            )  # fmt: skip
        return self._broken(made) if dice.random() < 0.4 else made

    def _broken(self, made: bytes) -> bytes:
        dice, broken = self._dice, bytearray(made)
        for _ in range(dice.randint(1, 5)):
            at = dice.randrange(len(broken) + 1)
            broken[at : at + dice.randint(0, 4)] = dice.choice(SCRAPS)
        return bytes(broken)


async def answers(api: Api, request: bytes) -> bytes:
    """All that is answered once the client has shut its sending half; a client may be cut off, too."""
    async with raw.connection(api.port) as (reader, writer):
        try:
            writer.write(request)
            writer.write_eof()
            return await asyncio.wait_for(reader.read(), raw.TIMEOUT_S)
        except ConnectionError:
            return b""


async def test_no_request_is_answered_with_a_fault_of_ours(api: Api) -> None:
    maker, statuses = Maker(api, SEED), Counter[int]()
    waiting = iter(range(REQUESTS))

    async def send() -> None:
        for number in waiting:
            request = maker.request()
            said = await answers(api, request)
            for status in map(int, STATUS.findall(said)):
                statuses[status] += 1
                assert status < 500, (number, request)

    with structlog.testing.capture_logs() as lines:
        async with asyncio.TaskGroup() as senders:
            for _ in range(AT_ONCE):
                senders.create_task(send())
    print(f"{REQUESTS} requests of seed {SEED}: {dict(sorted(statuses.items()))}")
    assert statuses[200] > 0
    assert statuses[400] > 0
    assert [line for line in lines if line["log_level"] not in ("info", "debug")] == []
    assert CARD not in str(lines)
