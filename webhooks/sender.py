"""One signed POST, and what it came to: whatever a receiver does, it costs a bounded time and a bounded memory.

The address of every connection is vetted as it is made; redirects are answers like any other, so nothing leads
elsewhere. Through an egress proxy (webhooks/proxy.py) the address is vetted before the proxy is asked for it. Cookies,
proxies of the environment and compressed answers are left alone. Connections are kept for the next POST to the same
receiver as long as its answers are read to their end.
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
from types import SimpleNamespace, TracebackType
from typing import NamedTuple, Self

import aiohttp
from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, TCPConnector, TraceConfig
from yarl import URL

from webhooks import proxy as egress
from webhooks import signature
from webhooks.delivery import Fault, Outcome
from webhooks.guard import AddressRefused, AddrInfo, Policy, UrlRefused, is_address
from webhooks.names import Doubt, Lookup, Names
from webhooks.proxy import Proxy
from webhooks.receiver_url import ReceiverUrl
from webhooks.wire import Answer, Target, Wire

CONNECT_TIMEOUT_S = 5.0  # name, TCP and TLS
TOTAL_TIMEOUT_S = 15.0  # to the end of the answer
ANSWER_BYTES_MAX = 16 * 1024
EXCERPT_BYTES_MAX = 4 * 1024
RETRY_AFTER_CHARACTERS_MAX = 64  # a date takes 29
IN_FLIGHT_MAX = 512
KEEPALIVE_S = 4.0  # shorter than the 5 s after which many servers hang up, so that they rarely do it to a new POST
URLS_KEPT_MAX = 16_384
ADDRESSES_MAX = 4  # of a name, that a proxy is asked for in turn
PROBE_TIMEOUT_S = 1.0
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
    time. `tls` is who is trusted, and as whom we show ourselves; unset: whom the system trusts, and nobody. `lookup`
    resolves names; unset: the system's resolver.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        tls: ssl.SSLContext | None = None,
        proxy: Proxy | None = None,
        lookup: Lookup | None = None,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        total_timeout_s: float = TOTAL_TIMEOUT_S,
        in_flight_max: int = IN_FLIGHT_MAX,
    ) -> None:
        self._policy = policy
        self._tls = tls
        self._proxy = proxy
        self._lookup = lookup
        self._proxy_listens = Doubt(self._takes_connections)
        self._connect_timeout_s = connect_timeout_s
        self._total_timeout_s = total_timeout_s
        self._turns = asyncio.Semaphore(in_flight_max)
        self._vetted = lru_cache(URLS_KEPT_MAX)(self._vet)
        self._names: Names | None = None
        self._session: ClientSession | None = None
        self._wire: Wire | None = None

    async def __aenter__(self) -> Self:
        self._names = Names(self._lookup)
        timeout = ClientTimeout(total=None, connect=self._connect_timeout_s)
        self._session = ClientSession(
            connector=TCPConnector(
                limit=0,  # ours is `in_flight_max`; waiting inside would count as the receiver's delay
                keepalive_timeout=KEEPALIVE_S,
                resolver=self._names,
                use_dns_cache=False,  # it has one
                socket_factory=self._open_socket,
                ssl=self._tls or True,
            ),
            timeout=timeout,
            headers=HEADERS,
            cookie_jar=DummyCookieJar(),
            auto_decompress=False,
            read_bufsize=ANSWER_BYTES_MAX,
            proxy=None if self._proxy is None else self._proxy.url,
            trace_configs=[_watching_tunnels()] if self._proxy else None,
        )
        self._wire = Wire(self._session, HEADERS, timeout=timeout, read_max=ANSWER_BYTES_MAX)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._session is not None, "opened before it is closed"
        assert self._names is not None
        await self._session.close()
        await self._names.close()
        self._session = self._names = self._wire = None
        self._vetted.cache_clear()

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
            error: Exception | None = None
            try:
                async with asyncio.timeout(self._total_timeout_s):
                    await self._exchange(attempt, target, body, signed)
            except (TimeoutError, AddressRefused, _NameFailed, aiohttp.ClientError) as raised:
                error = raised
            duration_ms = round((monotonic() - began) * 1000)
            clear = error is None and self._proxy is None
            fault = None if clear else await self._fault(error, attempt, target)
        return Outcome(
            status=attempt.status,
            fault=fault,
            duration_ms=duration_ms,
            excerpt=bytes(attempt.excerpt),
            retry_after=attempt.retry_after,
        )

    def _vet(self, url: str) -> Target:
        """What to post to. Raises UrlRefused."""
        assert self._wire is not None, "the sender is open"
        return self._wire.target(self._policy.vet_url(url))

    async def _exchange(self, attempt: "_Attempt", target: Target, body: bytes, headers: dict[str, str]) -> None:
        """Post and read; once more when a kept connection turns out to have been closed by the receiver meanwhile."""
        try:
            await self._post_and_read(attempt, target, body, headers)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
            if attempt.status is not None or attempt.connected or isinstance(error, aiohttp.ClientConnectorError):
                raise
            attempt.open = False
            await self._post_and_read(attempt, target, body, headers)

    async def _post_and_read(self, attempt: "_Attempt", target: Target, body: bytes, headers: dict[str, str]) -> None:
        if self._proxy is None:
            assert self._wire is not None, "the sender is open"
            answer: Answer | aiohttp.ClientResponse = await self._wire.post(target, body, headers)
        else:
            answer = await self._post_through(self._proxy, target.url, body, headers)
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

    async def _post_through(
        self, proxy: Proxy, target: ReceiverUrl, body: bytes, headers: dict[str, str]
    ) -> aiohttp.ClientResponse:
        """The first answer there is: where a proxy cannot reach one address of a receiver, it is asked for the next."""
        assert self._session is not None, "the sender is open"
        *others, last = await self._ways(proxy, target)
        for url, host, name in others:
            try:
                return await self._session.post(
                    url, data=body, headers=headers | host, server_hostname=name, allow_redirects=False
                )
            except aiohttp.ClientHttpProxyError as error:
                if not egress.blames_receiver(error.status, error.headers or {}):
                    raise
        return await self._session.post(
            last.url, data=body, headers=headers | last.host, server_hostname=last.name, allow_redirects=False
        )

    async def _ways(self, proxy: Proxy, target: ReceiverUrl) -> list["_Way"]:
        """What to ask a proxy for: each vetted address of the host; the URL as it is from one that resolves.

        Raises:
            AddressRefused: none of them may be called.
            _NameFailed: there is none.
        """
        if proxy.resolves or is_address(target.host):
            return [_Way(absolute(target, target.origin), {}, None)]
        assert self._names is not None, "the sender is open"
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                found = [each["host"] for each in await self._names.resolve(target.host, target.port)]
        except OSError as error:
            raise _NameFailed(None if isinstance(error, TimeoutError) else error) from error
        vetted = [address for address in found if self._policy.allowed(address)]
        if not vetted:
            raise AddressRefused(target.host, target.port, "no address of it is open")
        said = {"Host": target.authority}
        name = target.host if target.scheme == "https" else None
        return [
            _Way(absolute(target, target.origin.with_host(address)), said, name) for address in vetted[:ADDRESSES_MAX]
        ]

    def _open_socket(self, found: AddrInfo) -> socket:
        attempt = _current.get()
        if self._proxy is not None:  # all there is to connect to is the proxy, which is the operator's word
            attempt.connected = True
            family, kind, protocol, *_ = found
            return socket(family, kind, protocol)
        try:
            opened = self._policy.open_socket(found)
        except AddressRefused:
            attempt.refused = True
            raise
        attempt.connected = True
        return opened

    async def _fault(self, error: Exception | None, attempt: "_Attempt", target: Target) -> Fault | None:
        """What went wrong, and on whose side."""
        if (
            self._proxy is not None
            and target.url.scheme == "http"
            and attempt.status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED
        ):
            return "proxy"
        match error:
            case None:
                return None
            case AddressRefused():
                return "address_refused"
            case aiohttp.ClientConnectorError(os_error=OSError(errno=number)) if number in OWN_SHORTAGES:
                return "exhausted"
            case _NameFailed():
                return await self._name_fault(error.reason)
        if self._proxy is not None and not attempt.open:
            return await self._proxy_fault(error, self._proxy)
        match error:
            case aiohttp.ClientConnectorDNSError():
                return await self._name_fault(error.os_error)
            case aiohttp.ConnectionTimeoutError() if not (attempt.connected or attempt.refused):
                return await self._name_fault(None)
            case _:
                return _fault(error, attempt)

    async def _name_fault(self, reason: OSError | None) -> Fault:
        assert self._names is not None, "the sender is open"
        return "resolver" if await self._names.ours_to_blame(reason) else "dns"

    async def _proxy_fault(self, error: Exception, proxy: Proxy) -> Fault:
        """What it is that nothing went through the proxy: a tunnel that broke as TLS began was there."""
        match error:
            case aiohttp.ClientHttpProxyError():
                return "connect" if egress.blames_receiver(error.status, error.headers or {}) else "proxy"
            case aiohttp.ClientSSLError() if (error.host, error.port) != proxy.place:
                return "tls"
            case aiohttp.ClientConnectorError() if (error.host, error.port) != proxy.place:
                return "connect"
            case TimeoutError():
                # It waits for the receiver, if it waits: one that takes no connection keeps us waiting itself.
                return "connect" if await self._proxy_listens.works() else "proxy"
            case _:
                return "proxy"

    async def _takes_connections(self) -> bool:
        assert self._proxy is not None
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_S):
                _, writer = await asyncio.open_connection(*self._proxy.place)
        except OSError:
            return False
        writer.close()
        return True


class _Way(NamedTuple):
    """A URL to post to; what `Host` says, if not what the URL does; and whose certificate it must be, likewise."""

    url: URL
    host: dict[str, str]
    name: str | None


def absolute(target: ReceiverUrl, origin: URL) -> URL:
    """The URL of a receiver with another host, to the byte otherwise: what a proxy is asked for."""
    return URL(f"{origin}{target.target}", encoded=True)


class _NameFailed(Exception):
    """A name did not resolve; without a `reason` there was silence."""

    def __init__(self, reason: OSError | None) -> None:
        super().__init__(reason)
        self.reason = reason


class _Attempt:
    """What is known of an attempt while it is on its way."""

    __slots__ = ("connected", "excerpt", "open", "refused", "retry_after", "status")

    def __init__(self) -> None:
        self.connected = False  # or tried to, to an address that policy allows; False on a kept connection too
        self.open = False  # through a proxy: all the way, TLS and all
        self.refused = False  # policy forbids an address of the host
        self.status: int | None = None
        self.excerpt = bytearray()
        self.retry_after: str | None = None


# The connector knows nothing of attempts; the tasks it connects in inherit the context of the one that posts.
_current: ContextVar[_Attempt] = ContextVar("attempt")


def _watching_tunnels() -> TraceConfig:
    """Notes when an attempt has a connection all the way through."""

    async def note(_: ClientSession, __: SimpleNamespace, ___: object) -> None:
        _current.get().open = True

    traced = TraceConfig()
    traced.on_connection_create_end.append(note)
    traced.on_connection_reuseconn.append(note)
    return traced


def _fault(error: Exception, attempt: _Attempt) -> Fault:
    """What went wrong on the way to a receiver, or with its answer."""
    match error:
        case aiohttp.ClientSSLError() | aiohttp.ServerFingerprintMismatch():
            return "tls"
        case aiohttp.ClientConnectorError() if attempt.refused and not attempt.connected:
            return "address_refused"
        case aiohttp.ClientConnectorError() | aiohttp.ConnectionTimeoutError():
            return "connect"
        case TimeoutError():
            return "timeout"
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError() | aiohttp.ClientPayloadError():
            return "reset"
        case _:
            return "protocol"
