"""Searches, each operator over 200,000 customers, against a page of ten out of the list of them.

The customers are put into the read model by SQL, as for the lists, and given names and metadata of their own; what they
are found by is then made of them as a rebuild makes it.
"""

from collections.abc import Sequence
from functools import partial
from urllib.parse import quote

import asyncpg

from events.database import create_pool
from projections.runner import Touched
from projections.search.rows import SearchProjection
from tests.benchmarks.api import production_api
from tests.benchmarks.figures import Figure, take_turns
from tests.benchmarks.load import Blast, Generator, generator
from tests.benchmarks.rows.lists import WINDOW_S, filled
from tests.benchmarks.servers import Bench

BATCH = 5_000
MANY = 200_000
SEARCH_WINDOW_S = 2.0  # what none is found by is looked for in every row, which can take a good part of a second
DIFFER = """
UPDATE projections.customer SET body = convert_to(replace(replace(convert_from(body, 'UTF8'),
    'Jenny Rosen', 'Jenny Rosen ' || position), '"order_id": "6735"', '"order_id": "' || position || '"'), 'UTF8')
"""
SEARCHES = {
    "email:": "email:'jenny.777@example.com'",
    "email~": "email~'jenny.777@'",
    "name:": "name:'jenny rosen 4242'",
    "name~, of all": "name~'rosen'",
    "phone~, of all": "phone~'5555'",
    "metadata:": "metadata['order_id']:'4242'",
    "-metadata:null, of all": "-metadata['order_id']:null",
    "metadata:null, of none": "metadata['order_id']:null",
    "created<, of the oldest": "created<{oldest}",
    "-name~ and created>": "-name~'rosen 42' AND created>0",
    "email: or name~": "email:'jenny.777@example.com' OR name~'rosen 42'",
}


async def search(bench: Bench) -> Sequence[Figure]:
    """Median latencies of searches by that of a page of the list."""
    async with bench.database() as dsn, production_api(bench, dsn) as api, generator() as load:
        await filled(dsn, api, MANY)
        oldest = await _made_findable(dsn)
        port, page = api.port, api.get("/v1/customers?limit=10")
        figures = []
        for name, query in SEARCHES.items():
            asked = api.get(f"/v1/customers/search?limit=10&query={quote(query.format(oldest=oldest))}")
            rounds = await take_turns(
                partial(_median_ms, load, port, page, bench.seconds(WINDOW_S)),
                partial(_median_ms, load, port, asked, bench.seconds(SEARCH_WINDOW_S)),
                rounds=bench.rounds,
            )
            figures.append(
                rounds.figure(
                    row="search",
                    what=f"search {name}, p50 at {MANY:,} customers",
                    unit="ms",
                    baseline_is="list of 10",
                )
            )
        return figures


async def _made_findable(dsn: str) -> int:
    """Have search follow every customer; gives the time before which the oldest hundred were created."""
    owner = await asyncpg.connect(dsn)
    await owner.execute(DIFFER)
    customers = await owner.fetch("SELECT account, livemode, 'customer-' || id AS stream FROM projections.customer")
    pool = await create_pool(dsn, application="bench", size_max=1)
    async with pool.acquire() as connection:
        for start in range(0, len(customers), BATCH):
            touched = [Touched(*row) for row in customers[start : start + BATCH]]
            await SearchProjection().apply(connection, touched)
    await pool.close()
    await owner.execute("VACUUM (ANALYZE) projections.customer, projections.search")
    oldest: int = await owner.fetchval("SELECT created FROM projections.search ORDER BY created OFFSET 100 LIMIT 1")
    await owner.close()
    return oldest


async def _median_ms(load: Generator, port: int, asked: str, duration_s: float) -> float:
    blast = Blast(port=port, requests=[asked], duration_s=duration_s, connections=1)
    return (await load.run(blast)).p50_s * 1000
