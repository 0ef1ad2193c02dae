"""The HTTP/1.1 server protocol: aiohttp's, with stricter parsing and the API's error format for malformed requests.

Beyond what aiohttp refuses, these are refused: HTTP versions other than 1.0 and 1.1, transfer codings other than
`chunked`, and a head (request line and headers) of more than HEAD_BYTES_MAX. A malformed request is logged as one line,
at info. A client that half-closes the connection (`shutdown(SHUT_WR)`) still gets the responses to its complete
requests.
"""

import asyncio
import os
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import structlog
from aiohttp import HttpVersion10, HttpVersion11, hdrs, web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader
from aiohttp.web_protocol import RequestHandler, RequestPayloadError, _ErrInfo
from aiohttp.web_server import Server

from events import ids
from events.errors import Refusal
from service.http import answer_headers, refusals
from service.http.limits.connections import Bounded, Connections, Refused

log = structlog.get_logger("service")

LINE_BYTES_MAX = 64 * 1024  # a search of 5,000 characters takes 60,000 in a URL
FIELD_BYTES_MAX = 8190
HEAD_BYTES_MAX = 96 * 1024
LINGERING_S = 3.0  # how long a body is read and dropped after the response, so that a reset does not lose the response
BODY_GRACE_S = 1.0  # how long a stopping process waits for the rest of a body
UNREADABLE = "This request could not be read as HTTP/1.1: it is malformed, or its head is too large."
CLIENTS_FAULTS = (HttpProcessingError, RequestPayloadError, OSError)
Answered = Callable[[int, float], None]


class ApiRunner(web.AppRunner):
    """Serves an application with this protocol, within the limits of `connections`.

    `unreadable` counts the responses to requests that reached no route.
    """

    def __init__(
        self, application: web.Application, *, connections: Connections, unreadable: Answered, **options: Any
    ) -> None:
        super().__init__(
            application,
            max_line_size=LINE_BYTES_MAX,
            max_field_size=FIELD_BYTES_MAX,
            lingering_time=LINGERING_S,
            **options,
        )
        self._connections = connections
        self._unreadable = unreadable

    async def _make_server(self) -> Server:
        server = await super()._make_server()
        return _ApiServer(
            self._connections,
            self._unreadable,
            server.request_handler,
            request_factory=server.request_factory,
            loop=server._loop,
            **server._kwargs,
        )


