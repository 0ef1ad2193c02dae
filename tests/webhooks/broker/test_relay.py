"""The relay and the consumer over a real broker: what a microservice gets, and what feeds webhooks."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aio_pika
import asyncpg
import orjson
import pytest
from structlog.testing import capture_logs

from events import database
from events.errors import LogUnavailable
from events.follow import Wakeup
from tests.waiting import until
from tests.webhooks.broker.relaying import bound, relaying, take
from tests.webhooks.feed.discounts import BASIL, COUPON, DISCOUNT, OLD_DISCOUNT, record_discount
from tests.webhooks.harness import ACCOUNT, WebhookHarness
from webhooks.broker import amqp, relay
from webhooks.broker.amqp import Topology
from webhooks.broker.consumer import Consumer
from webhooks.broker.relay import LOCK, Relay, session

pytestmark = pytest.mark.rabbitmq


@pytest.fixture
async def topology(amqp_url: str) -> AsyncIterator[Topology]:
    """Names of this test's own, gone after it."""
    mine = secrets.token_hex(4)
    names = Topology(exchange=f"test.{mine}.notices", fanout_queue=f"test.{mine}.fanout")
    yield names
    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel()
        await channel.queue_delete(names.fanout_queue)
        await channel.exchange_delete(names.exchange)


@asynccontextmanager
async def consuming(amqp_url: str, topology: Topology, fan_out: object) -> AsyncIterator[Consumer]:
    """A consumer of the fan-out queue at work."""
    stop = asyncio.Event()
    consumer = Consumer(amqp_url, topology, fan_out)  # type: ignore[arg-type]  # each test brings its own
    task = asyncio.create_task(consumer.run(stop))
    try:
        yield consumer
    finally:
        stop.set()
        await task


async def test_a_microservice_gets_each_notice_once_and_in_order(
    webhooks: WebhookHarness, amqp_url: str, topology: Topology
) -> None:
    async with bound(amqp_url, topology, f"{ACCOUNT}.test.customer.*") as queue:
        async with relaying(webhooks, amqp_url, topology) as relay:
            sequences = await webhooks.notices(300)
            await webhooks.notices(1, account="acct_2")
            messages = await take(queue, 300)
            await until(lambda: relay.published == 301)
        assert [message.headers["rollbook-sequence"] for message in messages] == sequences
        assert len({message.message_id for message in messages}) == 300
        assert await queue.get(fail=False) is None


async def test_a_message_says_what_it_is_about_before_it_is_read(
    webhooks: WebhookHarness, amqp_url: str, topology: Topology
) -> None:
    async with bound(amqp_url, topology, "#") as queue, relaying(webhooks, amqp_url, topology):
        (sequence,) = await webhooks.notices(1, "customer.updated", livemode=True)
        (message,) = await take(queue, 1)
    stored = await webhooks.owner.fetchrow("SELECT * FROM projections.notice WHERE sequence = $1", sequence)
    assert message.body == stored["body"]
    assert message.routing_key == f"{ACCOUNT}.live.customer.updated"
    assert message.delivery_mode == aio_pika.DeliveryMode.PERSISTENT
    assert (message.type, message.content_type) == ("customer.updated", "application/json")
    assert message.timestamp is not None
    assert int(message.timestamp.timestamp()) == stored["created"]
    headers = message.headers
    assert headers["rollbook-event-id"] == headers["cloudEvents:id"] == orjson.loads(message.body)["id"]
    assert headers["rollbook-position"] == stored["position"]
    assert headers["rollbook-version"] == stored["version"]
    assert headers["cloudEvents:specversion"] == "1.0"
    assert headers["cloudEvents:type"] == "customer.updated"
    assert headers["cloudEvents:source"] == f"/rollbook/{ACCOUNT}"
    assert headers["traceparent"] == stored["traceparent"]


