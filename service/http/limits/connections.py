"""Connection limits: how many are open, and timeouts for receiving headers and for sending a response.

A slow reader costs the memory of one response: the next is written only when the kernel has taken all of the one
before. A client that does not read a response in time is disconnected.
"""

import asyncio
import resource
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import structlog
from aiohttp import web

from service.http.limits.admission import Ticket
from service.http.limits.shed import RETRY_AFTER_S

log = structlog.get_logger("service")

RESERVED_FILES = 64  # for connections to Postgres and RabbitMQ, and logs
REFUSED_MAX = 64  # connections answered with 503 at the same time; further ones are closed at once
REFUSED_S = 1.0
REPORT_S = 60.0
FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nServer: Rollbook\r\nContent-Type: application/json\r\nRetry-After: 1\r\n"
    b"Stripe-Should-Retry: true\r\nCache-Control: no-store\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b"
)
FULL_BODY = b"""{
  "error": {
    "message": "The service has too many open connections at the moment. Please retry with exponential backoff.",
    "type": "api_error"
  }
}"""


@dataclass(slots=True, kw_only=True)
class Connections:
    """The limits of connections, and their counts. When full, the connection `idle` for longest is closed."""

    open_max: int
    header_timeout_s: float
    write_timeout_s: float
    shed: Callable[[str], None]
    open: int = 0
    refused: int = 0  # being answered with 503
    cut_off: int = 0
    idle: "dict[Bounded, None]" = field(default_factory=dict)  # without a complete request, the longest idle first
    _reported_at: float = field(default=-REPORT_S)

    @property
    def full(self) -> bool:
        """Whether no more may be opened; logged at most every REPORT_S."""
        if self.open < self.open_max:
            return False
        now = asyncio.get_running_loop().time()
        if now - self._reported_at >= REPORT_S:
            self._reported_at = now
            log.warning("connections.full", open=self.open, bound=self.open_max)
        return True

    def make_room(self) -> bool:
        """Close the connection that has been idle for longest, to admit a new one; False if none is idle.

        Idle connections cost an attacker nothing: without this, a few thousand of them would lock everybody else out.
        """
        if not self.idle:
            return False
        longest = next(iter(self.idle))
        del self.idle[longest]
        self.shed("idle-connections")
        longest.force_close()
        return True


class Bounded(web.RequestHandler):
    """aiohttp's HTTP protocol, with the limits of a connection."""

    def __init__(self, connections: Connections, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._connections = connections
        self._header_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None
        self._rest_timer: asyncio.TimerHandle | None = None
        self._answer_until: float | None = None  # deadline (loop time) for the client to read the response
        self._running: Ticket | None = None  # of the request in progress
        self._gone = False  # whether the client has closed the connection, or its half of it
        self.ticket: Ticket | None = None  # of the request whose response is being sent

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Disable the transport's write buffer, so that a pause of writing means that the client is not reading."""
        cast(asyncio.Transport, transport).set_write_buffer_limits(high=0)
        self._connections.open += 1
        self._connections.idle[self] = None
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Stop the timers, and the wait of a request that waits for an event."""
        self.gone()
        self._connections.open -= 1
        self._connections.idle.pop(self, None)
        self._stop(self._header_timer, self._write_timer, self._rest_timer)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Start the timeout of headers when their first bytes arrive."""
        super().data_received(data)
        waiter = self._waiter
        if waiter is None or waiter.done() or self._messages:
            self._connections.idle.pop(self, None)
            return  # a request is in progress, or about to be
        if self._header_timer is None and data:
            self._header_timer = self._loop.call_later(
                self._connections.header_timeout_s, self._headers_late, self._request_count
            )

    def begin(self, ticket: Ticket) -> None:
        """A request is in progress."""
        self._running = ticket
        if self._gone:
            ticket.gone()

    def gone(self) -> None:
        """The client has closed the connection, or its half of it, which looks the same: nothing waits for it."""
        self._gone = True
        if self._running is not None:
            self._running.gone()

    def rest(self) -> None:
        """Pause reading from this connection for RETRY_AFTER_S, because its request was shed (backpressure).

        A client that ignores Retry-After could otherwise be refused thousands of times a second, at the others' cost.
        """
        if self._rest_timer is None and self.transport is not None:
            self._pause_transport_reading()
            self._rest_timer = self._loop.call_later(RETRY_AFTER_S, self._rested)

    def _rested(self) -> None:
        self._rest_timer = None
        if not self._reading_paused and not self._buffer_paused:
            self._resume_transport_reading()

    def pause_writing(self) -> None:
        """Start the timeout for the client to read the response; one deadline for all its parts."""
        super().pause_writing()
        until = self._answer_until
        if until is None:  # not a response that finish_response is sending
            until = self._loop.time() + self._connections.write_timeout_s
        self._write_timer = self._loop.call_at(until, self._not_read)

    def resume_writing(self) -> None:
        """The client has read it: stop the timeout."""
        super().resume_writing()
        self._stop(self._write_timer)
        self._write_timer = None

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send a response; afterwards the request is no longer in flight."""
        self._answer_until = self._loop.time() + self._connections.write_timeout_s
        try:
            return await super().finish_response(request, resp, start_time)
        finally:
            self._answer_until = None
            ticket, self.ticket, self._running = self.ticket, None, None
            if ticket is not None:
                ticket.release()
            if self.transport is not None and not self._messages:
                self._connections.idle[self] = None
            if isinstance(resp, web.Response):
                resp.body = None  # aiohttp would keep the last response in memory while the connection is open

    def _headers_late(self, requests: int) -> None:
        self._header_timer = None
        waiter = self._waiter
        if self._request_count == requests and waiter is not None and not waiter.done():
            self.force_close()

    def _not_read(self) -> None:
        self._write_timer = None
        if self.transport is not None:
            self._connections.cut_off += 1
            self.transport.abort()

    @staticmethod
    def _stop(*timers: asyncio.TimerHandle | None) -> None:
        for timer in timers:
            if timer is not None:
                timer.cancel()


class Refused(asyncio.Protocol):
    """A connection beyond the limit: it gets a 503, and is closed when its first bytes arrive or after REFUSED_S.

    If it were closed at once, the client's request would meet a reset, and the client would not see the 503.
    """

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the 503."""
        self._transport = cast(asyncio.Transport, transport)
        self._connections.shed("connections")
        self._connections.refused += 1
        if self._connections.refused > REFUSED_MAX:
            self._transport.abort()
            return
        self._transport.write(FULL % (len(FULL_BODY), FULL_BODY))
        self._timer = asyncio.get_running_loop().call_later(REFUSED_S, self._transport.abort)

    def data_received(self, data: bytes) -> None:
        """Close the connection: the client has sent its request."""
        if self._transport is not None:
            self._transport.close()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Count it no longer."""
        self._connections.refused -= 1
        if self._timer is not None:
            self._timer.cancel()


def raise_file_limit() -> int:
    """Raise the soft limit of open files to the hard limit; gives the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (ValueError, OSError):
            return soft
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def open_max(wanted: int, files: int, others: int = 0) -> int:
    """How many connections may be open, given the limit of open `files`, of which webhooks need `others`.

    API clients get at least half of the files that are not reserved.
    """
    if files == resource.RLIM_INFINITY:
        return wanted
    left = files - RESERVED_FILES
    return max(1, min(wanted, max(left - others, left // 2)))
