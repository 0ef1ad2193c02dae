"""Queries of notices (the events API), each with its number of pending webhooks."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from events.clock import Clock
from events.database import Pool, load_sql
from events.scope import Scope
from projections.notices import with_pending
from projections.page_bytes import PAGE_BYTES_MAX
from projections.read import Page, PageOf, UnknownCursor
from webhooks.feed import api_version
from webhooks.feed.api_version import VersionedNotice

KEPT_S = 30 * 24 * 3600  # API reference: events can be read for 30 days
# Up to this many types of a list are queried one by one; more are filtered from all notices. No wildcard matches more.
TYPES_LOOKED_UP_MAX = 64
FAR_S = 2**42  # later than any notice, and still a valid timestamp in Postgres


class Notices:
    """The public feed, as `/v1/events` shows it."""

    def __init__(self, pool: Pool, clock: Clock, *, page_bytes_max: int = PAGE_BYTES_MAX) -> None:
        self._pool = pool
        self._page_bytes_max = page_bytes_max
        self._clock = clock
        self._get = load_sql("webhooks", "get_notice")
        self._count = load_sql("webhooks", "count_notices")
        self._list = load_sql("webhooks", "list_notices")
        self._list_before = load_sql("webhooks", "list_notices_before")
        self._list_of_types = load_sql("webhooks", "list_notices_of_types")
        self._list_of_types_before = load_sql("webhooks", "list_notices_of_types_before")

    async def one(self, scope: Scope, id: str, *, whole_coupons: bool = True) -> bytes | None:
        """A notice; None if this account and mode have none with that id, or it is older than 30 days.

        Without `whole_coupons` coupons in other objects are ids in older versions too.
        """
        rows = await self._fetch(self._get, *scope, id, self._oldest())
        return (await self._bodies(scope, rows, whole_coupons))[0] if rows else None

    async def page(
        self,
        scope: Scope,
        page: PageOf,
        *,
        types: tuple[str, ...] | None = None,
        delivered: bool | None = None,
        whole_coupons: bool = True,
    ) -> Page:
        """A page of notices, newest first; filtered by `types`, and by whether every endpoint has received them.

        `whole_coupons` as for one. Raises UnknownCursor.
        """
        backwards = page.ending_before is not None
        cursor = page.ending_before if backwards else page.starting_after
        sequence = None
        if cursor is not None:
            rows = await self._fetch(self._get, *scope, cursor, self._oldest())
            if not rows:
                raise UnknownCursor(cursor)
            sequence = rows[0]["sequence"]
        if types is not None and len(set(types)) <= TYPES_LOOKED_UP_MAX:
            types = tuple(set(types))
            query = self._list_of_types_before if backwards else self._list_of_types
        else:
            query = self._list_before if backwards else self._list
        rows = await self._fetch(
            query,
            *scope,
            sequence,
            self._earliest(page),
            page.created_max,
            page.limit + 1,
            types,
            delivered,
            self._page_bytes_max,
        )
        fit = [row for row in rows if row["body"] is not None]
        bodies = await self._bodies(scope, fit, whole_coupons)
        if backwards:
            bodies.reverse()
        return Page(bodies, len(rows) > len(fit))

    async def count(
        self,
        scope: Scope,
        page: PageOf,
        *,
        types: tuple[str, ...] | None = None,
        delivered: bool | None = None,
    ) -> int:
        """The number of notices on all pages of a list."""
        bounds = (self._earliest(page), page.created_max)
        rows = await self._fetch(self._count, *scope, *bounds, types, delivered)
        count: int = rows[0]["count"]
        return count

    async def _bodies(self, scope: Scope, rows: Sequence[Any], whole_coupons: bool) -> list[bytes]:
        """The bodies of notices, in their API versions."""
        versioned = [VersionedNotice(with_pending(row["body"], row["pending"]), None, scope) for row in rows]
        find = partial(api_version.find_coupons, self._fetch) if whole_coupons else api_version.name_coupons
        older = await api_version.rendered(versioned, find)
        return [older.get(index, notice.body) for index, notice in enumerate(versioned)]

    def _earliest(self, page: PageOf) -> int:
        return min(max(page.created_min, self._oldest()), FAR_S)

    def _oldest(self) -> int:
        return int(self._clock.now().timestamp()) - KEPT_S

    async def _fetch(self, query: str, *arguments: object) -> list[Any]:
        return await self._pool.fetch(query, *arguments)
