"""The HTTP/1.1 client of webhooks: POST only, over aiohttp's keep-alive connection pool, or through an egress proxy.

A ClientSession can do far more, costs twice as much, and asks for another URL than the one it was given. What is left
out are redirects, cookies, authentication, compression and bodies in pieces, none of which a webhook has; whatever
concerns connections, names, tunnels and TLS is the connector's. What is asked for is said byte for byte as it was
registered (webhooks/post/receiver_url.py), and an answer is read no further than it matters (webhooks/post/answer.py).
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
REST_TIMEOUT_S = 2.0  # for what follows the status line, which is all that counts


class Target(NamedTuple):
    """A URL, and how a request for it begins."""

    url: ReceiverUrl
    head: str


class Way(NamedTuple):
    """How a proxy is asked for a receiver: the origin it connects to, and whose certificate that must show."""

    origin: URL
    name: str | None = None


class Unanswered(Exception):
    """What came is no HTTP answer, or its status never came within the bounds; says which by a code."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class CertificateIllegible(Exception):
    """The receiver's certificate was accepted, and then could not be decoded."""


class Http1Client:
    """Posts over the connections of a session, made within its `timeout`, through `proxy` where there is one."""

    def __init__(
        self, session: ClientSession, headers: Mapping[str, str], *, timeout: ClientTimeout, proxy: URL | None = None
    ) -> None:
        connector = session.connector
        assert isinstance(connector, TCPConnector), "the session is open"
        connector._factory = _connection_of_a_receiver  # type: ignore[assignment]  # aiohttp has no other way to say so
        self._session = session
        self._connector = connector
        self._timeout = timeout
        self._proxy = proxy
        self._credentials = _credentials(proxy)  # a tunnel is asked for by the connector, which shows them itself
        self._always = _lines({**headers, "Accept": "*/*"})
        self._request = lru_cache(ORIGINS_KEPT_MAX)(self._new_request)

    def target(self, url: ReceiverUrl) -> Target:
        """What `post` takes for a URL, which may be kept."""
        return Target(url, f"{url.target} HTTP/1.1\r\nHost: {url.authority}\r\n{self._always}")

    async def connect(self, target: Target, way: Way | None) -> aiohttp.connector.Connection:
        """A connection to a receiver, all the way.

        Raises what the connector does, and CertificateIllegible for a certificate that the interpreter cannot decode.
        """
        request = self._request(way or Way(target.url.origin))
        try:
            return await self._connector.connect(request, [], self._timeout)
        except TimeoutError as error:
            raise aiohttp.ConnectionTimeoutError(f"Connection timeout to host {target.url.host_and_port}") from error
        except ValueError as error:  # whatever its fields hold that is no text: it was signed, and is read afterwards
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
        """Send, and read the answer into `answer`; the connection is kept if it can serve another request.

        Raises:
            Unanswered: what came is no answer.
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
        """What the connector makes connections by."""
        return ClientRequest(
            "POST",
            way.origin,
            loop=asyncio.get_running_loop(),
            session=self._session,
            proxy=self._proxy,
            server_hostname=way.name,
        )


class ReceiverConnection(ResponseHandler):
    """A connection whose bytes go to an AnswerReader; those that nobody asked for end it.

    aiohttp reads with it what a proxy says of a tunnel, before there is a receiver.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._answer: AnswerReader | None = None
        self._answered: asyncio.Future[None] | None = None
        self._rest: asyncio.TimerHandle | None = None
        self._early = b""  # what came before anything was asked
        self._used = False

    @property
    def sending(self) -> bool:
        """Whether some of the request was not sent yet."""
        return self.transport is None or self.transport.get_write_buffer_size() > 0

    def answer_into(self, answer: AnswerReader) -> "asyncio.Future[None]":
        """Have what comes read by `answer`; the future is done when it is, or fails when there is nothing to read."""
        self._answer = answer
        self._answered = self._loop.create_future()
        self._used = True
        if self._early:
            early, self._early = self._early, b""
            self.data_received(early)
        return self._answered

    def forget(self) -> None:
        """Be done with an answer."""
        self._answer = None
        if self._answered is not None:
            self._answered.cancel()  # nothing, when it is done
            self._answered = None
        if self._rest is not None:
            self._rest.cancel()
            self._rest = None

    def data_received(self, data: bytes) -> None:
        """Read on."""
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
        """Take what was read for all there is."""
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
    """What a proxy is shown with a request for an http URL."""
    if proxy is None or proxy.user is None:
        return {}
    said = f"{proxy.user}:{proxy.password or ''}".encode()
    return {"Proxy-Authorization": f"Basic {base64.b64encode(said).decode()}"}


def _lines(headers: Mapping[str, str]) -> str:
    lines = [f"{name}: {value}\r\n" for name, value in headers.items()]
    text = "".join(lines)
    assert text.count("\n") == text.count("\r") == len(lines), "a header is one line"
    return text
