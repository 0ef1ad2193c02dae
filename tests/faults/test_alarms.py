"""A broker that is short of memory: the relay waits, webhooks go on from the log, and nothing is lost or repeated."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from aio_pika.abc import AbstractChannel, AbstractExchange, AbstractQueue
from structlog.testing import capture_logs

from tests.servers.rabbitmq import PrivateRabbit
from tests.waiting import until
from tests.webhooks.broker.relaying import bound, relaying, take
from tests.webhooks.harness import WebhookHarness, webhook_harness
from webhooks.broker import amqp, relay
from webhooks.broker.amqp import Topology
from webhooks.broker.relay import IN_FLIGHT_MAX

pytestmark = [pytest.mark.faults, pytest.mark.rabbitmq]

NOTICES = 2 * IN_FLIGHT_MAX
PATIENCE_S = 0.3  # what is waited for a broker that is well, in these tests


@pytest.fixture
async def webhooks(database: str) -> AsyncIterator[WebhookHarness]:
    async with webhook_harness(database) as built:
        yield built


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted(Topology):
    """A topology that notes how often it is declared: once a connection."""

    declared: list[AbstractChannel] = field(default_factory=list)

    async def declare(self, channel: AbstractChannel) -> tuple[AbstractExchange, AbstractQueue]:
        self.declared.append(channel)
        return await Topology.declare(self, channel)


async def test_the_relay_waits_for_a_broker_that_is_short_of_memory(
    webhooks: WebhookHarness, private_rabbit: PrivateRabbit, monkeypatch: pytest.MonkeyPatch
) -> None:
    amqp_url, topology = await asyncio.to_thread(private_rabbit.start), Counted()
    async with bound(amqp_url, topology, "#") as queue, relaying(webhooks, amqp_url, topology) as relaying_one:
        await webhooks.endpoint()
        first = await webhooks.notices(1)
        await take(queue, 1)
        await asyncio.to_thread(private_rabbit.raise_alarm)
        monkeypatch.setattr(amqp, "OPERATION_TIMEOUT_S", PATIENCE_S)
        with capture_logs() as said:
            blocked = await webhooks.notices(NOTICES)
            await until(lambda: relaying_one.state.startswith("blocked"))
            assert await webhooks.catch_up() == 1 + NOTICES, "webhooks get it from the log"
            waited_until = asyncio.get_running_loop().time() + 10 * PATIENCE_S
            await until(lambda: asyncio.get_running_loop().time() > waited_until)
            assert relaying_one.active
            assert relaying_one.state.startswith("blocked")
            assert len(topology.declared) == 1, "on one connection all the while"
            monkeypatch.undo()
            await asyncio.to_thread(private_rabbit.end_alarm)
            messages = await take(queue, NOTICES)
        assert [message.headers["rollbook-sequence"] for message in messages] == blocked
        await until(lambda: relaying_one.state == "ok")
        assert len(topology.declared) == 1
        assert "broker.lost" not in {entry["event"] for entry in said}
        assert await queue.get(fail=False) is None, "and nothing twice"
        assert first < blocked
        # It stops in good time too, whatever it has in flight.
        await asyncio.to_thread(private_rabbit.raise_alarm)
        await webhooks.notices(NOTICES)
        await until(lambda: relaying_one.state.startswith("blocked"))
        monkeypatch.setattr(relay, "STOPPING_S", PATIENCE_S)
        monkeypatch.setattr(amqp, "OPERATION_TIMEOUT_S", PATIENCE_S)
