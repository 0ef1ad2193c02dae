"""Execution of a search: a page of matching customers, newest first, and their count.

The best plan depends on the values that are searched for, so queries are planned for their own values (no generic
plans).
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

# {0} is the condition of the query, see compile.py. It is tried on the newest customers first, which fills a page if
# matches are common; only otherwise the index of terms is used for the others. So neither case is slow, whatever the
# planner estimates. $5 is one more than the page size, $6 the maximum of bytes of bodies; what exceeds it is not
# loaded.
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
    """A page cursor in the order of creation: the page begins after the customer with that time and position."""

    created: int
    position: int


BEGINNING = Cursor(2**63 - 1, 2**63 - 1)


def start(query: Query, after: Cursor) -> Cursor:
    """Where the scan begins: no later than any match."""
    return min(after, Cursor(compile.before(query), 0))


class Found(NamedTuple):
    """A page, and the cursor of the next one, None on the last page; `cursors` has a cursor for each body."""

    bodies: Sequence[bytes]
    next: Cursor | None
    cursors: Sequence[Cursor]


class Finder:
    """Finds customers of one account and mode."""

    def __init__(self, pool: Pool, *, page_bytes_max: int = PAGE_BYTES_MAX) -> None:
        self._pool = pool
        self._page_bytes_max = page_bytes_max

    async def page(self, scope: Scope, query: Query, limit: int, after: Cursor = BEGINNING) -> Found:
        """A page of matches, newest first."""
        where = compile.condition(query, scope, first=7)
        cursor = start(query, after)
        bounds = (limit + 1, self._page_bytes_max)
        rows = await self._fetch(FIND.format(where.sql), *scope, *cursor, *bounds, *where.arguments)
        fit = [row for row in rows if row["fits"]]
        last = fit[-1] if len(rows) > len(fit) else None
        # A customer that was deleted just now is left out; the index follows.
        shown = [row for row in fit if row["body"] is not None]
        cursors = [Cursor(row["created"], row["position"]) for row in shown]
        next = None if last is None else Cursor(last["created"], last["position"])
        return Found([row["body"] for row in shown], next, cursors)

    async def count(self, scope: Scope, query: Query) -> int:
        """The number of matches, counted up to 10,000 (API reference, search pagination)."""
        where = compile.condition(query, scope, first=4)
        rows = await self._fetch(COUNT.format(where.sql), *scope, COUNTED_MAX, *where.arguments)
        count: int = rows[0]["count"]
        return count

    async def close(self) -> None:
        """Close the connections."""
        await self._pool.close()

    async def _fetch(self, query: str, *arguments: object) -> list[Any]:
        return await self._pool.fetch(query, *arguments)


async def finder(dsn: str, *, page_bytes_max: int = PAGE_BYTES_MAX) -> Finder:
    """A finder over a database, which need not exist yet."""
    pool = await create_pool(dsn, application="search", size_max=CONNECTIONS_MAX, **PLANNED_ANEW)
    return Finder(pool, page_bytes_max=page_bytes_max)