class _ApiServer(Server):
    def __init__(self, bounds: Connections, unreadable: Answered, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.bounds = bounds
        self.unreadable = unreadable

    def __call__(self) -> RequestHandler:
        if self.bounds.full and not self.bounds.make_room():
            return Refused(self.bounds)  # type: ignore[return-value]  # it is a protocol, which is all that aiohttp uses
        return _Protocol(self, loop=self._loop, **self._kwargs)


class _Protocol(Bounded):
    __slots__ = ("_answered", "_body", "_ending", "_head_bytes", "_refused", "_unreadable")

    def __init__(self, server: _ApiServer, **options: Any) -> None:
        super().__init__(server.bounds, server, **options)
        self._unreadable = server.unreadable
        self._body: StreamReader = EMPTY_PAYLOAD  # of the request whose head was read last
        self._answered = 0  # number of requests
        self._head_bytes = 0  # bytes read of an incomplete head
        self._refused = False  # nothing more is read from this connection
        self._ending = False  # complete requests are answered, then the connection is closed

    # Reading

    def data_received(self, data: bytes) -> None:
        """Parse, and refuse what aiohttp accepts and we do not."""
        if self._refused:
            return
        queued = self._messages
        known, in_head = len(queued), self._body.is_eof()
        super().data_received(data)
        if len(queued) > known:
            self._head_bytes = 0
            self._vet(known)
        elif in_head and not self._upgraded and not self._buffer_paused:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES_MAX:
                queued.append(_refusal("The head of the request is too large."))
                self._refused = True
                if self._waiter is not None and not self._waiter.done():
                    self._waiter.set_result(None)

    def _vet(self, first: int) -> None:
        """Check the requests whose heads were just parsed; those pipelined after a refused one are dropped."""
        queued = self._messages
        for index in range(first, len(queued)):
            message, body = queued[index]
            if isinstance(message, _ErrInfo):
                self._refused = True
            elif (message.version == HttpVersion11 and not message.chunked) or _speaks_our_http(message):
                self._body = body
            else:
                queued[index] = _refusal("HTTP version or transfer coding not supported.")
                self._refused = True
                while len(queued) > index + 1:
                    queued.pop()
                return

    def eof_received(self) -> bool:  # type: ignore[override]
        """The client half-closed. True keeps the connection open for the responses to its complete requests."""
        idle = self._request_count == self._answered
        if idle or not self._body.is_eof():
            return False
        self._ending = True
        self.gone()
        return True

    # Stopping

    def close(self) -> None:
        """Stop reading, except for the rest of a body that has begun to arrive."""
        if not self._body.is_eof() and (self._request_in_progress or self._messages):
            self._ending = True
        else:
            super().close()

    async def shutdown(self, timeout: float | None = 15.0) -> None:
        """Finish requests in progress within `timeout`; a body has BODY_GRACE_S to arrive completely."""
        body = self._body
        if self._ending and not body.is_eof() and body.exception() is None:
            try:
                async with asyncio.timeout(BODY_GRACE_S):
                    await body.wait_eof()
            except TimeoutError:
                body.set_exception(refusals.Stopping())
        await super().shutdown(timeout)

    # Answering

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The response to a malformed request, or to an exception that a handler did not render."""
        if request.writer.output_size > 0:
            raise ConnectionError("part of a response is sent already")
        if status < HTTPStatus.INTERNAL_SERVER_ERROR:
            return self._answer(Refusal(UNREADABLE), status, exc)
        return self._answer(RuntimeError("internal error"), status, exc)

    def log_exception(self, *arguments: Any, **options: Any) -> None:
        """Log an error after a response: usually a body that ended early and that nobody awaits."""
        error = options.get("exc_info")
        if isinstance(error, CLIENTS_FAULTS):
            log.info("connection.lost", error=type(error).__name__)
        else:
            log.error("connection.failed", error=type(error).__name__, exc_info=error)

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send a response, with the headers that every response has."""
        if isinstance(resp, web.HTTPException) and resp.status >= HTTPStatus.BAD_REQUEST:  # from the router
            resp = self._answer(refusals.UnknownRoute(request.method, request.path), HTTPStatus.NOT_FOUND, None)
        if not resp.prepared:
            answer_headers.complete(resp.headers)
        if self._ending and not self._messages:
            resp.force_close()
        try:
            return await super().finish_response(request, resp, start_time)
        finally:
            self._answered += 1
            if self._ending and not self._messages:  # also if the connection began to end meanwhile
                resp.force_close()

    def _answer(self, error: Exception, status: int, cause: BaseException | None) -> web.Response:
        """A response in the API's error format, after which the connection is closed; writes its log line."""
        request_id = ids.new("req", os.urandom(ids.ID_BYTES))
        self._unreadable(status, 0.0)
        name = None if cause is None else type(cause).__name__
        if status < HTTPStatus.INTERNAL_SERVER_ERROR:
            log.info("request.unreadable", status=status, request=request_id, error=name)
        else:
            log.error("request.failed", route="unknown", request=request_id, error=name, exc_info=cause)
        answer = web.Response(
            status=status,
            headers=(*answer_headers.OF_THE_API, ("Request-Id", request_id)),
            body=refusals.reply(error).body,
        )
        answer.force_close()
        return answer


def _speaks_our_http(message: RawRequestMessage) -> bool:
    """Whether the HTTP version and the transfer coding of a request are supported."""
    if not message.chunked:
        return message.version in (HttpVersion10, HttpVersion11)
    codings = message.headers.getall(hdrs.TRANSFER_ENCODING)
    return message.version == HttpVersion11 and [coding.strip().lower() for coding in codings] == ["chunked"]


def _refusal(message: str) -> tuple[_ErrInfo, StreamReader]:
    status = HTTPStatus.BAD_REQUEST
    return _ErrInfo(status=status, exc=HttpProcessingError(code=status), message=message), EMPTY_PAYLOAD
