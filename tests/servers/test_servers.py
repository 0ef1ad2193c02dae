"""The servers of the tests do what they are set to, and have stopped afterwards."""

import asyncio
import time

import aio_pika
import aiohttp
import asyncpg
import psutil
import pytest

from tests.servers.postgres import PrivatePostgres
from tests.servers.rabbitmq import PrivateRabbit
from tests.servers.receiver import Answer, Drip, Drop, Flood, Hang, HangInBody, Receiver, redirect
from tests.waiting import until


async def test_a_database_is_migrated_and_a_tests_own(database: str) -> None:
    connection = await asyncpg.connect(database)
    assert (
        await connection.fetchval("SELECT count(*) FROM information_schema.schemata WHERE schema_name = 'events'") == 1
    )
    await connection.close()


@pytest.mark.faults
async def test_a_killed_postgres_comes_back_with_what_was_committed(private_postgres: PrivatePostgres) -> None:
    dsn = private_postgres.start()
    connection = await asyncpg.connect(dsn)
    await connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")

    assert private_postgres.restart() == dsn

    await until(connection.is_closed)
    connection = await asyncpg.connect(dsn)
    assert await connection.fetchval("SELECT answer FROM kept") == 42
    await connection.close()


@pytest.mark.rabbitmq
async def test_the_shared_broker_takes_and_gives_messages(amqp_url: str) -> None:
    connection = await aio_pika.connect(amqp_url)
    channel = await connection.channel()
    queue = await channel.declare_queue(exclusive=True)
    await channel.default_exchange.publish(aio_pika.Message(b"hello"), queue.name)
    message = await queue.get(no_ack=True)
    assert message is not None
    assert message.body == b"hello"
    await connection.close()


@pytest.mark.rabbitmq
@pytest.mark.faults
async def test_a_killed_rabbit_comes_back_with_what_was_confirmed(private_rabbit: PrivateRabbit) -> None:
    url = private_rabbit.start()
    await _publish(url, b"kept")

    assert private_rabbit.restart() == url

    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue("kept", durable=True)
        message = await until(lambda: queue.get(no_ack=True, fail=False))
    assert message is not None
    assert message.body == b"kept"


@pytest.mark.rabbitmq
def test_a_stopped_rabbit_leaves_no_process(private_rabbit: PrivateRabbit) -> None:
    private_rabbit.start()
    private_rabbit.stop()
    name = f"rollbook-{private_rabbit.port}@"
    assert not [process for process in psutil.process_iter() if name in " ".join(_command(process))]


async def test_a_receiver_records_what_it_is_sent(receiver: Receiver) -> None:
    async with aiohttp.ClientSession() as client, client.post(receiver.url("/a?b=c"), data=b"\x00body") as answer:
        assert answer.status == 200
    (request,) = await receiver.wait_for(1)
    assert (request.path, request.body) == ("/a?b=c", b"\x00body")
    assert request.headers["content-length"] == "5"
    assert request.at <= time.monotonic()


async def test_a_receiver_follows_its_script_and_stays_at_its_end(receiver: Receiver) -> None:
    receiver.behave("/", Answer(status=500), redirect("/elsewhere"), Answer(status=202, body=b"at last"))
    async with aiohttp.ClientSession() as client:
        statuses = []
        for _ in range(4):
            async with client.post(receiver.url(), allow_redirects=False) as answer:
                statuses.append(answer.status)
    assert statuses == [500, 302, 202, 202]


@pytest.mark.parametrize("behaviour", [Hang(), HangInBody(), Answer(delay_s=60), Drip()])
async def test_a_receiver_keeps_a_caller_waiting_and_stops_all_the_same(
    receiver: Receiver, behaviour: Hang | HangInBody | Answer | Drip
) -> None:
    receiver.behave("/", behaviour)
    async with aiohttp.ClientSession() as client:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(_post(client, receiver.url()), timeout=0.2)
        waiting = asyncio.create_task(_post(client, receiver.url()))
        await receiver.wait_for(2)
        await receiver.stop()
        await asyncio.wait([waiting], timeout=5)
        assert waiting.done()
        waiting.exception()


async def test_a_receiver_drops_the_connection(receiver: Receiver) -> None:
    receiver.behave("/", Drop())
    async with aiohttp.ClientSession() as client:
        with pytest.raises(aiohttp.ClientError):
            await _post(client, receiver.url())


async def test_a_receiver_sends_a_body_of_any_size(receiver: Receiver) -> None:
    receiver.behave("/", Flood(size_bytes=10_000_001))
    async with aiohttp.ClientSession() as client:
        assert len(await _post(client, receiver.url())) == 10_000_001


async def test_a_receiver_starts_again_on_its_port(receiver: Receiver) -> None:
    url = receiver.url()
    await receiver.stop()
    async with aiohttp.ClientSession() as client:
        with pytest.raises(aiohttp.ClientConnectorError):
            await _post(client, url)
        await receiver.start()
        assert await _post(client, url) == b""


async def _post(client: aiohttp.ClientSession, url: str) -> bytes:
    async with client.post(url, data=b"{}") as answer:
        return await answer.read()


async def _publish(url: str, body: bytes) -> None:
    connection = await aio_pika.connect(url)
    channel = await connection.channel()
    queue = await channel.declare_queue("kept", durable=True)
    persistent = aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
    await channel.default_exchange.publish(persistent, queue.name)
    await connection.close()


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
