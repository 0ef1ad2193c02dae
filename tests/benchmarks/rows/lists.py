"""Whether reads keep their speed as customers grow more: the same reads over 10,000 of them and over 200,000.

Two databases and an API process over each; one connection, so that what is read is the latency of a request and not
of a queue. The customers that fill the tables are put into the read model by SQL: made like one that came through the
API, with ids, emails and times of their own. The log beside them is empty; these reads do not look at it.
"""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg
import orjson

from tests.benchmarks.api import Api, production_api
from tests.benchmarks.figures import Bound, Figure, take_turns
from tests.benchmarks.load import Blast, Generator, generator
from tests.benchmarks.servers import Bench

FEW, MANY = 10_000, 200_000
WINDOW_S = 0.4
SAMPLES = 200
DEEP_SHARE = 0.1  # cursors lie among the oldest tenth

FILL = """
INSERT INTO projections.customer
    (account, livemode, id, created, position, version, deleted, email, invoice_prefix, body)
SELECT account, livemode, filler.id, created - $2 + n, position + n, 1, false, filler.email, filler.prefix,
    convert_to(replace(replace(convert_from(body, 'UTF8'), customer.id, filler.id), customer.email,
        filler.email), 'UTF8')
FROM projections.customer, generate_series(1, $2::bigint) AS n, LATERAL (
    SELECT 'cus_' || substr(md5(n::text), 1, 14) AS id, 'jenny.' || n || '@example.com' AS email,
        upper(substr(md5('prefix' || n), 1, 12)) AS prefix) AS filler
WHERE customer.id = $1
"""
# Not the very last ones: a page of 100 from there should be full.
OLDEST = "SELECT id FROM projections.customer ORDER BY created, position OFFSET 200 LIMIT $1"
ANY = "SELECT id, email FROM projections.customer TABLESAMPLE BERNOULLI (20) ORDER BY md5(id) LIMIT $1"


@dataclass(frozen=True, slots=True)
class Store:
    """An API over so many customers, and what is there to ask it for."""

    api: Api
    deep: Sequence[str]  # ids
    ids: Sequence[str]
    emails: Sequence[str]

    def requests(self) -> dict[str, list[str]]:
        """What is measured: its name, and requests for it."""
        get = self.api.get
        return {
            "list of 10, first page": [get("/v1/customers?limit=10")],
            "list of 10, deep cursor": [get(f"/v1/customers?limit=10&starting_after={id}") for id in self.deep],
            "list of 100, first page": [get("/v1/customers?limit=100")],
            "list of 100, deep cursor": [get(f"/v1/customers?limit=100&starting_after={id}") for id in self.deep],
            "list by email": [get(f"/v1/customers?email={email}") for email in self.emails],
            "GET of one": [get(f"/v1/customers/{id}") for id in self.ids],
        }


async def lists(bench: Bench) -> Sequence[Figure]:
    """Median latencies of reads, over many customers by over few."""
    async with (
        bench.database() as dsn_few,
        bench.database() as dsn_many,
        production_api(bench, dsn_few) as api_few,
        production_api(bench, dsn_many) as api_many,
        generator() as load,
    ):
        few, many = await asyncio.gather(filled(dsn_few, api_few, FEW), filled(dsn_many, api_many, MANY))
        return [
            await _compare(bench, load, name, (api_few, of_few), (api_many, of_many))
            for (name, of_few), of_many in zip(few.requests().items(), many.requests().values(), strict=True)
        ]


async def filled(dsn: str, api: Api, count: int) -> Store:
    """The store behind `api` with `count` more customers."""
    like = orjson.loads(await api.created())
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(FILL, like["id"], count)
        await connection.execute("VACUUM (ANALYZE) projections.customer")
        oldest = [row["id"] for row in await connection.fetch(OLDEST, int(count * DEEP_SHARE))]
        anyone = await connection.fetch(ANY, SAMPLES)
    finally:
        await connection.close()
    deep = random.Random(count).sample(oldest, SAMPLES)
    return Store(api, deep, [row["id"] for row in anyone], [row["email"] for row in anyone])


async def _compare(
    bench: Bench, load: Generator, name: str, few: tuple[Api, list[str]], many: tuple[Api, list[str]]
) -> Figure:
    async def median_ms(api: Api, requests: list[str]) -> float:
        blast = Blast(port=api.port, requests=requests, duration_s=bench.seconds(WINDOW_S), connections=1)
        return (await load.run(blast)).p50_s * 1000

    rounds = await take_turns(lambda: median_ms(*few), lambda: median_ms(*many), rounds=bench.rounds)
    return rounds.figure(
        row="list",
        what=f"{name}, p50 at {MANY:,} customers",
        unit="ms",
        baseline_is=f"the same at {FEW:,}",
        bound=Bound("at most", 1.2),
    )
