"""The sender: one signed POST and its outcome, with timeouts and bounded memory whatever the receiver does.

The address of every connection is checked when the socket is opened (SSRF protection), and redirects are not followed.
With an egress proxy (webhooks/post/proxy.py) the address is checked before the proxy is asked to connect to it.
Cookies, proxy environment variables and compression are not used. A connection is kept alive for the next POST to the
same receiver if its answer was read to the end.
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
from typing import Self, cast

import aiohttp
from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, TCPConnector

from events.version import VERSION
from webhooks import explanation
from webhooks.outcome import Fault, Outcome
from webhooks.post import proxy as egress
from webhooks.post import signature
from webhooks.post.answer import AnswerReader
from webhooks.post.http1 import CertificateIllegible, Http1Client, Target, Unanswered, Way
from webhooks.post.proxy import Proxy
from webhooks.post.receiver_url import ReceiverUrl
from webhooks.post.resolver import Doubt, Lookup, Resolver
from webhooks.post.ssrf import AddressRefused, AddrInfo, Policy, UrlRefused, is_address

CONNECT_TIMEOUT_S = 5.0  # DNS lookup, TCP and TLS
TOTAL_TIMEOUT_S = 15.0  # to the end of the answer
IN_FLIGHT_MAX = 512
KEEPALIVE_S = 4.0  # many servers close after 5 s: ours is shorter, so that a new POST rarely meets that close
URLS_KEPT_MAX = 16_384
ADDRESSES_MAX = 4  # of a host name, that are tried through a proxy one after another
PROBE_TIMEOUT_S = 1.0
HEADERS = {
    "Content-Type": "application/json; charset=utf-8",
    "User-Agent": f"Rollbook/{VERSION} (+webhooks)",
    "Accept-Encoding": "identity",
}
NO_HEADERS: Mapping[str, str] = {}
OWN_SHORTAGES = frozenset({EMFILE, ENFILE, ENOBUFS, ENOMEM, EADDRNOTAVAIL})


class Sender:
    """Sends deliveries over one connection pool; `async with` opens and closes it.

    At most `in_flight_max` are in flight. A further one waits, and that wait counts against neither its timeout nor its
    duration. `tls` has the trusted CAs and a client certificate; by default the system's CAs, and no certificate.
    `lookup` resolves names; by default the system's resolver.
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
        self._resolver: Resolver | None = None
        self._session: ClientSession | None = None
        self._http1: Http1Client | None = None

    async def __aenter__(self) -> Self:
        self._resolver = Resolver(self._lookup)
        timeout = ClientTimeout(total=None, connect=self._connect_timeout_s)
        self._session = ClientSession(
            connector=TCPConnector(
                limit=0,  # `in_flight_max` is the limit; a wait in the connector would count as the receiver's delay
                keepalive_timeout=KEEPALIVE_S,
                resolver=self._resolver,
                use_dns_cache=False,  # the resolver has a cache
                socket_factory=self._open_socket,
                ssl=self._tls or True,
            ),
            timeout=timeout,
            cookie_jar=DummyCookieJar(),
        )
        self._http1 = Http1Client(
            self._session, HEADERS, timeout=timeout, proxy=None if self._proxy is None else self._proxy.url
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._session is not None, "opened before it is closed"
        assert self._resolver is not None
        await self._session.close()
        await self._resolver.close()
        self._session = self._resolver = self._http1 = None
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
        """Send `body` unchanged, signed with each of `secrets` at `timestamp` (Unix seconds) under the notice's `id`.

        `headers` are sent in addition to those of the signature.

        Failures of the receiver, the network or the URL are not raised: they are in the outcome.
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
            except (*FAILURES, aiohttp.ClientError) as raised:
                error = raised
            duration_ms = round((monotonic() - began) * 1000)
            answer = attempt.answer
            code = await self._code(error, attempt, target) if error is not None or self._proxy is not None else None
        return Outcome(
            status=answer.status,
            fault=cast(Fault, explanation.fault_of(code)),
            code=code,
            duration_ms=duration_ms,
            excerpt=answer.excerpt,
            retry_after=answer.retry_after,
        )

    def _vet(self, url: str) -> Target:
        """The target of a URL that policy allows. Raises UrlRefused."""
        assert self._http1 is not None, "the sender is open"
        return self._http1.target(self._policy.vet_url(url))

    async def _exchange(self, attempt: "_Attempt", target: Target, body: bytes, headers: dict[str, str]) -> None:
        """Post and read the answer; retried once if the receiver had closed the kept-alive connection."""
        try:
            await self._post_and_read(attempt, target, body, headers)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
            if attempt.connected or isinstance(error, aiohttp.ClientConnectorError):
                raise
            attempt.open = False
            attempt.answer = AnswerReader()
            await self._post_and_read(attempt, target, body, headers)

    async def _post_and_read(self, attempt: "_Attempt", target: Target, body: bytes, headers: dict[str, str]) -> None:
        """Post and read the answer; where a proxy cannot reach an address of the receiver, the next one is tried."""
        assert self._http1 is not None, "the sender is open"
        if self._proxy is None:
            connection = await self._http1.connect(target, None)
            await self._http1.post(connection, target, None, body, headers, attempt.answer)
            return
        *others, last = await self._ways(self._proxy, target.url)
        for way in others:
            try:
                connection = await self._http1.connect(target, way)
            except aiohttp.ClientHttpProxyError as error:
                if not egress.blames_receiver(error.status, error.headers or {}):
                    raise
            else:
                break
        else:
            way, connection = last, await self._http1.connect(target, last)
        attempt.open = True
        await self._http1.post(connection, target, way, body, headers, attempt.answer)

    async def _ways(self, proxy: Proxy, target: ReceiverUrl) -> list[Way]:
        """The origins to ask a proxy for: one for each allowed address, or the host name if the proxy resolves names.

        Raises:
            AddressRefused: policy allows none of the addresses.
            _NameFailed: the name did not resolve.
        """
        if proxy.resolves or is_address(target.host):
            return [Way(target.origin)]
        assert self._resolver is not None, "the sender is open"
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                found = [each["host"] for each in await self._resolver.resolve(target.host, target.port)]
        except OSError as error:
            raise _NameFailed(None if isinstance(error, TimeoutError) else error) from error
        vetted = [address for address in found if self._policy.allowed(address)]
        if not vetted:
            raise AddressRefused(target.host, target.port, "no address of it is open")
        name = target.host if target.scheme == "https" else None
        return [Way(target.origin.with_host(address), name) for address in vetted[:ADDRESSES_MAX]]

    def _open_socket(self, found: AddrInfo) -> socket:
        attempt = _current.get()
        if self._proxy is not None:  # the only address to connect to is the proxy, which the operator has set
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

    async def _code(self, error: Exception | None, attempt: "_Attempt", target: Target) -> str | None:
        """The error code of an attempt (webhooks/explanation.py); None once the receiver has sent a status."""
        status = attempt.answer.status
        if status is not None:
            ours = self._proxy is not None and target.url.scheme == "http"
            return "proxy" if ours and status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED else None
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
            return await self._proxy_code(error, self._proxy)
        match error:
            case aiohttp.ClientConnectorDNSError():
                return await self._name_fault(error.os_error)
            case aiohttp.ConnectionTimeoutError() if not (attempt.connected or attempt.refused):
                return await self._name_fault(None)
            case _:
                return _code(error, attempt)

    async def _name_fault(self, reason: OSError | None) -> Fault:
        assert self._resolver is not None, "the sender is open"
        return "resolver" if await self._resolver.ours_to_blame(reason) else "dns"

    async def _proxy_code(self, error: Exception, proxy: Proxy) -> str:
        """The error code of an attempt that failed before the connection through the proxy was established."""
        match error:
            case aiohttp.ClientHttpProxyError():
                return "connect.proxy" if egress.blames_receiver(error.status, error.headers or {}) else "proxy"
            case aiohttp.ClientSSLError() if (error.host, error.port) != proxy.address:
                return _tls_code(error)
            case CertificateIllegible():
                return "tls.certificate"
            case aiohttp.ClientConnectorError() if (error.host, error.port) != proxy.address:
                return "connect.proxy"
            case TimeoutError():
                # A proxy that accepts connections was waiting for the receiver; one that does not is itself at fault.
                return "connect.proxy" if await self._proxy_listens.works() else "proxy"
            case _:
                return "proxy"

    async def _takes_connections(self) -> bool:
        assert self._proxy is not None
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_S):
                _, writer = await asyncio.open_connection(*self._proxy.address)
        except OSError:
            return False
        writer.close()
        return True


class _NameFailed(Exception):
    """A name did not resolve; without a `reason`, the lookup timed out."""

    def __init__(self, reason: OSError | None) -> None:
        super().__init__(reason)
        self.reason = reason


FAILURES = (TimeoutError, AddressRefused, CertificateIllegible, Unanswered, _NameFailed)


class _Attempt:
    """The state of an attempt in flight."""

    __slots__ = ("answer", "connected", "open", "refused")

    def __init__(self) -> None:
        self.connected = False  # a connection to an allowed address was begun; False on a kept-alive one
        self.open = False  # through a proxy: the tunnel and its TLS are established
        self.refused = False  # policy refused an address of the host
        self.answer = AnswerReader()


# The connector does not pass the attempt on; its tasks inherit the context of the task that posts.
_current: ContextVar[_Attempt] = ContextVar("attempt")


def _code(error: Exception, attempt: _Attempt) -> str:
    """The error code of a failure to connect to a receiver, or to read its answer."""
    match error:
        case aiohttp.ClientSSLError() | aiohttp.ServerFingerprintMismatch():
            return _tls_code(error)
        case CertificateIllegible():
            return "tls.certificate"
        case aiohttp.ClientConnectorError() if attempt.refused and not attempt.connected:
            return "address_refused"
        case aiohttp.ClientConnectorError(os_error=ConnectionResetError(errno=None)):
            return "tls.closed"  # raised by asyncio, without an errno
        case aiohttp.ClientConnectorError():
            return explanation.of_connection(error.os_error)
        case aiohttp.ConnectionTimeoutError():
            return "connect.timeout"
        case TimeoutError():
            return "timeout"
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError():
            return "reset"
        case Unanswered():
            return f"protocol.{error.why}"
        case _:
            return "protocol"


def _tls_code(error: Exception) -> str:
    cause = error.certificate_error if isinstance(error, aiohttp.ClientConnectorCertificateError) else None
    return explanation.of_tls(cause or getattr(error, "os_error", None))
