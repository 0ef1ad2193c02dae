"""Subscribers on the broker: each has a durable quorum queue, bound to the exchange, and a dead-letter queue.

Neither has a length limit: a queue that refuses messages would block the relay, and so every other subscriber. Messages
that a consumer rejects, and those delivered 20 times without acknowledgement, are moved to the dead-letter queue.

Subscribers are stored in the log. The relay declares all of them whenever it connects, before it publishes, so a broker
that lost its data gets every event from then on; earlier events can be replayed.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import aio_pika
import orjson
import structlog
from aio_pika.abc import AbstractChannel, AbstractExchange, AbstractQueue

from events.database import Pool
from events.decider import Change
from projections.rows import Rows, resource_row
from webhooks.broker import amqp, broker_url, subscriber
from webhooks.broker.amqp import OPERATION_TIMEOUT_S, Topology
from webhooks.broker.subscriber import Subscriber

log = structlog.get_logger("webhooks")

# The scope of subscribers: no account and no mode, since a subscriber may receive events of all.
OWNER, LIVEMODE = "system", True
HANDED_OUT_MAX = 20
LIST = "SELECT body FROM projections.resource WHERE kind = 'subscriber' AND NOT deleted ORDER BY id"


def rows(change: Change[Subscriber]) -> Rows:
    """The row of a subscriber; its changes are not published."""
    state, origin = change.after, change.origin
    shown = {
        "name": state.name,
        "object": subscriber.KIND,
        "account": state.account,
        "at": state.at,
        "mode": state.mode,
        "types": state.types,
    }
    row = resource_row(
        origin,
        change.version,
        kind=subscriber.KIND,
        id=state.name,
        created=state.at,
        shown=shown,
        deleted=state.removed,
    )
    return Rows(resources=(row,))


async def known(pool: Pool) -> list[Subscriber]:
    """All subscribers, by name. Raises LogUnavailable."""
    return [_read(row["body"]) for row in await pool.fetch(LIST)]


async def declare(channel: AbstractChannel, exchange: str, of: Subscriber) -> None:
    """Declare the queues of a subscriber with exactly the bindings that it has now. Raises one of BROKER_ERRORS."""
    declared = await channel.declare_exchange(
        exchange, aio_pika.ExchangeType.TOPIC, durable=True, timeout=OPERATION_TIMEOUT_S
    )
    await channel.declare_queue(
        of.dead_letters, durable=True, arguments={"x-queue-type": "quorum"}, timeout=OPERATION_TIMEOUT_S
    )
    arguments: dict[str, Any] = {
        "x-queue-type": "quorum",
        "x-delivery-limit": HANDED_OUT_MAX,
        "x-dead-letter-exchange": "",  # the default exchange routes to the queue that the key names
        "x-dead-letter-routing-key": of.dead_letters,
    }
    queue = await channel.declare_queue(of.queue, durable=True, arguments=arguments, timeout=OPERATION_TIMEOUT_S)
    for key in of.bindings:
        await queue.bind(declared, key, timeout=OPERATION_TIMEOUT_S)
    for key in of.past:
        await queue.unbind(declared, key, timeout=OPERATION_TIMEOUT_S)


async def delete(channel: AbstractChannel, of: Subscriber) -> None:
    """Delete the queues of a subscriber with the messages in them. Raises one of BROKER_ERRORS."""
    for queue in (of.queue, of.dead_letters):
        await channel.queue_delete(queue, timeout=OPERATION_TIMEOUT_S)


class QueueStatus(NamedTuple):
    """State of the queues of a subscriber; None for one that is not on the broker."""

    ready: int | None
    consumers: int | None
    dead: int | None


async def status(amqp_url: str, of: Subscriber) -> QueueStatus:
    """The current state of the queues of a subscriber. Raises one of BROKER_ERRORS."""
    queue, dead = await _count(amqp_url, of.queue), await _count(amqp_url, of.dead_letters)
    return QueueStatus(queue and queue[0], queue and queue[1], dead and dead[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class WithSubscribers(Topology):
    """The topology with the queues of all subscribers; `find` returns the subscribers."""

    amqp_url: str
    find: Callable[[], Awaitable[Sequence[Subscriber]]]

    async def declare(self, channel: AbstractChannel) -> tuple[AbstractExchange, AbstractQueue]:
        """Declare everything. A queue that exists with other properties is left as it is, and logged.

        A missing queue is logged too: its messages, and those published meanwhile, can be replayed.
        """
        declared = await Topology.declare(self, channel)
        waiting, gone = list(await self.find()), set[str]()
        while waiting:
            async with amqp.channel(
                self.amqp_url, "subscribers"
            ) as own:  # the channel is closed by a refused declaration
                while waiting:
                    next = waiting[-1]
                    try:
                        if next.queue not in gone:
                            await own.declare_queue(next.queue, passive=True, timeout=OPERATION_TIMEOUT_S)
                        await declare(own, self.exchange, next)
                    except aio_pika.exceptions.ChannelNotFoundEntity:
                        if next.queue in gone:
                            raise
                        log.warning("subscriber.queue_missing", subscriber=next.name, queue=next.queue)
                        gone.add(next.queue)
                        break
                    except amqp.DECLARATION_REFUSED as refusal:
                        cause = broker_url.said(refusal)
                        if amqp.refusals.new(f"{next.name}: {cause}"):
                            log.error("subscriber.not_declared", subscriber=next.name, queue=next.queue, cause=cause)
                        waiting.pop()
                        break
                    waiting.pop()
        return declared


async def _count(amqp_url: str, queue: str) -> tuple[int, int] | None:
    """Numbers of ready messages and consumers of a queue, if it exists."""
    async with amqp.channel(amqp_url, "list") as channel:
        try:
            found = await channel.declare_queue(queue, passive=True, timeout=OPERATION_TIMEOUT_S)
        except aio_pika.exceptions.ChannelNotFoundEntity:
            return None
    declared = found.declaration_result
    return declared.message_count or 0, declared.consumer_count or 0


def _read(body: bytes) -> Subscriber:
    read = orjson.loads(body)
    return Subscriber(
        name=read["name"], account=read["account"], at=read["at"], mode=read["mode"], types=tuple(read["types"])
    )
