"""A consumer as a service would write it: every notice is dealt with once, though it may come more than once."""

import json
from collections.abc import Callable
from typing import Any

import aio_pika
from aio_pika.abc import AbstractIncomingMessage

Deal = Callable[[AbstractIncomingMessage, dict[str, Any]], None]


class Consumer:
    """Deals with the notices of a queue; a real one keeps `dealt_with` in the database that its work is in."""

    def __init__(self, deal: Deal) -> None:
        self.dealt_with: set[str] = set()
        self.came = 0
        self._deal = deal

    async def consume(self, amqp_url: str, queue_name: str) -> None:
        """Until cancelled, or the broker is lost: whoever started it starts it again."""
        async with await aio_pika.connect(amqp_url) as connection:
            channel = await connection.channel()
            await channel.set_qos(prefetch_count=100)
            queue = await channel.get_queue(queue_name)
            async with queue.iterator() as messages:
                async for message in messages:
                    async with message.process():  # what raises goes to the dead letters
                        self._handle(message)

    def _handle(self, message: AbstractIncomingMessage) -> None:
        self.came += 1
        id = str(message.headers["rollbook-event-id"])
        if id not in self.dealt_with:
            self._deal(message, json.loads(message.body))
            self.dealt_with.add(id)
