"""Replay: past events published again to the queue of one subscriber.

They are published directly to the queue, in order, each confirmed, with their original headers and one that marks them
as replayed. Live notices keep arriving meanwhile, so replayed ones come after newer ones, and some may be duplicates.
"""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import aio_pika
from aio_pika.abc import AbstractChannel

from events.database import Pool, load_sql
from events.errors import Refusal
from events.scope import Scope
from events.supervision import end
from webhooks.broker import amqp
from webhooks.broker.amqp import OPERATION_TIMEOUT_S
from webhooks.broker.relay import message
from webhooks.broker.subscriber import ANY, Subscriber
from webhooks.feed import api_version
from webhooks.feed.api_version import VersionedNotice

BATCH = 200  # messages in flight
REPLAYED = "rollbook-replayed"


@dataclass(slots=True, kw_only=True)
class Replay:
    """A replay and how far it has come: `position` is the last that is done."""

    subscriber: Subscriber
    position: int
    head: int
    since: datetime
    total: int
    done: int = 0

    async def run(self, pool: Pool, amqp_url: str, stop: asyncio.Event) -> AsyncGenerator[int, None]:
        """Publish the rest to the queue, yielding the count after each batch, until it is stopped.

        Raises LogUnavailable, one of BROKER_ERRORS; `position` is then the position to continue from.
        """
        query = load_sql("webhooks", "replay_notices")
        async with amqp.channel(amqp_url, "replay") as channel:
            while not stop.is_set():
                asked = (self.position, self.head, self.since, *_scope(self.subscriber), BATCH)
                notices = await _fetch(pool, query, *asked)
                if not notices:
                    self.position = self.head
                    return
                await self._publish(channel, notices, await _bodies(pool, notices))
                yield self.done

    async def _publish(self, channel: AbstractChannel, notices: list[Any], bodies: list[bytes]) -> None:
        on_their_way = [
            asyncio.create_task(
                channel.default_exchange.publish(
                    _marked(notice, body), self.subscriber.queue, timeout=OPERATION_TIMEOUT_S
                )
            )
            for notice, body in zip(notices, bodies, strict=True)
        ]
        try:
            for notice, confirmed in zip(notices, on_their_way, strict=True):
                await confirmed
                self.position, self.since = notice["sequence"], notice["appended_at"]
                self.done += 1
        finally:
            await end(*on_their_way)


async def begin(pool: Pool, of: Subscriber, start: int | datetime) -> Replay:
    """A replay of all events after a position, or at a time and after it.

    Raises Refusal for a position whose notices are gone or that is not there yet, LogUnavailable.
    """
    after, at = (start, None) if isinstance(start, int) else (None, start)
    (bounds,) = await _fetch(pool, load_sql("webhooks", "replay_bounds"), after, at, *_scope(of))
    if bounds["after"] < bounds["oldest"]:
        raise Refusal(
            f"Events after position {after} are no longer stored. The oldest position to begin after is "
            f"{bounds['oldest']}.",
            param="from",
        )
    if bounds["after"] > bounds["head"]:
        raise Refusal(f"Position {after} does not exist yet: the last one is {bounds['head']}.", param="from")
    return Replay(
        subscriber=of,
        position=bounds["after"],
        head=bounds["head"],
        since=bounds["since"],
        total=bounds["count"],
    )


def _scope(of: Subscriber) -> tuple[str | None, bool | None, tuple[str, ...]]:
    """Account, livemode and types of a subscriber's notices."""
    return None if of.account == ANY else of.account, None if of.mode == ANY else of.mode == "live", of.patterns


def _marked(notice: Any, body: bytes) -> aio_pika.Message:
    marked = message(notice, body)
    marked.headers[REPLAYED] = True
    return marked


async def _bodies(pool: Pool, notices: list[Any]) -> list[bytes]:
    """The notices in the API version of their time."""
    versioned = [
        VersionedNotice(notice["body"], None, Scope(notice["account"], notice["livemode"])) for notice in notices
    ]
    older = await api_version.rendered(
        versioned, lambda wanted: api_version.find_coupons(lambda *asked: _fetch(pool, *asked), wanted)
    )
    return [older.get(index, notice.body) for index, notice in enumerate(versioned)]


async def _fetch(pool: Pool, query: str, *arguments: object) -> list[Any]:
    return await pool.fetch(query, *arguments)
