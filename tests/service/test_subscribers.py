"""Subscribers over a real broker: their queues, what comes into them, and history put there once more."""

import asyncio
import io
import json
import secrets
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aio_pika
import pytest
import typer
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage
from rich.console import Console
from structlog.testing import capture_logs

from events.errors import Missing, Refusal
from service import subscribers
from service.cli.output import Output
from service.health import Health
from service.roles import delivery
from service.settings import Misconfigured
from tests.servers.rabbitmq import PrivateRabbit
from tests.service.command_line import output_of, rollbook
from tests.service.serving import ACCOUNT, Api, Serve
from tests.waiting import until
from webhooks.broker import relay
from webhooks.broker import replay as replaying
from webhooks.broker.subscriber import Mode
from webhooks.broker.subscribers import WithSubscribers

pytestmark = pytest.mark.rabbitmq

POSITION = "rollbook-sequence"


def printing(file: io.StringIO) -> Output:
    """Output into `file`, as wide as it takes."""
    return Output(console=Console(file=file, width=200))


@dataclass
class Shop:
    """An application whose notices go to a broker, and hands for its subscribers."""

    api: Api
    amqp_url: str
    exchange: str
    names: list[str] = field(default_factory=list)

    async def add(self, *types: str, name: str = "", account: str = "*", mode: Mode = "*") -> str:
        name = name or f"t{secrets.token_hex(4)}"
        self.names.append(name)
        await subscribers.add(
            self.api.core, printing(io.StringIO()), name=name, types=types, account=account, mode=mode
        )
        return name

    async def listed(self) -> list[list[str]]:
        """The rows of the list, each as its words."""
        file = io.StringIO()
        await subscribers.show(self.api.core, printing(file))
        return [line.split() for line in file.getvalue().splitlines()[1:]]

    async def replay(self, name: str, start: object) -> str:
        file = io.StringIO()
        await subscribers.replay_to(self.api.core, printing(file), name, str(start))
        return file.getvalue()

    async def take(self, name: str, count: int, *, reject: bool = False) -> list[AbstractIncomingMessage]:
        """So many messages of a queue, and no more than those in it."""
        async with await aio_pika.connect(self.amqp_url) as connection:
            channel = await connection.channel()
            queue = await channel.get_queue(f"rollbook.{name}")
            taken: list[AbstractIncomingMessage] = []

            async def enough() -> bool:
                while (message := await queue.get(fail=False)) is not None:
                    await (message.reject() if reject else message.ack())
                    taken.append(message)
                return len(taken) >= count

            await until(enough)
            assert len(taken) == count
            return taken

    @asynccontextmanager
    async def relaying(self) -> AsyncIterator[None]:
        """A relay at work, stopped in order at the end."""
        stop, health = asyncio.Event(), Health(self.api.core, prepared=True)
        task = asyncio.create_task(delivery.relay(self.api.core, health, stop))
        try:
            await until(lambda: "relay" in health.brokers and health.brokers["relay"]() == "ok", timeout_s=30)
            yield
        finally:
            stop.set()
            await task


@asynccontextmanager
async def opened(serve: Serve, amqp_url: str) -> AsyncIterator[Shop]:
    exchange = f"test.{secrets.token_hex(4)}"
    fanout = f"{exchange}.fanout"
    shop = Shop(await serve(amqp_url=amqp_url, exchange=exchange, fanout_queue=fanout), amqp_url, exchange)
    yield shop
    async with await aio_pika.connect(shop.amqp_url) as connection:
        channel = await connection.channel()
        for name in shop.names:
            await channel.queue_delete(f"rollbook.{name}")
            await channel.queue_delete(f"rollbook.{name}.dead")
        await channel.queue_delete(fanout)
        await channel.exchange_delete(exchange)


@pytest.fixture
async def shop(serve: Serve, amqp_url: str) -> AsyncIterator[Shop]:
    async with opened(serve, amqp_url) as built:
        yield built


def types(messages: Sequence[AbstractIncomingMessage]) -> list[str | None]:
    return [message.type for message in messages]


def positions(messages: Sequence[AbstractIncomingMessage]) -> list[Any]:
    return [message.headers[POSITION] for message in messages]


