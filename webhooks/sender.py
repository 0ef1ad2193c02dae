"""One signed POST, and what it came to: whatever a receiver does, it costs a bounded time and a bounded memory.

The address of every connection is vetted as it is made; redirects are answers like any other, so nothing leads
elsewhere. Cookies, proxies of the environment and compressed answers are left alone. Connections are kept for the
next POST to the same receiver as long as its answers are read to their end.
"""

import asyncio
import ssl
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from errno import EADDRNOTAVAIL, EMFILE, ENFILE, ENOBUFS, ENOMEM
from functools import lru_cache
from http import HTTPStatus
from socket import socket
from time import monotonic
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, TCPConnector
from yarl import URL

from webhooks import signature
from webhooks.delivery import Fault, Outcome
from webhooks.guard import AddressRefused, AddrInfo, Policy, UrlRefused

CONNECT_TIMEOUT_S = 5.0  # name, TCP and TLS
TOTAL_TIMEOUT_S = 15.0  # to the end of the answer
ANSWER_BYTES_MAX = 16 * 1024
EXCERPT_BYTES_MAX = 4 * 1024
RETRY_AFTER_CHARACTERS_MAX = 64  # a date takes 29
IN_FLIGHT_MAX = 512
KEEPALIVE_S = 4.0  # shorter than the 5 s after which many servers hang up, so that they rarely do it to a new POST
URLS_KEPT_MAX = 16_384
HEADERS = {
    "Content-Type": "application/json; charset=utf-8",
    "User-Agent": "Rollbook/0.1 (+webhooks)",
    "Accept-Encoding": "identity",
}
NO_HEADERS: Mapping[str, str] = {}
OWN_SHORTAGES = frozenset({EMFILE, ENFILE, ENOBUFS, ENOMEM, EADDRNOTAVAIL})


class Sender:
    """Sends deliveries over one pool of connections; `async with` opens and closes it.

    No more than `in_flight_max` are on their way at once: a further one waits for its turn, on none of the receiver's
    time.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        tls: ssl.SSLContext | None = None,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        total_timeout_s: float = TOTAL_TIMEOUT_S,
        in_flight_max: int = IN_FLIGHT_MAX,
    ) -> None:
        self._policy = policy
        self._tls = tls
        self._connect_timeout_s = connect_timeout_s
        self._total_timeout_s = total_timeout_s
        self._turns = asyncio.Semaphore(in_flight_max)
        self._vetted = lru_cache(URLS_KEPT_MAX)(policy.vet_url)
        self._session: ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = ClientSession(
            connector=TCPConnector(
                limit=0,  # ours is `in_flight_max`; waiting inside would count as the receiver's delay
                keepalive_timeout=KEEPALIVE_S,
                socket_factory=self._open_socket,
                ssl=self._tls or True,
            ),
            timeout=ClientTimeout(total=None, connect=self._connect_timeout_s),
            headers=HEADERS,
            cookie_jar=DummyCookieJar(),
            auto_decompress=False,
            read_bufsize=ANSWER_BYTES_MAX,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._session is not None, "opened before it is closed"
        await self._session.close()
        self._session = None

    async def post(
        self,
        url: str,
        body: bytes,
        secrets: Iterable[str],
        *,
        id: str,
        timestamp: int,
        headers: Mapping[str, str] = NO_HEADERS,
    ) -> Outcome:
        """Send `body` as it is, signed with each of `secrets` at `timestamp` (Unix seconds) under the notice's `id`.

        `headers` are sent beside those that sign.

        Never raises for what the receiver, the network or the URL does: that is the outcome.
        """
        try:
            target = self._vetted(url)
        except UrlRefused:
            return Outcome(fault="address_refused", duration_ms=0)
        signed = {**headers, **signature.headers(body, secrets, id=id, timestamp=timestamp)}
        async with self._turns:
            began = monotonic()
            attempt = _Attempt()
            _current.set(attempt)
            fault: Fault | None = None
            try:
                async with asyncio.timeout(self._total_timeout_s):
                    await self._exchange(attempt, target, body, signed)
            except (TimeoutError, aiohttp.ClientError) as error:
                fault = _fault(error, attempt)
        return Outcome(
            status=attempt.status,
            fault=fault,
            duration_ms=round((monotonic() - began) * 1000),
            excerpt=bytes(attempt.excerpt),
            retry_after=attempt.retry_after,
        )

    async def _exchange(self, attempt: "_Attempt", target: URL, body: bytes, headers: dict[str, str]) -> None:
        """Post and read; once more when a kept connection turns out to have been closed by the receiver meanwhile."""
        try:
            await self._post_and_read(attempt, target, body, headers)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
            if attempt.status is not None or attempt.connected or isinstance(error, aiohttp.ClientConnectorError):
                raise
            await self._post_and_read(attempt, target, body, headers)

    async def _post_and_read(self, attempt: "_Attempt", target: URL, body: bytes, headers: dict[str, str]) -> None:
        assert self._session is not None, "the sender is open"
        answer = await self._session.post(target, data=body, headers=headers, allow_redirects=False)
        try:
            attempt.status = answer.status
            if answer.status >= HTTPStatus.MULTIPLE_CHOICES:
                attempt.retry_after = answer.headers.get("Retry-After", "")[:RETRY_AFTER_CHARACTERS_MAX] or None
            read = 0
            while read <= ANSWER_BYTES_MAX and not answer.content.at_eof():
                chunk = await answer.content.readany()
                attempt.excerpt += chunk[: max(EXCERPT_BYTES_MAX - read, 0)]
                read += len(chunk)
        finally:
            answer.close()  # and its connection, unless the answer was read to its end

    def _open_socket(self, found: AddrInfo) -> socket:
        attempt = _current.get()
        try:
            opened = self._policy.open_socket(found)
        except AddressRefused:
            attempt.refused = True
            raise
        attempt.connected = True
        return opened


class _Attempt:
    """What is known of an attempt while it is on its way."""

    __slots__ = ("connected", "excerpt", "refused", "retry_after", "status")

    def __init__(self) -> None:
        self.connected = False  # or tried to, to an address that policy allows; False on a kept connection too
        self.refused = False  # policy forbids an address of the host
        self.status: int | None = None
        self.excerpt = bytearray()
        self.retry_after: str | None = None


# The connector knows nothing of attempts; the tasks it connects in inherit the context of the one that posts.
_current: ContextVar[_Attempt] = ContextVar("attempt")


def _fault(error: BaseException, attempt: _Attempt) -> Fault:
    match error:
        case aiohttp.ClientConnectorDNSError():
            return "dns"
        case aiohttp.ClientSSLError() | aiohttp.ServerFingerprintMismatch():
            return "tls"
        case aiohttp.ClientConnectorError() if attempt.refused and not attempt.connected:
            return "address_refused"
        case aiohttp.ClientConnectorError(os_error=OSError(errno=number)) if number in OWN_SHORTAGES:
            return "exhausted"
        case aiohttp.ClientConnectorError() | aiohttp.ConnectionTimeoutError():
            return "connect"
        case TimeoutError():
            return "timeout"
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError() | aiohttp.ClientPayloadError():
            return "reset"
        case _:
            return "protocol"