async def test_a_notice_of_before_there_were_traces_is_published_without(
    webhooks: WebhookHarness, amqp_url: str, topology: Topology
) -> None:
    (sequence,) = await webhooks.notices(1)
    await webhooks.owner.execute("UPDATE projections.notice SET traceparent = NULL WHERE sequence = $1", sequence)
    async with bound(amqp_url, topology, "#") as queue, relaying(webhooks, amqp_url, topology):
        (message,) = await take(queue, 1)
    assert "traceparent" not in message.headers


async def test_what_was_recorded_in_an_older_version_of_the_api_is_published_in_that(
    webhooks: WebhookHarness, amqp_url: str, topology: Topology
) -> None:
    async with bound(amqp_url, topology, "#") as queue, relaying(webhooks, amqp_url, topology):
        await record_discount(webhooks, version=BASIL)
        await record_discount(webhooks)
        old, new = await take(queue, 2)
    assert orjson.loads(old.body)["data"]["object"] == {**OLD_DISCOUNT, "coupon": {**COUPON, "account": ACCOUNT}}
    assert orjson.loads(new.body)["data"]["object"] == DISCOUNT


async def test_of_two_relays_one_is_active_and_the_other_takes_over(
    webhooks: WebhookHarness, amqp_url: str, topology: Topology
) -> None:
    async with bound(amqp_url, topology, "#") as queue, relaying(webhooks, amqp_url, topology) as second:
        async with relaying(webhooks, amqp_url, topology) as first:
            await until(lambda: first.active or second.active)
            await webhooks.notices(20)
            await take(queue, 20)
            assert first.active != second.active
        await webhooks.notices(20)
        assert len(await take(queue, 20)) == 20
        assert second.active


async def test_a_relay_that_was_superseded_cannot_move_the_cursor(
    webhooks: WebhookHarness, amqp_url: str, topology: Topology
) -> None:
    async with bound(amqp_url, topology, "#") as queue, relaying(webhooks, amqp_url, topology) as relay:
        await until(lambda: relay.active)
        await webhooks.owner.execute("UPDATE webhooks.relay_cursor SET epoch = epoch + 1, sequence = 0")
        sequences = await webhooks.notices(5)

        async def led_anew() -> bool:
            cursor = await webhooks.owner.fetchrow("SELECT sequence, epoch FROM webhooks.relay_cursor")
            return (cursor["sequence"], cursor["epoch"]) == (sequences[-1], 3)

        await until(led_anew)
        messages = await take(queue, 5)
    assert {message.headers["rollbook-sequence"] for message in messages} == set(sequences)


async def test_a_relay_survives_the_loss_of_its_database_connection(
    webhooks: WebhookHarness, amqp_url: str, topology: Topology
) -> None:
    async with bound(amqp_url, topology, "#") as queue, relaying(webhooks, amqp_url, topology) as relay:
        await until(lambda: relay.active)
        await webhooks.owner.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND application_name LIKE 'rollbook%' AND pid <> pg_backend_pid()"
        )
        sequences = await webhooks.notices(3)
        messages = await take(queue, 3)
    assert {message.headers["rollbook-sequence"] for message in messages} == set(sequences)


async def test_a_leaders_session_ends_when_it_is_not_heard_of(webhooks: WebhookHarness) -> None:
    leading = await session(webhooks.dsn, 0.2)
    try:
        assert await leading.fetchval("SELECT pg_try_advisory_lock($1)", LOCK)
        await until(leading.is_closed)

        async def free() -> bool:
            taken: bool = await webhooks.owner.fetchval("SELECT pg_try_advisory_lock($1)", LOCK)
            return taken

        await until(free)
    finally:
        leading.terminate()


async def test_a_leaders_connection_ends_with_its_machine(
    webhooks: WebhookHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, str] = {}

    async def connect(dsn: str, *, application: str, **settings: str) -> object:
        asked.update(settings)
        return await database.connect(dsn, application=application, **settings)

    # The values that are asked for: those in force read zero where the connection is a Unix socket.
    monkeypatch.setattr(relay, "connect", connect)
    (await session(webhooks.dsn, 10.0)).terminate()
    assert {name: int(value) for name, value in asked.items() if name.startswith("tcp_")} == {
        "tcp_keepalives_idle": 5,
        "tcp_keepalives_interval": 2,
        "tcp_keepalives_count": 3,
        "tcp_user_timeout": 10_000,
    }