async def test_each_subscriber_has_what_it_asked_for(shop: Shop) -> None:
    live = await shop.api.issue(livemode=True)
    all, customers, coupons = await shop.add("*"), await shop.add("customer.*"), await shop.add("coupon.created")
    mine = await shop.add("customer.*", account=ACCOUNT, mode="live")
    others = await shop.add("*", account="acct_other")
    async with shop.relaying():
        customer = await shop.api.customer()
        await shop.api.post(f"/v1/customers/{customer['id']}/tax_ids", "type=eu_vat&value=DE123456789")
        await shop.api.post("/v1/coupons", "percent_off=10")
        await shop.api.customer(key=live)
        received = types(await shop.take(all, 4))
        assert received == ["customer.created", "customer.tax_id.created", "coupon.created", "customer.created"]
        assert types(await shop.take(customers, 3)) == [received[0], received[1], received[3]], (
            "a * stands for several words too"
        )
        assert types(await shop.take(coupons, 1)) == ["coupon.created"]
        (message,) = await shop.take(mine, 1)
        assert message.routing_key == f"{ACCOUNT}.live.customer.created"
        await shop.take(others, 0)


async def test_adding_again_changes_nothing_and_other_types_replace_those_before(shop: Shop) -> None:
    name = await shop.add("customer.*")
    await shop.add("customer.*", name=name)
    async with shop.relaying():
        await shop.api.customer()
        await shop.take(name, 1)
        await shop.add("coupon.*", name=name)
        await shop.api.customer()
        await shop.api.post("/v1/coupons", "percent_off=10")
        assert types(await shop.take(name, 1)) == ["coupon.created"]
    assert await shop.listed() == [[name, f"rollbook.{name}", "0", "0", "0", "*.*.coupon.#"]]


async def test_what_a_consumer_rejects_is_kept_among_the_dead_letters(shop: Shop) -> None:
    name = await shop.add("*")
    async with shop.relaying():
        await shop.api.customer()
        await shop.take(name, 1, reject=True)
        (dead,) = await shop.take(f"{name}.dead", 1)
    assert json.loads(dead.body)["type"] == "customer.created"


async def test_a_list_shows_the_state_of_queues_and_which_are_missing(shop: Shop) -> None:
    name, lost = sorted([await shop.add("*"), await shop.add("coupon.*", mode="test")])
    async with await aio_pika.connect(shop.amqp_url) as connection:
        channel = await connection.channel()
        await channel.queue_delete(f"rollbook.{lost}")
        queue = await channel.get_queue(f"rollbook.{name}")
        await channel.default_exchange.publish(aio_pika.Message(b"{}"), queue.name)

        async def counted() -> bool:
            rows = {row[0]: row[2:5] for row in await shop.listed()}
            return rows == {name: ["1", "0", "0"], lost: ["missing", "missing", "0"]}

        await until(counted)


async def test_a_removed_subscriber_is_gone_with_its_queues(shop: Shop) -> None:
    name = await shop.add("*")
    out = printing(io.StringIO())
    await subscribers.remove(shop.api.core, out, name)
    assert await shop.listed() == []
    await subscribers.remove(shop.api.core, out, name)  # once more, as after a broker that was away
    with pytest.raises(Missing):
        await subscribers.remove(shop.api.core, out, "never")
    with pytest.raises(Missing):
        await shop.replay(name, 0)
    async with shop.relaying():
        await shop.api.customer()
    await shop.add("*", name=name)
    await shop.take(name, 0)


async def test_history_is_replayed_to_one_queue_in_order_with_the_headers_it_had(shop: Shop) -> None:
    name, other = await shop.add("customer.*", mode="test"), await shop.add("*")
    async with shop.relaying():
        for _ in range(3):
            await shop.api.customer()
        await shop.api.post("/v1/coupons", "percent_off=10")
        await shop.api.customer(key=await shop.api.issue(livemode=True))
        first = await shop.take(name, 3)
        await shop.take(other, 5)
    said = await shop.replay(name, 1)
    assert f"2 events after position 1, to rollbook.{name}" in said
    assert "2 were published, up to position 5: continue with --from 5." in said
    again = await shop.take(name, 2)
    await shop.take(other, 0)
    for live, replayed in zip(first[1:], again, strict=True):
        assert replayed.body == live.body
        assert replayed.headers == {**live.headers, "rollbook-replayed": True}
        assert (replayed.type, replayed.timestamp) == (live.type, live.timestamp)
        assert replayed.routing_key == f"rollbook.{name}"
    assert "0 events after position 5" in await shop.replay(name, 5)


