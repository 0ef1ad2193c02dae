"""Whether reads keep their speed as customers grow more: the same reads over 10,000 of them and over 1,000,000.

Two databases and an API process over each; one connection, so that what is read is the latency of a request and not
of a queue. The customers that fill the tables are put into the read model by SQL: made like one that came through the
API, with ids, emails and times of their own; so are as many events, which are short ones, and what is searched by.
Indexes are made afterwards, in a fraction of the time. The log beside them is empty; these reads do not look at it.
"""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

import asyncpg
import orjson

from projections.runner import Touched
from projections.search.rows import SearchProjection
from tests.benchmarks.api import Api, production_api
from tests.benchmarks.figures import Bound, Figure, take_turns
from tests.benchmarks.load import Blast, Generator, generator
from tests.benchmarks.servers import Bench

FEW, MANY = 10_000, 1_000_000
WINDOW_S = 0.4
SAMPLES = 200
FILL_TIMEOUT_S = 900.0
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
FILL_EVENTS = """
INSERT INTO projections.notice
    (sequence, appended_at, id, account, livemode, type, created, position, stream, version, object_id, body)
SELECT n.sequence + g, n.appended_at, 'evt_' || substr(md5('event' || g), 1, 14), account, livemode, type, created,
    position + g, 'customer-filler-' || g, 1, 'cus_filler',
    convert_to(replace($3, n.id, 'evt_' || substr(md5('event' || g), 1, 14)), 'UTF8')
FROM projections.notice n, generate_series(1, $2::bigint) AS g WHERE n.id = $1
"""
# Terms of their own for each: what they are found by hardly matters, but how many they are.
FILL_SEARCH = """
INSERT INTO projections.search (account, livemode, id, created, position, email, name, phone, metadata, terms)
SELECT account, livemode, id, created, position, email, 'x', NULL, '{}',
    ARRAY[hashtextextended(id, 1), hashtextextended(id, 2), hashtextextended(id, 3), hashtextextended(id, 4)]
FROM projections.customer ON CONFLICT DO NOTHING
"""
INDEXES = """
SELECT i.indexrelid::regclass::text AS name, pg_get_indexdef(i.indexrelid) AS definition
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
WHERE c.oid = $1::text::regclass AND NOT i.indisprimary
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
            "list by an email nobody has": [get(f"/v1/customers?email=nobody.{n}@example.com") for n in range(SAMPLES)],
            "GET of one": [get(f"/v1/customers/{id}") for id in self.ids],
            "events, first page": [get("/v1/events?limit=10")],
            "events of a type": [get("/v1/events?limit=10&type=customer.created")],
            "events of a type there is none of": [get("/v1/events?limit=10&type=coupon.deleted")],
            "search by email": [
                get(f"/v1/customers/search?query={quote(f'email:{email!r}')}") for email in self.emails
            ],
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
        few, many = await asyncio.gather(
            filled(dsn_few, api_few, FEW, events=True), filled(dsn_many, api_many, MANY, events=True)
        )
        return [
            await _compare(bench, load, name, (api_few, of_few), (api_many, of_many))
            for (name, of_few), of_many in zip(few.requests().items(), many.requests().values(), strict=True)
        ]


async def filled(dsn: str, api: Api, count: int, *, events: bool = False) -> Store:
    """The store behind `api` with `count` more customers; with `events` as many of those, and search."""
    like = orjson.loads(await api.created())
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(
            "SET synchronous_commit = off; SET maintenance_work_mem = '256MB'; SET work_mem = '64MB'"
        )
        await _fill(connection, "projections.customer", FILL, like["id"], count)
        oldest = [row["id"] for row in await connection.fetch(OLDEST, int(count * DEEP_SHARE))]
        anyone = await connection.fetch(ANY, SAMPLES)
        if events:
            notice = await connection.fetchrow("SELECT id, body FROM projections.notice LIMIT 1")
            short = orjson.loads(notice["body"])
            short["data"]["object"] = {"id": like["id"], "object": "customer"}
            text = orjson.dumps(short, option=orjson.OPT_INDENT_2).decode()
            today = await connection.fetchval("SELECT tableoid::regclass::text FROM projections.notice LIMIT 1")
            await _fill(connection, today, FILL_EVENTS, notice["id"], count, text)
            await _fill(connection, "projections.search", FILL_SEARCH)
            columns = (
                "SELECT account, livemode, 'customer-' || id AS stream FROM projections.customer WHERE id = ANY ($1)"
            )
            touched = [Touched(*row) for row in await connection.fetch(columns, [row["id"] for row in anyone])]
            await SearchProjection().apply(connection, touched)
    finally:
        await connection.close()
    deep = random.Random(count).sample(oldest, SAMPLES)
    return Store(api, deep, [row["id"] for row in anyone], [row["email"] for row in anyone])


async def _fill(connection: asyncpg.Connection, table: str, statement: str, *arguments: object) -> None:
    """Fill a table with its indexes away, but for those that belong to a partitioned table's, and make them again."""
    indexes = [] if "_2" in table else await connection.fetch(INDEXES, table)
    for index in indexes:
        await connection.execute(f"DROP INDEX {index['name']}")
    await connection.execute(statement, *arguments, timeout=FILL_TIMEOUT_S)
    for index in indexes:
        await connection.execute(index["definition"], timeout=FILL_TIMEOUT_S)
    await connection.execute(f"VACUUM (ANALYZE) {table}", timeout=FILL_TIMEOUT_S)


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