async def test_a_leader_that_stopped_in_the_middle_of_a_statement_is_taken_over_from(
    webhooks: WebhookHarness, amqp_url: str, topology: Topology
) -> None:
    silent = await session(webhooks.dsn, 1.0)
    assert await silent.fetchval("SELECT pg_try_advisory_lock($1)", LOCK)
    await silent.prepare("SELECT 1")  # parsed and never executed: its session is active, and so never idle for too long
    wakeup, stop = Wakeup(webhooks.dsn, "rollbook_log"), asyncio.Event()
    standing_by = Relay(webhooks.dsn, amqp_url, topology, wakeup, lease_s=1.0)
    running = asyncio.create_task(standing_by.run(stop))
    try:
        await until(lambda: standing_by.active)
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)):
            await silent.execute("SELECT 1")
    finally:
        silent.terminate()
        stop.set()
        await running


async def test_a_leader_with_nothing_to_publish_goes_on_leading(
    webhooks: WebhookHarness, amqp_url: str, topology: Topology
) -> None:
    wakeup, stop = Wakeup(webhooks.dsn, "rollbook_log"), asyncio.Event()
    away = Relay(webhooks.dsn, "amqp://guest:guest@127.0.0.1:1/", topology, wakeup, lease_s=0.5)
    leading = asyncio.create_task(away.run(stop))
    try:
        await until(lambda: away.active)
        async with relaying(webhooks, amqp_url, topology) as other:
            led_until = time.monotonic() + 1.0
            await until(lambda: time.monotonic() > led_until)
            assert away.active
            assert not other.active
    finally:
        stop.set()
        await leading


async def test_a_relay_whose_statement_fails_tries_again(
    webhooks: WebhookHarness, amqp_url: str, topology: Topology
) -> None:
    await webhooks.owner.execute("ALTER TABLE webhooks.relay_cursor ADD CONSTRAINT broken CHECK (epoch = 0)")
    with capture_logs() as said:
        async with bound(amqp_url, topology, "#") as queue, relaying(webhooks, amqp_url, topology):
            sequences = await webhooks.notices(3)
            await until(lambda: any(entry["event"] == "relay.waits" for entry in said))
            await webhooks.owner.execute("ALTER TABLE webhooks.relay_cursor DROP CONSTRAINT broken")
            messages = await take(queue, 3)
    assert [message.headers["rollbook-sequence"] for message in messages] == sequences
    assert [entry["event"] for entry in said if entry["event"].startswith("relay")] == [
        "relay.waits",
        "relay.resumed",
        "relay.leads",
    ]


