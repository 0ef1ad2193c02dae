"""Subscribers' queues: what came out of each of them, how often, and in what order."""

import asyncio
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field

import aio_pika
from aio_pika.abc import AbstractConnection, AbstractIncomingMessage

from tests.faults.deployment import RETRY_S
from webhooks.broker.amqp import BROKER_ERRORS
from webhooks.broker.replay import REPLAYED

CONNECT_TIMEOUT_S = 5.0
HEARTBEAT_S = 5
PREFETCH = 100
EVERYTHING = 2**63  # a sequence that no event has


@dataclass(slots=True)
class Gap:
    """Notices above one sequence and up to another, which a queue may have taken with it when it was lost."""

    above: int
    upto: int = EVERYTHING


@dataclass
class Subscriber:
    """A service that acknowledges every message in its queue.

    Outside of the gaps every event is to be published to its queue, and in order; what lies within them comes when it
    is replayed. What RabbitMQ hands out once more proves nothing about the order: when it was killed, what a consumer
    had and did not acknowledge comes behind newer messages.
    """

    name: str
    amqp_url: str
    published: Counter[str] = field(default_factory=Counter)  # by id
    replayed: Counter[str] = field(default_factory=Counter)
    out_of_order: list[int] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    _seen: set[int] = field(default_factory=set)
    _highest: int = 0

    @property
    def queue(self) -> str:
        """The name of its queue."""
        return f"rollbook.{self.name}"

    async def run(self) -> None:
        """Consume until canceled, connecting again whenever the broker or the queue goes away."""
        while True:
            with suppress(*BROKER_ERRORS):
                await self._consume()
            await asyncio.sleep(RETRY_S)  # the pause of a client between its tries

    async def _consume(self) -> None:
        async with await connect(self.amqp_url) as connection:
            channel = await connection.channel()
            await channel.set_qos(prefetch_count=PREFETCH)
            queue = await channel.get_queue(self.queue)
            gone = asyncio.Event()

            async def canceled(frame: object) -> None:
                gone.set()

            (await channel.get_underlay_channel()).on_consumer_cancel_callbacks.add(canceled)
            await queue.consume(self._note, timeout=CONNECT_TIMEOUT_S)
            while not (gone.is_set() or channel.is_closed):
                with suppress(TimeoutError):
                    await asyncio.wait_for(gone.wait(), 1)

    async def _note(self, message: AbstractIncomingMessage) -> None:
        self.note(
            str(message.headers["rollbook-event-id"]),
            int(str(message.headers["rollbook-sequence"])),
            replayed=REPLAYED in message.headers,
            handed_out_again=bool(message.redelivered),
        )
        with suppress(*BROKER_ERRORS):  # it comes again then
            await message.ack()

    def note(self, event: str, sequence: int, *, replayed: bool = False, handed_out_again: bool = False) -> None:
        """Count what came."""
        if replayed:
            self.replayed[event] += 1
            return
        self.published[event] += 1
        if not (handed_out_again or self.excused(sequence) or sequence in self._seen):
            if sequence < self._highest:
                self.out_of_order.append(sequence)
            self._highest = max(self._highest, sequence)
        self._seen.add(sequence)

    def lost(self) -> None:
        """Its queue is about to be lost, with what is in it."""
        self.gaps.append(Gap(self._highest))

    def found(self, head: int) -> None:
        """Its queue is there, and `head` is the sequence of the last event so far."""
        if self.gaps:
            self.gaps[-1].upto = min(self.gaps[-1].upto, head)

    def excused(self, sequence: int) -> bool:
        """Whether an event may have been lost with the queue."""
        return any(gap.above < sequence <= gap.upto for gap in self.gaps)

    @property
    def got(self) -> Counter[str]:
        """How often each event came, one way or the other."""
        return self.published + self.replayed


class _Connection(aio_pika.Connection):
    """One that does nothing when it is collected: that may happen in a thread, which has no loop to close it in."""

    def __del__(self) -> None:
        pass


async def connect(amqp_url: str) -> AbstractConnection:
    """A connection to the broker. Raises one of BROKER_ERRORS."""
    return await aio_pika.connect(
        amqp_url, timeout=CONNECT_TIMEOUT_S, heartbeat=HEARTBEAT_S, connection_class=_Connection
    )


async def exist(amqp_url: str, *names: str) -> bool:
    """Whether there are queues of these names."""
    with suppress(*BROKER_ERRORS):
        async with await connect(amqp_url) as connection:
            for name in names:
                await (await connection.channel()).get_queue(name)
            return True
    return False


async def delete(amqp_url: str, name: str) -> None:
    """Take a queue away, with what is in it."""
    async with await connect(amqp_url) as connection:
        await (await connection.channel()).queue_delete(name)
