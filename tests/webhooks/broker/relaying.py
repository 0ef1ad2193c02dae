"""A relay at work, and a queue that is bound to what it publishes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aio_pika
from aio_pika.abc import AbstractIncomingMessage, AbstractQueue

from events.follow import Wakeup
from tests.waiting import until
from tests.webhooks.harness import WebhookHarness
from webhooks.broker.amqp import Topology
from webhooks.broker.relay import Relay


@asynccontextmanager
async def relaying(webhooks: WebhookHarness, amqp_url: str, topology: Topology) -> AsyncIterator[Relay]:
    """A relay at work, stopped in order at the end."""
    wakeup, stop = Wakeup(webhooks.dsn, "rollbook_log"), asyncio.Event()
    relay = Relay(webhooks.dsn, amqp_url, topology, wakeup)
    tasks = [asyncio.create_task(wakeup.run(stop)), asyncio.create_task(relay.run(stop))]
    try:
        yield relay
    finally:
        stop.set()
        await asyncio.gather(*tasks)


@asynccontextmanager
async def bound(amqp_url: str, topology: Topology, key: str) -> AsyncIterator[AbstractQueue]:
    """A queue of a microservice's own, bound to what it wants to hear of."""
    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel()
        exchange = await channel.declare_exchange(topology.exchange, aio_pika.ExchangeType.TOPIC, durable=True)
        queue = await channel.declare_queue(exclusive=True)
        await queue.bind(exchange, key)
        yield queue


async def take(queue: AbstractQueue, count: int) -> list[AbstractIncomingMessage]:
    """So many messages, acknowledged."""
    taken: list[AbstractIncomingMessage] = []

    async def enough() -> bool:
        while (message := await queue.get(fail=False)) is not None:
            await message.ack()
            taken.append(message)
        return len(taken) >= count

    await until(enough)
    return taken
