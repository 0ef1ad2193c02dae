"""A POST and nothing else: over the connections that aiohttp's connector keeps, read by its parser.

A ClientSession can do far more, and costs twice as much for it: of a worker's time that was the largest part. What is
left out are redirects, cookies, authentication, compression and bodies in pieces, none of which a webhook has; whatever
concerns connections, names and TLS is the connector's, and an answer is read as a session reads it.
"""

import asyncio
from collections.abc import Mapping
from functools import lru_cache
from http import HTTPStatus
from typing import NamedTuple

import aiohttp
from aiohttp import BaseConnector, ClientRequest, ClientSession, ClientTimeout, StreamReader
from aiohttp.connector import Connection
from aiohttp.http_exceptions import HttpProcessingError
from multidict import CIMultiDictProxy
from yarl import URL

from webhooks.receiver_url import ReceiverUrl

ORIGINS_KEPT_MAX = 4_096


class Target(NamedTuple):
    """A URL, and how a request for it begins."""

    url: ReceiverUrl
    head: str


class Answer:
    """How an answer began, and the rest of it to be read."""

    __slots__ = ("_connection", "content", "headers", "status")

    def __init__(
        self, status: int, headers: CIMultiDictProxy[str], content: StreamReader, connection: Connection
    ) -> None:
        self.status = status
        self.headers = headers
        self.content = content
        self._connection = connection

    def close(self) -> None:
        """Be done with it; its connection is kept for the next request when it was read to its end."""
        if self.content.at_eof():
            self._connection.release()
        else:
            self._connection.close()


class Wire:
    """Posts over the connections of a session, made within its `timeout`; reads `read_max` ahead at most."""

    def __init__(
        self, session: ClientSession, headers: Mapping[str, str], *, timeout: ClientTimeout, read_max: int
    ) -> None:
        assert session.connector is not None, "the session is open"
        self._session = session
        self._connector: BaseConnector = session.connector
        self._timeout = timeout
        self._read_max = read_max
        self._always = _lines({**headers, "Accept": "*/*"})
        self._origin = lru_cache(ORIGINS_KEPT_MAX)(self._request)

    def target(self, url: ReceiverUrl) -> Target:
        """What `post` takes for a URL, which may be kept."""
        return Target(url, f"POST {url.target} HTTP/1.1\r\nHost: {url.authority}\r\n{self._always}")

    async def post(self, target: Target, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Send and wait for an answer to begin. Raises what `ClientSession.post` does."""
        request = self._origin(target.url.origin)
        try:
            connection = await self._connector.connect(request, [], self._timeout)
        except TimeoutError as error:
            raise aiohttp.ConnectionTimeoutError(f"Connection timeout to host {target.url.place}") from error
        protocol = connection.protocol
        assert protocol is not None, "it was just made"
        try:
            protocol.set_response_params(read_until_eof=True, auto_decompress=False, read_bufsize=self._read_max)
            head = f"{target.head}{_lines(headers)}Content-Length: {len(body)}\r\n\r\n"
            if protocol.transport is None:
                raise aiohttp.ServerDisconnectedError
            protocol.transport.write(head.encode() + body)
            while True:
                message, content = await protocol.read()
                if not HTTPStatus.CONTINUE <= message.code < HTTPStatus.OK or message.code == (
                    HTTPStatus.SWITCHING_PROTOCOLS
                ):
                    return Answer(message.code, message.headers, content, connection)
        except HttpProcessingError as error:
            connection.close()
            raise aiohttp.ClientResponseError(
                request.request_info, (), status=error.code, message=error.message
            ) from error
        except BaseException:
            connection.close()
            raise

    def _request(self, origin: URL) -> ClientRequest:
        """What the connector makes connections by."""
        return ClientRequest("POST", origin, loop=asyncio.get_running_loop(), session=self._session)


def _lines(headers: Mapping[str, str]) -> str:
    lines = [f"{name}: {value}\r\n" for name, value in headers.items()]
    text = "".join(lines)
    assert text.count("\n") == text.count("\r") == len(lines), "a header is one line"
    return text
