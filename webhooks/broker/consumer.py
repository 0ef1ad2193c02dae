"""The consumer of the fan-out queue: messages are fanned out in Postgres in batches, and acknowledged after the commit.

The queue only makes fan-out prompt: messages that are lost, or never published, the reconciler finds in the log.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage
from aiormq import spec

from events.supervision import Retries, unless_set
from webhooks.broker import amqp
from webhooks.broker.amqp import OPERATION_TIMEOUT_S, Topology

log = structlog.get_logger("webhooks")

PREFETCH = 500
SILENCE_S = 30.0
SEQUENCE_HEADER = "rollbook-sequence"


class Consumer:
    """Feeds `fan_out` the sequences of notices that come through the queue, and calls `marked` after it."""

    def __init__(
        self,
        amqp_url: str,
        topology: Topology,
        fan_out: Callable[[Sequence[int]], Awaitable[object]],
        *,
        marked: Callable[[], None] | None = None,
    ) -> None:
        self._amqp_url = amqp_url
        self._topology = topology
        self._fan_out = fan_out
        self._marked = marked
        self._retries = Retries(log, "consumer")
        self.state = "connecting"
        self.consumed = 0
        self.malformed = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Consume until `stop` is set; messages that were not acknowledged by then are redelivered."""
        await amqp.supervise(
            lambda: self._consume(stop), stop, name="consumer", url=self._amqp_url, on_state=self._set_state
        )

    async def _consume(self, stop: asyncio.Event) -> None:
        arrived: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue(maxsize=PREFETCH)
        async with amqp.channel(self._amqp_url, "consumer", prefetch=PREFETCH) as channel:
            _, queue = await self._topology.declare(channel)
            canceled = await _canceled(channel)
            await queue.consume(arrived.put, timeout=OPERATION_TIMEOUT_S)
            self.state = "ok"
            while not stop.is_set():
                if canceled.is_set():
                    raise ConnectionError("the broker canceled the consumer")
                if channel.is_closed:
                    raise ConnectionError("the broker closed the channel")
                batch = await _gathered(arrived, stop, canceled)
                if batch:
                    await self._handle(batch, stop)
                elif not stop.is_set() and not canceled.is_set():
                    # No messages are normal in a quiet period, and also if the broker has forgotten the consumer:
                    # querying the queue distinguishes the two.
                    await self._topology.declare(channel)
                    if not (await queue.declare(timeout=OPERATION_TIMEOUT_S)).consumer_count:
                        raise ConnectionError("the queue has no consumer any more")

    async def _handle(self, batch: list[AbstractIncomingMessage], stop: asyncio.Event) -> None:
        sequences = []
        for message in batch:
            sequence = message.headers.get(SEQUENCE_HEADER)
            if isinstance(sequence, int):
                sequences.append(sequence)
            else:
                self.malformed += 1
                log.error("consumer.malformed", message=message.message_id, routing_key=message.routing_key)
        if sequences and not await self._fanned_out(sequences, stop):
            return  # unacknowledged messages are redelivered to another consumer
        if sequences and self._marked is not None:
            self._marked()
        async with asyncio.timeout(OPERATION_TIMEOUT_S):
            await batch[-1].ack(multiple=True)
        self.consumed += len(sequences)

    async def _fanned_out(self, sequences: Sequence[int], stop: asyncio.Event) -> bool:
        """Fan out, retrying after any exception; gives False if it was stopped before."""
        while not stop.is_set():
            try:
                await self._fan_out(sequences)
            except Exception as error:
                await self._retries.failed(error, stop)
            else:
                self._retries.worked()
                return True
        return False

    def _set_state(self, state: str) -> None:
        self.state = state


async def _canceled(channel: AbstractChannel) -> asyncio.Event:
    """An event that is set when the broker cancels the consumer, because the queue was deleted."""
    canceled = asyncio.Event()

    async def on_cancel(frame: spec.Basic.Cancel) -> None:
        canceled.set()

    (await channel.get_underlay_channel()).on_consumer_cancel_callbacks.add(on_cancel)
    return canceled


async def _gathered(
    arrived: "asyncio.Queue[AbstractIncomingMessage]", *ends: asyncio.Event
) -> list[AbstractIncomingMessage]:
    """The messages that have arrived, waiting for at least one; empty after a period without messages, or when it
    ends.
    """
    first = await unless_set(arrived.get(), *ends, timeout_s=SILENCE_S)
    if first is None:
        return []
    batch = [first]
    while not arrived.empty():
        batch.append(arrived.get_nowait())
    return batch
