"""Bounds of connections: how many are open, how long headers may take to arrive and an answer to be read.

What a client does not read is in memory once: an answer is written only when the one before it has gone to the kernel
whole, and a client that does not take it in time is cut off.
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
REFUSED_MAX = 64  # connections that are answered with 503; beyond, they are closed at once
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
    """The bounds of connections, and what was counted of them. What is open and `idle` gives way to new ones."""

    open_max: int
    header_timeout_s: float
    write_timeout_s: float
    shed: Callable[[str], None]
    open: int = 0
    refused: int = 0  # being answered
    cut_off: int = 0
    idle: "dict[Bounded, None]" = field(default_factory=dict)  # without a whole request, the longest so first
    _reported_at: float = field(default=-REPORT_S)

    @property
    def full(self) -> bool:
        """Whether no more may be opened; reported once in a while."""
        if self.open < self.open_max:
            return False
        now = asyncio.get_running_loop().time()
        if now - self._reported_at >= REPORT_S:
            self._reported_at = now
            log.warning("connections.full", open=self.open, bound=self.open_max)
        return True

    def make_room(self) -> bool:
        """Close the connection that has been idle for longest, in favour of a new one; False where none is.

        Idle connections cost their owner nothing: without this, a few thousand of them, without a key, keep everybody
        else out.
        """
        if not self.idle:
            return False
        longest = next(iter(self.idle))
        del self.idle[longest]
        self.shed("idle-connections")
        longest.force_close()
        return True


class Bounded(web.RequestHandler):
    """HTTP as aiohttp speaks it, within the bounds of a connection."""

    def __init__(self, connections: Connections, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._connections = connections
        self._header_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None
        self._rest_timer: asyncio.TimerHandle | None = None
        self._answer_until: float | None = None  # when the answer that is being sent is to have been read
        self.ticket: Ticket | None = None  # of the request that is being answered

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let nothing be buffered beyond what the kernel takes, so that a pause means a client that does not read."""
        cast(asyncio.Transport, transport).set_write_buffer_limits(high=0)
        self._connections.open += 1
        self._connections.idle[self] = None
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Stop the clocks."""
        self._connections.open -= 1
        self._connections.idle.pop(self, None)
        self._stop(self._header_timer, self._write_timer, self._rest_timer)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Give headers that have begun to arrive a bounded time."""
        super().data_received(data)
        waiter = self._waiter
        if waiter is None or waiter.done() or self._messages:
            self._connections.idle.pop(self, None)
            return  # a request is being answered, or is about to be
        if self._header_timer is None and data:
            self._header_timer = self._loop.call_later(
                self._connections.header_timeout_s, self._headers_late, self._request_count
            )

    def rest(self) -> None:
        """Read nothing more from this connection for as long as Retry-After says, as its request was shed.

        A client that does not wait would otherwise be refused thousands of times a second, at the cost of the others.
        """
        if self._rest_timer is None and self.transport is not None:
            self._pause_transport_reading()
            self._rest_timer = self._loop.call_later(RETRY_AFTER_S, self._rested)

    def _rested(self) -> None:
        self._rest_timer = None
        if not self._reading_paused and not self._buffer_paused:
            self._resume_transport_reading()

    def pause_writing(self) -> None:
        """Give the client a bounded time to take what was written: all parts of an answer together."""
        super().pause_writing()
        until = self._answer_until
        if until is None:  # it is not an answer that is whole in memory
            until = self._loop.time() + self._connections.write_timeout_s
        self._write_timer = self._loop.call_at(until, self._not_read)

    def resume_writing(self) -> None:
        """It has."""
        super().resume_writing()
        self._stop(self._write_timer)
        self._write_timer = None

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send an answer; then it, and its request, are in flight no longer."""
        self._answer_until = self._loop.time() + self._connections.write_timeout_s
        try:
            return await super().finish_response(request, resp, start_time)
        finally:
            self._answer_until = None
            ticket, self.ticket = self.ticket, None
            if ticket is not None:
                ticket.release()
            if self.transport is not None and not self._messages:
                self._connections.idle[self] = None
            if isinstance(resp, web.Response):
                resp.body = None  # aiohttp keeps the last answer as long as the connection stays

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
    """A connection beyond the bound: it is answered with 503, and closed as soon as it has said something, or a moment
    later.

    Were it closed at once, what it sends meanwhile would be answered with a reset, and it would not see why.
    """

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say why."""
        self._transport = cast(asyncio.Transport, transport)
        self._connections.shed("connections")
        self._connections.refused += 1
        if self._connections.refused > REFUSED_MAX:
            self._transport.abort()
            return
        self._transport.write(FULL % (len(FULL_BODY), FULL_BODY))
        self._timer = asyncio.get_running_loop().call_later(REFUSED_S, self._transport.abort)

    def data_received(self, data: bytes) -> None:
        """It has sent its request."""
        if self._transport is not None:
            self._transport.close()

    def connection_lost(self, exc: BaseException | None) -> None:
        """It is gone."""
        self._connections.refused -= 1
        if self._timer is not None:
            self._timer.cancel()


def raise_file_limit() -> int:
    """Raise the soft limit of open files to the hard one, and give it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (ValueError, OSError):
            return soft
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def open_max(wanted: int, files: int, others: int = 0) -> int:
    """How many connections may be open where a process may have so many open files, and `others` for its webhooks.

    At least half of the files that are not reserved are for callers, however many webhooks may be in flight.
    """
    if files == resource.RLIM_INFINITY:
        return wanted
    left = files - RESERVED_FILES
    return max(1, min(wanted, max(left - others, left // 2)))
