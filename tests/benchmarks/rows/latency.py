"""From the API's answer to the webhook received, at a steady 200 creates a second, with and without RabbitMQ.

`rollbook serve`, one process with every role, and one endpoint. Milliseconds, and beside them what a bare aiohttp
client's POST of the same bytes takes to arrive at the same receiver at the same rate, in turn with it.
"""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from statistics import median

import aio_pika
import aiohttp

from tests.benchmarks.figures import Bound, Figure, percentile
from tests.benchmarks.receiver import Delivery, Receiver, receiver
from tests.benchmarks.servers import Bench, broker
from tests.benchmarks.shop import Shop, shop

RATE = 200.0
WINDOW_S, WARM_UP_S, BARE_S = 5.0, 2.0, 2.0
ROUNDS = 3


async def without_broker(bench: Bench) -> Sequence[Figure]:
    """Fed straight from the log."""
    return await _measure(bench, "latency", "webhook", (15, 75), {})


async def through_rabbitmq(bench: Bench) -> Sequence[Figure]:
    """Through the relay, the broker and its consumer."""
    async with topology() as settings:
        return await _measure(bench, "latency-rabbitmq", "webhook through RabbitMQ", (30, 150), settings)


async def _measure(
    bench: Bench, row: str, what: str, bounds_ms: tuple[float, float], settings: dict[str, str]
) -> Sequence[Figure]:
    async with receiver() as listening, shop(bench, listening, role="serve", endpoints=1, settings=settings) as opened:
        await opened.first()
        sample = await listening.last()
        await _latencies(opened, WARM_UP_S)
        bare, delivered = [], []
        for _ in range(ROUNDS):
            bare.append(await _bare(opened.session, listening, sample, bench.seconds(BARE_S)))
            delivered.append(await _latencies(opened, bench.seconds(WINDOW_S)))
    return [
        Figure(
            row=row,
            what=f"{what}, p{share * 100:.0f} after the answer, {RATE:.0f} creates a second",
            unit="ms",
            baseline_is="a bare client's POST until it arrives",
            baseline=median(percentile(values, share) for values in bare),
            subject=median(percentile(values, share) for values in delivered),
            value=median(percentile(values, share) for values in delivered),
            value_unit="ms",
            lowest=min(percentile(values, share) for values in delivered),
            highest=max(percentile(values, share) for values in delivered),
            bound=Bound("at most", bound_ms),
        )
        for share, bound_ms in zip((0.5, 0.99), bounds_ms, strict=True)
    ]


async def _latencies(opened: Shop, duration_s: float) -> list[float]:
    """Milliseconds from each answer to its webhook."""
    await opened.receiver.forget()
    made = await opened.create_at(RATE, duration_s)
    await opened.arrived(len(made))
    return opened.latencies_ms(await opened.receiver.arrivals())


async def _bare(
    session: aiohttp.ClientSession, listening: Receiver, sample: Delivery, duration_s: float
) -> list[float]:
    """Milliseconds from the call of a bare client to the arrival."""
    await listening.forget()
    sent: list[float] = []

    async def post() -> None:
        sent.append(time.monotonic())
        async with session.post(listening.url(0), data=sample.body, headers=sample.headers) as response:
            await response.read()

    started = time.monotonic()
    async with asyncio.TaskGroup() as tasks:
        for number in range(round(RATE * duration_s)):
            await asyncio.sleep(max(0.0, started + number / RATE - time.monotonic()))
            tasks.create_task(post())
    arrivals = await listening.arrivals()
    return [(arrival.at - at) * 1000 for arrival, at in zip(arrivals, sent, strict=True)]


@asynccontextmanager
async def topology() -> AsyncIterator[dict[str, str]]:
    """Settings for an exchange and a queue of our own on the broker there is, which are removed afterwards."""
    url, name = broker(), f"rollbook.bench.{secrets.token_hex(4)}"
    exchange, queue = f"{name}.notices", f"{name}.fanout"
    try:
        yield {"AMQP_URL": url, "ROLLBOOK_EXCHANGE": exchange, "ROLLBOOK_FANOUT_QUEUE": queue}
    finally:
        async with await aio_pika.connect(url) as connection:
            channel = await connection.channel()
            await channel.queue_delete(queue)
            await channel.exchange_delete(exchange)
