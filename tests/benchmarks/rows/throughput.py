"""Webhooks a second by one worker, signed and recorded, against a bare aiohttp client posting the same signed bytes.

Sixteen endpoints at one receiver. A backlog is made while no worker runs, then a worker is started; the rate is that
between the arrivals of the first and the last tenth, so that neither its start nor its end counts. The client posts
bytes that were signed once, 64 at a time, and records nothing.
"""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

from tests.benchmarks.figures import Bound, Figure, take_turns
from tests.benchmarks.poster import Poster, Posting, poster
from tests.benchmarks.processes import rollbook
from tests.benchmarks.receiver import Receiver, receiver
from tests.benchmarks.servers import Bench
from tests.benchmarks.shop import AS_IN_PRODUCTION, ENDPOINTS_MAX, Shop, shop

CUSTOMERS = 500
TIMEOUT_S = 120.0
CREATES_PER_S = 500.0


async def throughput(bench: Bench) -> Sequence[Figure]:
    """Deliveries a second of a backlog, by one worker."""
    customers = CUSTOMERS // 4 if bench.quick else CUSTOMERS
    async with (
        receiver() as listening,
        shop(bench, listening, role="api", endpoints=ENDPOINTS_MAX) as opened,
        poster() as client,
    ):
        async with _worker(bench, opened):
            await opened.first()
        sample = await listening.last()
        posting = Posting(
            urls=[listening.url(endpoint) for endpoint in range(ENDPOINTS_MAX)],
            headers={name: value for name, value in sample.headers.items() if name not in ("Host", "Content-Length")},
            body=sample.body.decode(),
            count=customers * ENDPOINTS_MAX,
        )
        rounds = await take_turns(
            lambda: _bare(listening, client, posting),
            lambda: _delivered(bench, opened, customers),
            rounds=bench.rounds,
            warm_up=False,
        )
    return [
        rounds.figure(
            row="throughput",
            what=f"webhooks of one worker, {ENDPOINTS_MAX} endpoints, attempts recorded",
            unit="webhooks/s",
            baseline_is="a bare aiohttp client posting the same signed bytes",
            bound=Bound("at least", 0.7),
        )
    ]


def _worker(bench: Bench, opened: Shop) -> AbstractAsyncContextManager[int]:
    return rollbook("worker", bench.scratch("worker"), module=AS_IN_PRODUCTION, **opened.environment)


async def _bare(listening: Receiver, client: Poster, posting: Posting) -> float:
    await listening.forget()
    await client.run(posting)
    return await _rate(listening)


async def _delivered(bench: Bench, opened: Shop, customers: int) -> float:
    await opened.receiver.forget()
    await opened.create_at(CREATES_PER_S, customers / CREATES_PER_S)
    async with _worker(bench, opened):
        await opened.arrived(customers * ENDPOINTS_MAX, TIMEOUT_S)
    return await _rate(opened.receiver)


async def _rate(listening: Receiver) -> float:
    """Arrivals a second, without the first tenth and the last."""
    times = [arrival.at for arrival in await listening.arrivals()]
    tenth = len(times) // 10
    return (len(times) - 2 * tenth) / (times[-tenth] - times[tenth])
