"""A RabbitMQ that somebody else set up: what we may not declare, and what is there in another form.

It has a broker of its own, for permissions and virtual hosts are made by its operator.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import aio_pika
import pytest
from structlog.testing import capture_logs

from tests.servers.rabbitmq import PrivateRabbit
from tests.waiting import until
from webhooks.broker import amqp
from webhooks.broker.amqp import Topology
from webhooks.broker.subscriber import Subscriber
from webhooks.broker.subscribers import WithSubscribers

pytestmark = pytest.mark.skipif(not PrivateRabbit.installed(), reason="no RabbitMQ is installed here")


@pytest.fixture(scope="module")
def rabbit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateRabbit]:
    broker = PrivateRabbit(tmp_path_factory.mktemp("rabbit"))
    broker.start()
    try:
        broker.control("add_user", "limited", "limited")
        broker.control("set_permissions", "limited", "^$", ".*", ".*")
        yield broker
    finally:
        broker.stop()


def url(rabbit: PrivateRabbit, user: str = "guest", password: str | None = None, vhost: str = "") -> str:
    return f"amqp://{user}:{password or user}@127.0.0.1:{rabbit.port}/{vhost}"


@asynccontextmanager
async def by_hand(rabbit: PrivateRabbit) -> AsyncIterator[aio_pika.abc.AbstractChannel]:
    """What the operator of the broker does."""
    async with await aio_pika.connect(url(rabbit)) as connection:
        yield await connection.channel()


@pytest.mark.parametrize(
    ("user", "password", "vhost", "said"),
    [
        ("guest", "wrong", "", "user 'guest' is refused: wrong user name or password"),
        ("guest", "guest", "nowhere", "there is no such virtual host, or user 'guest' may not use it"),
    ],
)
async def test_a_broker_that_lets_us_not_in_is_said_once_with_its_cause_and_tried_on(
    rabbit: PrivateRabbit, user: str, password: str, vhost: str, said: str
) -> None:
    given, stop, tries = url(rabbit, user, password, vhost), asyncio.Event(), 0

    async def work() -> None:
        nonlocal tries
        tries += 1
        async with amqp.channel(given, "test"):
            pass

    with capture_logs() as logs:
        task = asyncio.create_task(amqp.supervise(work, stop, name="test", url=given, on_state=lambda _: None))
        await until(lambda: tries >= 3)
        stop.set()
        await task
    [line] = [line for line in logs if line["event"] == "broker.lost"]
    assert said in line["cause"]
    assert f"127.0.0.1:{rabbit.port}, virtual host '{vhost or '/'}'" in line["cause"]
    assert "wrong@" not in str(logs)


async def test_what_we_may_not_declare_is_used_when_it_is_there(rabbit: PrivateRabbit) -> None:
    names, given = Topology(exchange="limited.notices", fanout_queue="limited.fanout"), url(rabbit, "limited")
    async with amqp.channel(given, "test") as channel:
        with pytest.raises(amqp.DECLARATION_REFUSED, match=r"access to exchange 'limited\.notices'"):
            await names.declare(channel)
    async with by_hand(rabbit) as operator:
        await names.declare(operator)
    async with amqp.channel(given, "test") as channel:
        with capture_logs() as logs:
            exchange, queue = await names.declare(channel)
            await names.declare(channel)
        await exchange.publish(aio_pika.Message(b"there"), "a.test.customer.created")
        assert (await queue.get(timeout=5)).body == b"there"
    said = [line["cause"] for line in logs if line["event"] == "broker.declaration_refused"]
    assert len(said) == len(set(said)), "each is said once"
    assert any("queue 'limited.fanout' in vhost '/' refused for user 'limited'" in line for line in said)


async def test_queues_that_are_there_in_another_form_keep_nobody_from_being_published_to(
    rabbit: PrivateRabbit,
) -> None:
    others = [Subscriber(name=name, account="*", at=1, mode="test", types=("*",)) for name in ("classic", "well")]
    names = WithSubscribers(
        exchange="odd.notices", fanout_queue="odd.fanout", amqp_url=url(rabbit), find=lambda: _all(others)
    )
    async with by_hand(rabbit) as operator:
        for name in ("odd.fanout", others[0].queue):
            await operator.declare_queue(name, durable=True)
    async with amqp.channel(url(rabbit), "test") as channel:
        with capture_logs() as logs:
            exchange, queue = await names.declare(channel)
            await names.declare(channel)
        await exchange.publish(aio_pika.Message(b"there"), "a.test.customer.created")
        assert (await queue.get(timeout=5)).body == b"there"
        assert (await (await channel.get_queue(others[1].queue)).get(timeout=5)).body == b"there"
    assert [(line["event"], line.get("queue")) for line in logs if line["log_level"] in ("warning", "error")] == [
        ("broker.declaration_refused", None),
        ("subscriber.queue_missing", others[1].queue),
        ("subscriber.not_declared", others[0].queue),
    ]
    assert "inequivalent arg 'x-queue-type' for queue 'odd.fanout'" in logs[0]["cause"]


async def _all(known: list[Subscriber]) -> list[Subscriber]:
    return known
