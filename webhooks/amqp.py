"""The connection to RabbitMQ, under a supervisor of our own, and what we declare there.

A plain connection is made anew when it is lost, whole: channel, topology and all. A channel on which anything went
wrong or took too long is thrown away with its connection, for nobody can tell what state it is in.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aio_pika
import structlog
from aio_pika.abc import AbstractChannel, AbstractExchange, AbstractQueue
from aiormq.abc import AbstractConnection
from aiormq.exceptions import AMQPError

log = structlog.get_logger("webhooks")

CONNECT_TIMEOUT_S = 10.0
OPERATION_TIMEOUT_S = 15.0
HEARTBEAT_S = 15
SHORTLY_S = 0.5
WAIT_S_MIN, WAIT_S_MAX = 0.2, 5.0

# What goes wrong with a broker: it is away, it hangs, it closes on us, it says no.
BROKER_ERRORS = (
    OSError,
    TimeoutError,
    AMQPError,
    RuntimeError,  # ChannelInvalidStateError is one: the channel was closed while it was being used
    aio_pika.exceptions.AMQPException,
    asyncio.IncompleteReadError,
    asyncio.InvalidStateError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """Names of what we declare: a durable topic exchange, and the quorum queue that feeds webhooks."""

    exchange: str = "rollbook.notices"
    fanout_queue: str = "webhooks.fanout"

    async def declare(self, channel: AbstractChannel) -> tuple[AbstractExchange, AbstractQueue]:
        """Have it all exist."""
        exchange = await channel.declare_exchange(
            self.exchange, aio_pika.ExchangeType.TOPIC, durable=True, timeout=OPERATION_TIMEOUT_S
        )
        queue = await channel.declare_queue(
            self.fanout_queue, durable=True, arguments={"x-queue-type": "quorum"}, timeout=OPERATION_TIMEOUT_S
        )
        await queue.bind(exchange, "#", timeout=OPERATION_TIMEOUT_S)
        return exchange, queue


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
            log.info("broker.closed_badly", connection=name)


class Flow:
    """Whether the broker takes what is published on a connection: short of memory or of disk, it takes nothing.

    It says so, reads no further and goes on once it can (`connection.blocked`), so who publishes has only to wait:
    a connection made anew would be stopped in the same way, and what was sent on this one would be published twice.
    `told` is given the state for whoever asks.
    """

    def __init__(self, connection: AbstractConnection, told: Callable[[str], None]) -> None:
        self._connection = connection
        self._told = told

    async def watch(self) -> None:
        """Tell when that changes, until canceled."""
        while True:
            if not await self._takes():
                self._told("blocked: the broker is short of memory or disk")
                log.warning("broker.blocked")
                await self.open()
                self._told("ok")
                log.info("broker.unblocked")
            await asyncio.sleep(SHORTLY_S)

    async def open(self) -> None:
        """Wait as long as the broker takes nothing. Raises ConnectionError when the connection is lost meanwhile."""
        while not await self._takes():
            if self._connection.is_closed:
                raise ConnectionError("the connection was lost while it was blocked")

    async def confirmed(self, publishing: "asyncio.Task[object]") -> None:
        """Wait for a confirmation, as long as it takes while the broker takes nothing. Raises one of BROKER_ERRORS."""
        took = True
        try:
            while not (await asyncio.wait([publishing], timeout=OPERATION_TIMEOUT_S))[0]:
                took_before, took = took, await self._takes()
                if took_before and took:
                    raise TimeoutError("the broker did not confirm in time")
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
    work: Callable[[], Awaitable[None]], stop: asyncio.Event, *, name: str, told: Callable[[str], None]
) -> None:
    """Do `work` over and over until told to stop: it returns when there is nothing more, raises when the broker fails.

    Waits grow from 0.2 s to 5 s while it keeps failing; `told` is given the state for whoever asks.
    """
    wait_s = WAIT_S_MIN
    while not stop.is_set():
        began = asyncio.get_running_loop().time()
        try:
            await work()
            wait_s = WAIT_S_MIN
        except BROKER_ERRORS as error:
            if asyncio.get_running_loop().time() - began > WAIT_S_MAX:
                wait_s = WAIT_S_MIN  # it had been well for a while
            told(f"lost: {type(error).__name__}")
            log.warning("broker.lost", role=name, error=type(error).__name__, retry_in_s=round(wait_s, 1))
            try:
                async with asyncio.timeout(wait_s * random.uniform(0.8, 1.2)):
                    await stop.wait()
            except TimeoutError:
                wait_s = min(wait_s * 2, WAIT_S_MAX)
