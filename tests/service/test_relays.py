"""Relays in processes of their own: of several one leads, and one that was stopped does no harm when it comes back."""

import secrets
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aio_pika
import pytest
from aio_pika.abc import AbstractIncomingMessage

from tests.service.serving import Launch
from tests.waiting import until
from tests.webhooks.harness import WebhookHarness, webhook_harness
from webhooks.broker.relay import LOCK

pytestmark = pytest.mark.rabbitmq

NOTICES = 1_000
LEASE_S = 2


@dataclass
class Heard:
    """The sequences that came out of a queue, in order."""

    sequences: list[int] = field(default_factory=list)

    async def note(self, message: AbstractIncomingMessage) -> None:
        async with message.process():
            self.sequences.append(int(str(message.headers["rollbook-sequence"])))

    @property
    def firsts(self) -> list[int]:
        """Without what repeats."""
        return list(dict.fromkeys(self.sequences))


@asynccontextmanager
async def hearing(amqp_url: str, exchange: str) -> AsyncIterator[Heard]:
    """A queue bound to all there is, and what comes out of it; nothing of it is left behind."""
    heard = Heard()
    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel()
        published = await channel.declare_exchange(exchange, aio_pika.ExchangeType.TOPIC, durable=True)
        queue = await channel.declare_queue(exclusive=True)
        await queue.bind(published, "#")
        await queue.consume(heard.note)
        yield heard
        await channel.queue_delete(f"{exchange}.fanout")
        await channel.exchange_delete(exchange)


async def cursor(webhooks: WebhookHarness) -> tuple[int, int]:
    """How far the relays have come, and the epoch of the one that leads."""
    row = await webhooks.owner.fetchrow("SELECT sequence, epoch FROM webhooks.relay_cursor")
    return row["sequence"], row["epoch"]


async def leads(webhooks: WebhookHarness) -> int | None:
    """The backend of the relay that leads."""
    pid: int | None = await webhooks.owner.fetchval(
        "SELECT pid FROM pg_locks JOIN pg_database d ON d.oid = database WHERE locktype = 'advisory' AND granted "
        "AND datname = current_database() AND objid = $1::bigint::oid",
        LOCK,
    )
    return pid


@pytest.mark.parametrize("ended_by", ["the end of its lease", "the loss of its connection"])
async def test_a_leader_that_was_stopped_is_taken_over_from_and_comes_back_in_vain(
    database: str, launch: Launch, amqp_url: str, ended_by: str
) -> None:
    exchange = f"test.{secrets.token_hex(4)}"
    variables = {
        "AMQP_URL": amqp_url,
        "ROLLBOOK_EXCHANGE": exchange,
        "ROLLBOOK_FANOUT_QUEUE": f"{exchange}.fanout",
        "ROLLBOOK_OPERATIONS_PORT": "0",
        "ROLLBOOK_RELAY_LEASE_S": str(LEASE_S) if ended_by == "the end of its lease" else "3600",
    }
    async with hearing(amqp_url, exchange) as heard, webhook_harness(database) as webhooks:
        first = await launch("relay", **variables)
        backend = await until(lambda: leads(webhooks), timeout_s=30)
        await launch("relay", **variables)
        made = await webhooks.notices(NOTICES)
        await until(lambda: heard.sequences)
        first.process.send_signal(signal.SIGSTOP)
        assert len(heard.firsts) < NOTICES, "stopped in the middle of it"
        if ended_by == "the loss of its connection":
            await webhooks.owner.execute("SELECT pg_terminate_backend($1)", backend)

        async def taken_over() -> bool:
            return await leads(webhooks) not in (None, backend)

        await until(taken_over, timeout_s=30)
        await until(lambda: len(heard.firsts) == NOTICES, timeout_s=30)
        epochs = (await cursor(webhooks))[1]
        made += await webhooks.notices(10)
        first.process.send_signal(signal.SIGCONT)
        made += await webhooks.notices(10)

        async def all_confirmed() -> bool:
            return (await cursor(webhooks))[0] == made[-1]

        await until(all_confirmed, timeout_s=30)
        made += await webhooks.notices(10)
        await until(lambda: len(heard.firsts) == len(made), timeout_s=30)
        assert heard.firsts == made, "each in order"
        await until(all_confirmed)
        assert (await cursor(webhooks))[1] == epochs, "the one that came back took nothing over"
