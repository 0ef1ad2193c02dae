"""A customer created through Stripe's client arrives, signed, at the URL that was registered through it."""

import asyncio
import secrets
from typing import Any

import aio_pika
import pytest
import stripe

from service.commands.keys import DEVELOPMENT_KEY
from tests.servers.receiver import Receiver
from tests.service.serving import Launch, Process
from tests.waiting import until


def client_of(process: Process) -> Any:
    """Stripe's client, unchanged but for the address."""
    return stripe.StripeClient(
        DEVELOPMENT_KEY, base_addresses={"api": process.url}, http_client=stripe.UrllibClient()
    ).v1


async def test_every_change_arrives_signed_and_is_counted_down(launch: Launch, receiver: Receiver) -> None:
    await journey(await launch("serve"), receiver)


@pytest.mark.rabbitmq
async def test_every_change_arrives_through_the_broker_too(launch: Launch, receiver: Receiver, amqp_url: str) -> None:
    name = f"test.{secrets.token_hex(4)}"
    queue = f"{name}.fanout"
    process = await launch("serve", AMQP_URL=amqp_url, ROLLBOOK_EXCHANGE=name, ROLLBOOK_FANOUT_QUEUE=queue)
    try:
        await journey(process, receiver)
    finally:
        await process.kill9()
        async with await aio_pika.connect(amqp_url) as connection:
            channel = await connection.channel()
            await channel.queue_delete(queue)
            await channel.exchange_delete(name)


async def journey(process: Process, receiver: Receiver) -> None:
    """Register a URL, create, change and delete a customer, and take what arrives as a receiver should."""
    client = client_of(process)
    endpoint = await asyncio.to_thread(
        client.webhook_endpoints.create, {"url": receiver.url("/hook"), "enabled_events": ["*"]}
    )

    def change() -> str:
        made = client.customers.create({"email": "jenny.rosen@example.com"})
        client.customers.update(made.id, {"metadata": {"tier": "gold"}})
        client.customers.delete(made.id)
        return str(made.id)

    id = await asyncio.to_thread(change)
    got = await receiver.wait_for(3, "/hook")
    events = {}
    for one in got:
        event = stripe.Webhook.construct_event(one.body, one.headers["Stripe-Signature"], endpoint.secret)
        events[event.type] = event
        assert event.data.object["id"] == id
    assert set(events) == {"customer.created", "customer.updated", "customer.deleted"}
    assert events["customer.updated"].data.previous_attributes.to_dict() == {"metadata": {"tier": None}}

    async def counted_down() -> bool:
        page = await asyncio.to_thread(client.events.list)
        return {event.id for event in page.data} == {event.id for event in events.values()} and not any(
            event.pending_webhooks for event in page.data
        )

    await until(counted_down)
