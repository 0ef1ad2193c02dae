"""Executing a search: a page of matching customers, newest first, and their count.

How a search is best gone about depends on what is looked for, so its connections plan each query for its own values.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from events.database import Pool, create_pool
from events.scope import Scope
from projections.page_bytes import PAGE_BYTES_MAX
from projections.search import compile
from projections.search.query import Query

CONNECTIONS_MAX = 4
COUNTED_MAX = 10_000
PLANNED_ANEW = {"plan_cache_mode": "force_custom_plan", "jit": "off"}

# {0} is the query's condition, see compile.py. It is tried on the newest first, which fills a page when what is looked
# for is common; only when it does not are the others asked, by the index of terms. Nothing the planner believes of how
# common a term is can make either slow. $5 is one more than a page has, $6 the bytes of bodies that it may have; what
# does not fit is not loaded.
FIND = """
WITH recent AS MATERIALIZED (
    SELECT * FROM projections.search
    WHERE account = $1 AND livemode = $2 AND (created, position) < ($3, $4)
    ORDER BY created DESC, position DESC LIMIT 1000
), near AS MATERIALIZED (
    SELECT s.id, s.created, s.position FROM recent s WHERE {0} ORDER BY s.created DESC, s.position DESC LIMIT $5
), far AS (
    SELECT s.id, s.created, s.position FROM projections.search s
    WHERE s.account = $1 AND s.livemode = $2 AND (SELECT count(*) FROM near) < $5
      AND (s.created, s.position) < (SELECT created, position FROM recent ORDER BY created, position LIMIT 1) AND ({0})
    ORDER BY s.created DESC, s.position DESC LIMIT $5
)
SELECT page.created, page.position, page.n = 1 OR page.n < $5 AND page.bytes <= $6 AS fits,
    CASE WHEN page.n = 1 OR page.n < $5 AND page.bytes <= $6 THEN page.body END AS body
FROM (
    SELECT shown.*, row_number() OVER page AS n, coalesce(sum(octet_length(shown.body)) OVER page, 0) AS bytes
    FROM (
        SELECT CASE WHEN NOT c.deleted AND c.test_clock IS NULL THEN c.body END AS body, found.created, found.position
        FROM (SELECT * FROM near UNION ALL SELECT * FROM far) AS found
        JOIN projections.customer c ON c.account = $1 AND c.livemode = $2 AND c.id = found.id
        ORDER BY found.created DESC, found.position DESC
        LIMIT $5
    ) AS shown
    WINDOW page AS (ORDER BY shown.created DESC, shown.position DESC ROWS UNBOUNDED PRECEDING)
) AS page
ORDER BY page.created DESC, page.position DESC
"""
COUNT = """
SELECT count(*) AS count FROM (
    SELECT FROM projections.search s WHERE s.account = $1 AND s.livemode = $2 AND ({}) LIMIT $3
) AS found
"""


class Cursor(NamedTuple):
    """Where in the order of creation a page begins: after the customer of that time and position."""

    created: int
    position: int


BEGINNING = Cursor(2**63 - 1, 2**63 - 1)


def start(query: Query, after: Cursor) -> Cursor:
    """Where to begin to look: no later than anything that the query can find."""
    return min(after, Cursor(compile.before(query), 0))


class Found(NamedTuple):
    """A page, and the cursor of the next one, None if there is none; `cursors` has the cursor after each body."""

    bodies: Sequence[bytes]
    next: Cursor | None
    cursors: Sequence[Cursor]


class Finder:
    """Finds customers of one account and mode."""

    def __init__(self, pool: Pool, *, page_bytes_max: int = PAGE_BYTES_MAX) -> None:
        self._pool = pool
        self._page_bytes_max = page_bytes_max

    async def page(self, scope: Scope, query: Query, limit: int, after: Cursor = BEGINNING) -> Found:
        """A page of what is asked for, newest first."""
        where = compile.condition(query, scope, first=7)
        cursor = start(query, after)
        bounds = (limit + 1, self._page_bytes_max)
        rows = await self._fetch(FIND.format(where.sql), *scope, *cursor, *bounds, *where.arguments)
        fit = [row for row in rows if row["fits"]]
        last = fit[-1] if len(rows) > len(fit) else None
        # One that was deleted just now is left out, and search will follow.
        shown = [row for row in fit if row["body"] is not None]
        cursors = [Cursor(row["created"], row["position"]) for row in shown]
        next = None if last is None else Cursor(last["created"], last["position"])
        return Found([row["body"] for row in shown], next, cursors)

    async def count(self, scope: Scope, query: Query) -> int:
        """How many are found in all; counted no further than 10,000 (API reference, search pagination)."""
        where = compile.condition(query, scope, first=4)
        rows = await self._fetch(COUNT.format(where.sql), *scope, COUNTED_MAX, *where.arguments)
        count: int = rows[0]["count"]
        return count

    async def close(self) -> None:
        """Let the connections go."""
        await self._pool.close()

    async def _fetch(self, query: str, *arguments: object) -> list[Any]:
        return await self._pool.fetch(query, *arguments)


async def finder(dsn: str, *, page_bytes_max: int = PAGE_BYTES_MAX) -> Finder:
    """A finder over a database, which need not be there yet."""
    pool = await create_pool(dsn, application="search", size_max=CONNECTIONS_MAX, **PLANNED_ANEW)
    return Finder(pool, page_bytes_max=page_bytes_max)