async def test_history_is_replayed_from_a_time(shop: Shop) -> None:
    name = await shop.add("*")
    await shop.api.customer()
    between = datetime.now(UTC)
    await shop.api.customer()
    await shop.replay(name, between.isoformat())
    assert positions(await shop.take(name, 1)) == [2]
    await shop.replay(name, (between - timedelta(hours=1)).replace(tzinfo=None))
    assert positions(await shop.take(name, 2)) == [1, 2]
    await shop.replay(name, between + timedelta(hours=1))
    await shop.take(name, 0)


async def test_a_long_replay_keeps_its_order_and_goes_on_where_it_stopped(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replaying, "BATCH", 7)
    name = await shop.add("customer.*")
    for _ in range(30):
        await shop.api.customer()
    core = shop.api.core
    state = await subscribers._state(core, name)
    running, stop = await replaying.begin(core.pool, state, 0), asyncio.Event()
    assert running.total == 30
    async for done in running.run(core.pool, shop.amqp_url, stop):
        if done == 14:
            stop.set()
    assert (running.position, running.done) == (14, 14)
    await shop.replay(name, running.position)
    assert positions(await shop.take(name, 30)) == list(range(1, 31))


async def test_a_replay_to_a_queue_that_is_not_there_says_how_far_it_came(shop: Shop) -> None:
    name = await shop.add("*")
    await shop.api.customer()
    async with await aio_pika.connect(shop.amqp_url) as connection:
        await (await connection.channel()).queue_delete(f"rollbook.{name}")
    core = shop.api.core
    running = await replaying.begin(core.pool, await subscribers._state(core, name), 0)
    with pytest.raises(aio_pika.exceptions.DeliveryError):
        async for _ in running.run(core.pool, shop.amqp_url, asyncio.Event()):
            pass
    assert (running.position, running.done) == (0, 0)


@pytest.mark.parametrize("start", ["yesterday", "-1", "9"])
async def test_a_replay_begins_at_a_position_or_a_time_that_there_is(shop: Shop, start: str) -> None:
    name = await shop.add("*")
    with pytest.raises(Refusal):
        await shop.replay(name, start)


async def test_a_broker_that_comes_back_empty_has_its_subscribers_again(
    serve: Serve, private_rabbit: PrivateRabbit, tmp_path: Path
) -> None:
    async with opened(serve, private_rabbit.start()) as shop:
        name = await shop.add("customer.*")
        async with shop.relaying():
            await shop.api.customer()
            await shop.take(name, 1)
            private_rabbit.wipe()
            await shop.api.customer()

            async def declared() -> bool:
                return [row[1:3] for row in await shop.listed()] == [[f"rollbook.{name}", "1"]]

            await until(declared, timeout_s=60)
            assert positions(await shop.take(name, 1)) == [2]


async def test_a_queue_that_was_deleted_is_there_again_and_its_loss_is_logged(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "DECLARE_EVERY_S", 0.1)
    declare, rounds = WithSubscribers.declare, list[object]()

    async def counted(self: WithSubscribers, channel: AbstractChannel) -> object:
        rounds.append(declared := await declare(self, channel))
        return declared

    monkeypatch.setattr(WithSubscribers, "declare", counted)
    deleted, other = await shop.add("*"), await shop.add("*")
    with capture_logs() as said:
        async with shop.relaying():
            async with await aio_pika.connect(shop.amqp_url) as connection:
                await (await connection.channel()).queue_delete(f"rollbook.{deleted}")

            async def there_again() -> bool:
                return [row[2] for row in await shop.listed()] == ["0", "0"]

            await until(there_again)

            ended = len(rounds)
            await until(lambda: len(rounds) > ended)  # a queue is there a moment before it is bound
            await shop.api.customer()
            await shop.take(deleted, 1)
            await shop.take(other, 1)
    missing = [entry["subscriber"] for entry in said if entry["event"] == "subscriber.queue_missing"]
    assert missing == [deleted], "once, and of no other"


