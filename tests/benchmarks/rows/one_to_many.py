"""One event for ten thousand endpoints: how soon their deliveries are rows, how soon one worker sent all.

An account with all the endpoints, at one receiver, and a worker of its own beside the API. Milliseconds after the
API's answer; beside the second what a bare aiohttp client takes to post the same bytes to as many URLs.
"""

import asyncio
import time
from collections.abc import Sequence
from statistics import median

import asyncpg

from tests.benchmarks.figures import Bound, Figure
from tests.benchmarks.poster import Poster, Posting, poster
from tests.benchmarks.processes import rollbook
from tests.benchmarks.receiver import Receiver, receiver
from tests.benchmarks.servers import Bench
from tests.benchmarks.shop import AS_IN_PRODUCTION, Shop, shop

ENDPOINTS = 10_000
ROUNDS = 3
TIMEOUT_S = 60.0
POLL_S = 0.002
# The watermark moves in the transaction that makes the deliveries.
MADE = "SELECT sequence >= $1 FROM webhooks.watermark"
LAST = "SELECT max(sequence) FROM projections.notice"


async def one_to_many(bench: Bench) -> Sequence[Figure]:
    """Milliseconds until all deliveries of one event are made, and until all have arrived."""
    async with (
        receiver() as listening,
        shop(bench, listening, role="api", endpoints=ENDPOINTS, share=ENDPOINTS) as opened,
        rollbook("worker", bench.scratch("worker"), module=AS_IN_PRODUCTION, **opened.environment),
        poster() as client,
    ):
        connection = await asyncpg.connect(opened.environment["DATABASE_URL"])
        try:
            await _fan_out(opened, connection)  # connections are made, and plans
            posting = await _posting(listening)
            bare, made, received = [], [], []
            for _ in range(ROUNDS):
                bare.append(await _bare(listening, client, posting))
                rows, arrivals = await _fan_out(opened, connection)
                made.append(rows)
                received.append(arrivals)
        finally:
            await connection.close()
    return [
        Figure(
            row="one-to-many",
            what=f"one event to {ENDPOINTS:,} endpoints, {what}",
            unit="ms",
            baseline_is="a bare client's POSTs of the same bytes to as many URLs",
            baseline=median(bare),
            subject=median(values),
            value=median(values),
            value_unit="ms",
            lowest=min(values),
            highest=max(values),
            bound=Bound("at most", bound_ms),
        )
        for what, values, bound_ms in (
            ("deliveries made after the answer", made, 100),
            ("all of them received, by one worker", received, 4000),
        )
    ]


async def _fan_out(opened: Shop, connection: asyncpg.Connection) -> tuple[float, float]:
    """Milliseconds from the answer until the deliveries are there, and until the last one has arrived."""
    await opened.receiver.forget()
    customer = await opened.create()
    answered = opened.answered[customer]
    sequence = await connection.fetchval(LAST)
    async with asyncio.timeout(TIMEOUT_S):
        while True:
            if await connection.fetchval(MADE, sequence):
                break
            await asyncio.sleep(POLL_S)
    made = time.monotonic()
    await opened.arrived(ENDPOINTS, TIMEOUT_S)
    arrivals = await opened.receiver.arrivals()
    return (made - answered) * 1000, (max(arrival.at for arrival in arrivals) - answered) * 1000


async def _posting(listening: Receiver) -> Posting:
    sample = await listening.last()
    return Posting(
        urls=[listening.url(endpoint) for endpoint in range(ENDPOINTS)],
        headers={name: value for name, value in sample.headers.items() if name not in ("Host", "Content-Length")},
        body=sample.body.decode(),
        count=ENDPOINTS,
    )


async def _bare(listening: Receiver, client: Poster, posting: Posting) -> float:
    """Milliseconds from the call to the last arrival."""
    await listening.forget()
    began = time.monotonic()
    await client.run(posting)
    return (max(arrival.at for arrival in await listening.arrivals()) - began) * 1000
