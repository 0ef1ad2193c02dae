"""The connection to RabbitMQ: reconnect with backoff, flow control (blocked), and topology declaration.

A lost connection is replaced as a whole, with its channel and topology. After an error or timeout on a channel, its
connection is closed too, because the channel's state is unknown.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aio_pika
import structlog
from aio_pika.abc import AbstractChannel, AbstractExchange, AbstractQueue
from aiormq.abc import AbstractChannel as Probe
from aiormq.abc import AbstractConnection
from aiormq.exceptions import AMQPError, ChannelAccessRefused, ChannelLockedResource, ChannelPreconditionFailed

from events.supervision import Pauses, set_within
from webhooks.broker import broker_url

log = structlog.get_logger("webhooks")
# aio_pika logs many lines about a broker that is unavailable; it is logged here, in one line.
for _library in ("aio_pika", "aiormq"):
    logging.getLogger(_library).setLevel(logging.CRITICAL)

CONNECT_TIMEOUT_S = 10.0
OPERATION_TIMEOUT_S = 15.0
CONFIRM_TIMEOUT_S = 15.0
HEARTBEAT_S = 15
SHORTLY_S = 0.5
PAUSE_S_MIN, PAUSE_S_MAX = 0.2, 5.0

# Errors of the broker: unavailable, unresponsive, closing the connection, or refusing an operation.
BROKER_ERRORS = (
    OSError,
    TimeoutError,
    AMQPError,
    RuntimeError,  # ChannelInvalidStateError: the channel was closed during its use
    aio_pika.exceptions.AMQPException,
    asyncio.IncompleteReadError,
    asyncio.InvalidStateError,
)
# A declaration was refused: no permission, or it exists with other properties. The channel is closed.
DECLARATION_REFUSED = (ChannelAccessRefused, ChannelPreconditionFailed, ChannelLockedResource)
SAY_AGAIN_S = 3600.0
SAID_MAX = 1_000


class Once:
    """Reports each cause once, and again if it persists after an hour."""

    def __init__(self) -> None:
        self._said: dict[str, float] = {}

    def new(self, what: str) -> bool:
        """Whether to log it."""
        now = time.monotonic()
        if now - self._said.get(what, -SAY_AGAIN_S) < SAY_AGAIN_S:
            return False
        if len(self._said) >= SAID_MAX:
            self._said.clear()
        self._said[what] = now
        return True


refusals = Once()


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """Names of what we declare: a durable topic exchange, and the quorum queue that feeds webhooks."""

    exchange: str = "rollbook.events"
    fanout_queue: str = "webhooks.fanout"

    async def declare(self, channel: AbstractChannel) -> tuple[AbstractExchange, AbstractQueue]:
        """Declare the topology.

        What we may not declare, or what exists with other properties, is used as it is, since others administer the
        broker; that it differs is logged.
        """
        connection = (await channel.get_underlay_channel()).connection
        await _declared(
            connection,
            lambda probe: probe.exchange_declare(
                self.exchange, exchange_type="topic", durable=True, timeout=OPERATION_TIMEOUT_S
            ),
            lambda probe: probe.exchange_declare(self.exchange, passive=True, timeout=OPERATION_TIMEOUT_S),
        )
        await _declared(
            connection,
            lambda probe: probe.queue_declare(
                self.fanout_queue, durable=True, arguments={"x-queue-type": "quorum"}, timeout=OPERATION_TIMEOUT_S
            ),
            lambda probe: probe.queue_declare(self.fanout_queue, passive=True, timeout=OPERATION_TIMEOUT_S),
        )
        await _declared(
            connection,
            lambda probe: probe.queue_bind(
                self.fanout_queue, self.exchange, routing_key="#", timeout=OPERATION_TIMEOUT_S
            ),
            # Bindings cannot be queried: unroutable messages are returned when they are published.
            lambda probe: probe.queue_declare(self.fanout_queue, passive=True, timeout=OPERATION_TIMEOUT_S),
        )
        exchange = await channel.get_exchange(self.exchange, ensure=False)
        return exchange, await channel.get_queue(self.fanout_queue, ensure=False)


async def _declared(
    connection: AbstractConnection,
    declare: Callable[[Probe], Awaitable[object]],
    look: Callable[[Probe], Awaitable[object]],
) -> None:
    """Declare something; if that is refused, continue if it exists. Raises the refusal if it does not."""
    try:
        await _on_probe(connection, declare)
    except DECLARATION_REFUSED as refusal:
        try:
            await _on_probe(connection, look)
        except (*DECLARATION_REFUSED, aio_pika.exceptions.ChannelNotFoundEntity):
            raise refusal from None
        said = broker_url.said(refusal)
        if refusals.new(said):
            log.warning("broker.declaration_refused", cause=said)


async def _on_probe(connection: AbstractConnection, work: Callable[[Probe], Awaitable[object]]) -> None:
    """Execute an operation on a channel of its own, which a refusal closes."""
    async with asyncio.timeout(OPERATION_TIMEOUT_S):
        probe = await connection.channel(publisher_confirms=False)
        try:
            await work(probe)
        finally:
            if not probe.is_closed:
                await probe.close()


@asynccontextmanager
async def channel(url: str, name: str, *, prefetch: int | None = None) -> AsyncIterator[AbstractChannel]:
    """A channel on a connection of its own; unroutable messages raise. Raises one of BROKER_ERRORS."""
    async with asyncio.timeout(CONNECT_TIMEOUT_S):
        connection = await aio_pika.connect(
            url,
            timeout=CONNECT_TIMEOUT_S,
            heartbeat=HEARTBEAT_S,
            client_properties={"connection_name": f"rollbook {name}"},
        )
    try:
        async with asyncio.timeout(OPERATION_TIMEOUT_S):
            opened = await connection.channel(publisher_confirms=True, on_return_raises=True)
            if prefetch is not None:
                await opened.set_qos(prefetch_count=prefetch, timeout=OPERATION_TIMEOUT_S)
        yield opened
    finally:
        try:
            async with asyncio.timeout(OPERATION_TIMEOUT_S):
                await connection.close()
        except BROKER_ERRORS:
            log.info("broker.close_failed", connection=name)


class Unconfirmed(TimeoutError):
    """The broker did not confirm a published message in time."""

    def __init__(self, exchange: str) -> None:
        super().__init__(
            f"a message published to exchange '{exchange}' was not confirmed within {CONFIRM_TIMEOUT_S:g} s: "
            "a queue bound to it accepts nothing; a quorum queue needs a majority of its nodes"
        )


class Flow:
    """Flow control of a connection: whether the broker accepts messages. Short of memory or disk it does not.

    It announces that, stops reading and continues once it can (`connection.blocked`), so a publisher only waits: a new
    connection would be blocked as well, and messages sent on this one would be published twice. `on_state` is called
    with the state, for /readyz.
    """

    def __init__(self, connection: AbstractConnection, on_state: Callable[[str], None]) -> None:
        self._connection = connection
        self._on_state = on_state

    async def watch(self) -> None:
        """Report changes of the flow, until canceled."""
        while True:
            if not await self._takes():
                self._on_state("blocked: the broker is short of memory or disk")
                log.warning("broker.blocked")
                await self.open()
                self._on_state("ok")
                log.info("broker.unblocked")
            await asyncio.sleep(SHORTLY_S)

    async def open(self) -> None:
        """Wait until the broker accepts messages. Raises ConnectionError if the connection is lost."""
        while not await self._takes():
            if self._connection.is_closed:
                raise ConnectionError("the connection was lost while it was blocked")

    async def confirmed(self, publishing: "asyncio.Task[object]", exchange: str) -> None:
        """Wait for the confirmation of a message published to `exchange`: CONFIRM_TIMEOUT_S at most, not counting the
        time in which the broker is blocked. Raises one of BROKER_ERRORS; Unconfirmed at the timeout.
        """
        took = True
        try:
            while not (await asyncio.wait([publishing], timeout=CONFIRM_TIMEOUT_S))[0]:
                took_before, took = took, await self._takes()
                if took_before and took:
                    raise Unconfirmed(exchange)
            publishing.result()
        finally:
            publishing.cancel()

    async def _takes(self) -> bool:
        try:
            async with asyncio.timeout(SHORTLY_S):
                await self._connection.ready()
        except TimeoutError:
            return False
        return True


async def supervise(
    work: Callable[[], Awaitable[None]], stop: asyncio.Event, *, name: str, url: str, on_state: Callable[[str], None]
) -> None:
    """Repeat `work` until `stop` is set: it returns when there is nothing to do, and raises if the broker fails.

    Backoff grows from 0.2 s to 5 s while it fails, and each cause is logged once; `on_state` is called with the state.
    """
    pauses, lost = Pauses(PAUSE_S_MIN, PAUSE_S_MAX), Once()
    while not stop.is_set():
        began = asyncio.get_running_loop().time()
        try:
            await work()
            pauses.reset()
        except BROKER_ERRORS as error:
            if asyncio.get_running_loop().time() - began > PAUSE_S_MAX:  # it had worked for a while
                pauses.reset()
                lost = Once()
            pause_s = pauses.next()
            cause = broker_url.cause(url, error)
            on_state(f"lost: {cause}")
            if lost.new(cause):
                log.warning("broker.lost", role=name, cause=cause, retry_in_s=round(pause_s, 1))
            await set_within(pause_s, stop)
