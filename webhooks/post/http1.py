"""The HTTP/1.1 client of webhooks: POST only, over aiohttp's keep-alive connection pool, or through an egress proxy.

aiohttp's ClientSession costs twice the CPU time and normalizes URLs. This client has no redirects, cookies,
authentication, compression or chunked request bodies, none of which a webhook needs. Connections, DNS, proxy tunnels
and TLS are left to aiohttp's connector. The request target is byte for byte the registered one (receiver_url.py), and
an answer is read only as far as needed (answer.py).
"""

import asyncio
import base64
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple, cast

import aiohttp
from aiohttp import ClientRequest, ClientSession, ClientTimeout, TCPConnector
from aiohttp.client_proto import ResponseHandler
from yarl import URL

from webhooks.post.answer import HEAD_BYTES_MAX, AnswerReader
from webhooks.post.receiver_url import ReceiverUrl

ORIGINS_KEPT_MAX = 4_096
REST_TIMEOUT_S = 2.0  # for the rest of an answer, once its status line was read


class Target(NamedTuple):
    """A receiver's URL, and the start of a request for it: request target, Host, constant headers."""

    url: ReceiverUrl
    head: str


class Way(NamedTuple):
    """A route to a receiver through a proxy: the origin to connect to, and the name its certificate must have."""

    origin: URL
    name: str | None = None


class Unanswered(Exception):
    """The answer is not HTTP, or has no status within the size limits; `why` is the code of the reason."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class CertificateIllegible(Exception):
    """The receiver's certificate was accepted, and then could not be decoded."""


class Http1Client:
    """Posts over the connection pool of a session, through `proxy` if set; `timeout` bounds connecting."""

    def __init__(
        self, session: ClientSession, headers: Mapping[str, str], *, timeout: ClientTimeout, proxy: URL | None = None
    ) -> None:
        connector = session.connector
        assert isinstance(connector, TCPConnector), "the session is open"
        connector._factory = _connection_of_a_receiver  # type: ignore[assignment]  # aiohttp has no public way to set it
        self._session = session
        self._connector = connector
        self._timeout = timeout
        self._proxy = proxy
        self._credentials = _credentials(proxy)  # for http URLs; for tunnels the connector sends them
        self._always = _lines({**headers, "Accept": "*/*"})
        self._request = lru_cache(ORIGINS_KEPT_MAX)(self._new_request)

    def target(self, url: ReceiverUrl) -> Target:
        """The target of a URL, for `connect` and `post`; it may be cached."""
        return Target(url, f"{url.target} HTTP/1.1\r\nHost: {url.authority}\r\n{self._always}")

    async def connect(self, target: Target, way: Way | None) -> aiohttp.connector.Connection:
        """A connection to a receiver, with TLS and a proxy's tunnel established.

        Raises what the connector does, and CertificateIllegible for a certificate that the interpreter cannot decode.
        """
        request = self._request(way or Way(target.url.origin))
        try:
            return await self._connector.connect(request, [], self._timeout)
        except TimeoutError as error:
            raise aiohttp.ConnectionTimeoutError(f"Connection timeout to host {target.url.host_and_port}") from error
        except aiohttp.ClientError:
            raise  # one about certificates is a ValueError too
        except ValueError as error:  # raised when a field of a valid certificate is not text
            raise CertificateIllegible from error

    async def post(
        self,
        connection: aiohttp.connector.Connection,
        target: Target,
        way: Way | None,
        body: bytes,
        headers: Mapping[str, str],
        answer: AnswerReader,
    ) -> None:
        """Send a request, and read its answer into `answer`; the connection is kept alive if it can be reused.

        Raises:
            Unanswered: the answer is not HTTP, or has no status.
            aiohttp.ServerDisconnectedError, aiohttp.ClientOSError: the connection ended before a status came.
        """
        protocol = cast(ReceiverConnection, connection.protocol)
        try:
            if protocol.transport is None:
                raise aiohttp.ServerDisconnectedError
            answered = protocol.answer_into(answer)
            absolute = ""
            if self._proxy is not None and target.url.scheme == "http":
                absolute = str((way or Way(target.url.origin)).origin)
                headers = {**headers, **self._credentials}
            head = f"POST {absolute}{target.head}{_lines(headers)}Content-Length: {len(body)}\r\n\r\n"
            protocol.transport.write(head.encode() + body)
            await answered
        except BaseException:
            protocol.forget()
            connection.close()
            raise
        protocol.forget()
        if answer.reusable and not protocol.sending:
            connection.release()
        else:
            connection.close()
        if answer.status is None:
            raise Unanswered(answer.unreadable or "not_http")

    def _new_request(self, way: Way) -> ClientRequest:
        """The request object by which the connector opens and groups connections."""
        return ClientRequest(
            "POST",
            way.origin,
            loop=asyncio.get_running_loop(),
            session=self._session,
            proxy=self._proxy,
            server_hostname=way.name,
        )