async def test_what_is_not_confirmed_in_time_is_published_again_on_another_channel(
    webhooks: WebhookHarness, amqp_url: str, topology: Topology, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish, lost = aio_pika.Exchange.publish, list[object]()

    async def publish_without_the_first(self: aio_pika.Exchange, *arguments: Any, **options: Any) -> Any:
        if not lost:
            lost.append(arguments)
            await asyncio.Event().wait()  # as a queue without a majority of its nodes: no confirmation ever
        return await publish(self, *arguments, **options)

    monkeypatch.setattr(aio_pika.Exchange, "publish", publish_without_the_first)
    monkeypatch.setattr(amqp, "CONFIRM_TIMEOUT_S", 0.5)
    with capture_logs() as said:
        async with bound(amqp_url, topology, "#") as queue, relaying(webhooks, amqp_url, topology) as relay:
            sequences = await webhooks.notices(3)
            await until(lambda: relay.unconfirmed == 1)
            await until(lambda: relay.published == 3, timeout_s=30)
            messages = await take(queue, 5)
    # The two behind the first were published, and then again with it.
    assert [message.headers["rollbook-sequence"] for message in messages] == [*sequences[1:], *sequences]
    [cause] = [entry["cause"] for entry in said if entry["event"] == "broker.lost"]
    assert f"exchange '{topology.exchange}' was not confirmed within 0.5 s" in cause
    assert await webhooks.owner.fetchval("SELECT sequence FROM webhooks.relay_cursor") == sequences[-1]


async def test_notices_go_on_when_the_queue_of_webhooks_was_deleted(
    webhooks: WebhookHarness, amqp_url: str, topology: Topology
) -> None:
    async with relaying(webhooks, amqp_url, topology) as relay:
        await webhooks.notices(1)
        await until(lambda: relay.published == 1)
        async with await aio_pika.connect(amqp_url) as connection:
            await (await connection.channel()).queue_delete(topology.fanout_queue)
        (sequence,) = await webhooks.notices(1)
        await until(lambda: relay.published == 2)
    assert await webhooks.owner.fetchval("SELECT sequence FROM webhooks.relay_cursor") == sequence


async def test_a_queue_that_was_deleted_is_there_again_before_anything_is_published(
    webhooks: WebhookHarness, amqp_url: str, topology: Topology, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "DECLARE_EVERY_S", 0.1)
    async with relaying(webhooks, amqp_url, topology) as running:
        await until(lambda: running.state == "ok")
        async with await aio_pika.connect(amqp_url) as connection:
            await (await connection.channel()).queue_delete(topology.fanout_queue)

            async def there() -> bool:
                try:
                    await (await connection.channel()).get_queue(topology.fanout_queue)
                except aio_pika.exceptions.ChannelNotFoundEntity:
                    return False
                return True

            await until(there)


async def test_a_consumer_whose_queue_was_deleted_goes_on_with_another(
    webhooks: WebhookHarness, amqp_url: str, topology: Topology
) -> None:
    handed: list[int] = []

    async def fan_out(sequences: Sequence[int]) -> None:
        handed.extend(sequences)

    async with consuming(amqp_url, topology, fan_out) as consumer:
        await until(lambda: consumer.state == "ok")
        async with await aio_pika.connect(amqp_url) as connection:
            await (await connection.channel()).queue_delete(topology.fanout_queue)
        await until(lambda: consumer.state.startswith("lost"))
        await until(lambda: consumer.state == "ok")
        async with relaying(webhooks, amqp_url, topology):
            sequences = await webhooks.notices(3)
            await until(lambda: handed == sequences)


async def test_what_comes_through_the_queue_is_fanned_out(
    webhooks: WebhookHarness, amqp_url: str, topology: Topology
) -> None:
    handed: list[int] = []

    async def fan_out(sequences: Sequence[int]) -> None:
        handed.extend(sequences)

    async with relaying(webhooks, amqp_url, topology), consuming(amqp_url, topology, fan_out) as consumer:
        sequences = await webhooks.notices(50)
        await until(lambda: consumer.consumed == 50)
    assert handed == sequences


async def test_messages_whose_fan_out_failed_come_again(
    webhooks: WebhookHarness, amqp_url: str, topology: Topology
) -> None:
    handed: list[int] = []

    async def fan_out(sequences: Sequence[int]) -> None:
        if not handed:
            handed.append(0)
            raise LogUnavailable("Postgres is away")
        handed.extend(sequences)

    async with relaying(webhooks, amqp_url, topology), consuming(amqp_url, topology, fan_out):
        sequences = await webhooks.notices(3)
        await until(lambda: set(handed) == {0, *sequences})


async def test_a_message_that_is_not_ours_is_passed_over(
    webhooks: WebhookHarness, amqp_url: str, topology: Topology
) -> None:
    async def fan_out(sequences: Sequence[int]) -> None:
        raise AssertionError("nothing is to be fanned out")

    async with consuming(amqp_url, topology, fan_out) as consumer:
        await until(lambda: consumer.state == "ok")
        async with await aio_pika.connect(amqp_url) as connection:
            channel = await connection.channel()
            await channel.default_exchange.publish(aio_pika.Message(b"?"), topology.fanout_queue)
        await until(lambda: consumer.malformed == 1)
