"""Durable creates over HTTP, and reads of one customer, each against the least an aiohttp handler can do for it.

A create carries a form of five fields and an idempotency key never used before; when it is answered, its event, its
sealed personal data, its row, its notice and its receipt are on disk. The baseline parses the same form. A read's
baseline answers as many bytes as a customer has. One process each, 32 connections, one load generator for all.
"""

from collections.abc import Sequence

from tests.benchmarks.api import id_of, production_api
from tests.benchmarks.bare import bare_server
from tests.benchmarks.figures import Bound, Figure, take_turns
from tests.benchmarks.load import Blast, Generator, generator
from tests.benchmarks.servers import Bench

WINDOW_S = 2.0
READ_CUSTOMERS = 500


async def creates(bench: Bench) -> Sequence[Figure]:
    """Customers created a second."""
    async with (
        bench.database() as dsn,
        production_api(bench, dsn) as api,
        bare_server(answer_bytes=100) as bare,
        generator() as load,
    ):
        rounds = await take_turns(
            lambda: _rate(load, bare, [api.create()], bench.seconds(WINDOW_S)),
            lambda: _rate(load, api.port, [api.create()], bench.seconds(WINDOW_S)),
            rounds=bench.rounds,
        )
    return [
        rounds.figure(
            row="create",
            what="POST /v1/customers, durable, 32 connections",
            unit="requests/s",
            baseline_is="aiohttp handler that parses the form",
            bound=Bound("at least", 0.5),
        )
    ]


async def reads(bench: Bench) -> Sequence[Figure]:
    """Customers read a second."""
    async with bench.database() as dsn, production_api(bench, dsn) as api:
        bodies = [await api.created() for _ in range(READ_CUSTOMERS)]
        paths = [f"/v1/customers/{id_of(body)}" for body in bodies]
        async with bare_server(answer_bytes=len(bodies[0])) as bare, generator() as load:
            asked = [api.get(path) for path in paths]
            rounds = await take_turns(
                lambda: _rate(load, bare, asked, bench.seconds(WINDOW_S)),
                lambda: _rate(load, api.port, asked, bench.seconds(WINDOW_S)),
                rounds=bench.rounds,
            )
    return [
        rounds.figure(
            row="read",
            what="GET /v1/customers/{id}, 32 connections",
            unit="requests/s",
            baseline_is="aiohttp handler that answers as many bytes",
            bound=Bound("at least", 0.5),
        )
    ]


async def _rate(load: Generator, port: int, requests: Sequence[str], duration_s: float) -> float:
    return (await load.run(Blast(port=port, requests=requests, duration_s=duration_s))).rate