class ReceiverConnection(ResponseHandler):
    """A connection whose bytes go to an AnswerReader; unsolicited bytes close it.

    While a proxy sets up a tunnel, aiohttp's own parser reads its answer.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._answer: AnswerReader | None = None
        self._answered: asyncio.Future[None] | None = None
        self._rest: asyncio.TimerHandle | None = None
        self._early = b""  # bytes that came before the first request
        self._used = False

    @property
    def sending(self) -> bool:
        """Whether part of the request is still in the write buffer."""
        return self.transport is None or self.transport.get_write_buffer_size() > 0

    def answer_into(self, answer: AnswerReader) -> "asyncio.Future[None]":
        """Read what arrives into `answer`; the future ends with it, or fails if the connection is lost first."""
        self._answer = answer
        self._answered = self._loop.create_future()
        self._used = True
        if self._early:
            early, self._early = self._early, b""
            self.data_received(early)
        return self._answered

    def forget(self) -> None:
        """Detach the answer reader, and stop its timer."""
        self._answer = None
        if self._answered is not None:
            self._answered.cancel()  # has no effect on one that is done
            self._answered = None
        if self._rest is not None:
            self._rest.cancel()
            self._rest = None

    def data_received(self, data: bytes) -> None:
        """Pass bytes to the answer reader, to aiohttp's parser during a tunnel's setup, or close the connection."""
        answer = self._answer
        if answer is None:
            if self._parser is not None:
                super().data_received(data)
            elif self._used or len(self._early) + len(data) > HEAD_BYTES_MAX:
                self.abort()
            else:
                self._early += data
            return
        answer.feed(data)
        if answer.done:
            self._wake()
        elif self._rest is None and answer.status is not None:
            self._rest = self._loop.call_later(REST_TIMEOUT_S, self._enough)

    def connection_lost(self, exc: BaseException | None) -> None:
        """End the answer with what was read, or fail if nothing was."""
        answer, answered = self._answer, self._answered
        if answer is not None and answered is not None and not answered.done():
            nothing = answer.status is None and answer.unreadable is None
            answer.stop()
            if not nothing:
                answered.set_result(None)
            elif isinstance(exc, OSError):
                answered.set_exception(aiohttp.ClientOSError(*exc.args))
            else:
                answered.set_exception(aiohttp.ServerDisconnectedError())
        super().connection_lost(exc)

    def _enough(self) -> None:
        if self._answer is not None:
            self._answer.stop()
            self._wake()

    def _wake(self) -> None:
        if self._answered is not None and not self._answered.done():
            self._answered.set_result(None)


def _connection_of_a_receiver() -> ReceiverConnection:
    return ReceiverConnection(asyncio.get_running_loop())


def _credentials(proxy: URL | None) -> dict[str, str]:
    """The Proxy-Authorization header for an http URL; empty without credentials."""
    if proxy is None or proxy.user is None:
        return {}
    said = f"{proxy.user}:{proxy.password or ''}".encode()
    return {"Proxy-Authorization": f"Basic {base64.b64encode(said).decode()}"}


def _lines(headers: Mapping[str, str]) -> str:
    lines = [f"{name}: {value}\r\n" for name, value in headers.items()]
    text = "".join(lines)
    assert text.count("\n") == text.count("\r") == len(lines), "a header is one line"
    return text