async def test_a_queue_in_another_form_does_not_keep_the_others_from_theirs(shop: Shop) -> None:
    names = [await shop.add("*") for _ in range(3)]
    async with await aio_pika.connect(shop.amqp_url) as connection:
        channel = await connection.channel()
        for name in names:
            await channel.queue_delete(f"rollbook.{name}")
        await channel.declare_queue(f"rollbook.{names[1]}")
        async with shop.relaying():
            await shop.api.customer()
            await shop.take(names[0], 1)
            await shop.take(names[2], 1)


async def test_the_command_line_adds_lists_replays_and_removes(shop: Shop, database: str, tmp_path: Path) -> None:
    variables = {"AMQP_URL": shop.amqp_url, "ROLLBOOK_EXCHANGE": shop.exchange}

    async def run(*words: str) -> str:
        return await output_of(database, tmp_path, "subscribers", *words, **variables)

    name = f"t{secrets.token_hex(4)}"
    shop.names.append(name)
    said = await run("add", name, "--types", "customer.*", "--types", "coupon.*", "--mode", "test")
    assert "bound by      *.test.customer.#" in said
    customer = await shop.api.customer()
    assert "up to position 1" in await run("replay", name, "--from", "0")
    consumer = tmp_path / "consumer.py"
    consumer.write_text(said.partition("A consumer:")[2])
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(consumer), env={"AMQP_URL": shop.amqp_url}, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(30):
            line = (await process.stdout.readline()).decode()
    finally:
        process.kill()
        await process.communicate()
    assert customer["id"] in line
    assert f"rollbook.{name}" in await run("list")
    [listed] = [each for each in json.loads(await run("list", "--json")) if each["name"] == name]
    assert (listed["queue"], listed["dead"]) == (f"rollbook.{name}", 0)
    assert "is removed" in await run("remove", name, "--yes")
    assert name not in await run("list")

    async def fails(*words: str, **more: str) -> tuple[int, str]:
        code, said = await rollbook(database, tmp_path, "subscribers", *words, **{**variables, **more})
        assert "Traceback" not in said
        return code, said

    assert await fails("remove", "never", "--yes") == (1, "No such subscriber: 'never'\n")
    assert (await fails("list", AMQP_URL=""))[0] == 2
    assert (await fails("add", "x", "--types", "*", AMQP_URL="amqp://127.0.0.1:1/"))[0] == 1
    assert (await fails("add", "x", "--types", "*", "--mode", "dead"))[0] == 2
    assert "not an event type" in (await fails("add", "x", "--types", "customer.cretaed"))[1]


async def test_what_makes_no_sense_is_declined(serve: Serve) -> None:
    core, out = (await serve(amqp_url=None)).core, printing(io.StringIO())
    with pytest.raises(typer.BadParameter, match="not an event type"):
        await subscribers.add(core, out, name="a", types=("nothing.*",), account="*", mode="*")
    with pytest.raises(Misconfigured, match="AMQP_URL"):
        await subscribers.add(core, out, name="a", types=("*",), account="*", mode="*")


async def test_a_subscriber_that_the_broker_refuses_is_kept_and_the_command_says_so(
    shop: Shop, database: str, tmp_path: Path
) -> None:
    broker = urlsplit(shop.amqp_url)
    refused = shop.amqp_url.replace(f":{broker.password}@", ":hush@")
    assert urlsplit(refused).password == "hush"
    shop.names.append("kept")
    code, said = await rollbook(
        database, tmp_path, "subscribers", "add", "kept", "--types", "*",
        AMQP_URL=refused, ROLLBOOK_EXCHANGE=shop.exchange,
    )  # fmt: skip
    assert code == 1
    cause, kept = said.strip().splitlines()
    assert cause.startswith("RabbitMQ at ")
    assert f"user '{broker.username}' is refused: wrong user name or password" in cause
    assert "hush" not in cause
    assert kept.startswith("The subscriber kept is stored: the relay declares rollbook.kept")
    async with shop.relaying():
        await shop.api.customer()
        await shop.take("kept", 1)
