"""Queries of the read models: each is one indexed query that gives stored JSON; point reads are batched.

Point reads that arrive while a query is in flight are batched into the next one, as appends are (events/batcher.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

import orjson

from events.batcher import Batcher, Overloaded
from events.database import PINNED_PLANS, DedicatedConnection, Pool, load_sql
from events.errors import LogUnavailable
from events.scope import Scope
from projections import filters
from projections.page_bytes import PAGE_BYTES_MAX, fitting, whole

TOGETHER_MAX = 256
EARLIEST, LATEST = -(2**63), 2**63 - 1
NO_FACTS: Mapping[str, object] = MappingProxyType({})
IS_CUSTOMER = "SELECT FROM projections.customer WHERE account = $1 AND livemode = $2 AND id = $3"
IS_RESOURCE = "SELECT FROM projections.resource WHERE account = $1 AND livemode = $2 AND id = $3 AND kind = $4"


class UnknownCursor(Exception):
    """No object has the id that was given as a page cursor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageOf:
    """A page of a list: after a cursor, before one, or the first; the bounds of `created` are inclusive."""

    limit: int
    starting_after: str | None = None
    ending_before: str | None = None
    created_min: int = EARLIEST
    created_max: int = LATEST


class Page(NamedTuple):
    """A page in list order, and whether more follows: beyond `limit`, or beyond the maximum of bytes."""

    bodies: Sequence[bytes]
    has_more: bool


@dataclass(frozen=True, slots=True)
class Principal:
    """Who makes a request: the account and mode that an API key acts for, and its permissions."""

    key_id: str
    scope: Scope
    key_type: str  # secret, restricted, publishable
    permissions: frozenset[str]

    @property
    def account(self) -> str:
        """The account of the key."""
        return self.scope.account

    @property
    def livemode(self) -> bool:
        """The mode of the key."""
        return self.scope.livemode


class ResourceKey(NamedTuple):
    """The key of a point read."""

    account: str
    livemode: bool
    kind: str
    id: str
    ever: bool = False  # a deleted object too, in its last state


class Reader:
    """Reads the inline read models."""

    def __init__(self, dsn: str, pool: Pool, *, page_bytes_max: int = PAGE_BYTES_MAX) -> None:
        """`page_bytes_max` limits the bytes of a page, and those read at once to expand objects in it."""
        self._pool = pool
        self.page_bytes_max = page_bytes_max
        self._connection = DedicatedConnection(dsn, application="read", **PINNED_PLANS)
        self._customers: Batcher[ResourceKey, bytes | None] = Batcher(self._get_customers, batch_max=TOGETHER_MAX)
        self._resource_connection = DedicatedConnection(dsn, application="read", **PINNED_PLANS)
        self._resources: Batcher[ResourceKey, bytes | None] = Batcher(self._get_resources, batch_max=TOGETHER_MAX)
        self._principals: Batcher[str, Principal | None] = Batcher(self._find_keys, batch_max=TOGETHER_MAX)
        self._sql = {
            name: load_sql("projections", name)
            for name in (
                "count_customers",
                "count_resources",
                "get_customers",
                "get_many_customers",
                "get_many_resources",
                "get_resources",
                "find_api_keys",
                "list_api_keys",
                "list_erasures",
                "list_customers",
                "list_customers_before",
                "list_customers_by_clock",
                "list_customers_by_clock_before",
                "list_customers_by_email",
                "list_customers_by_email_before",
                "list_resources",
                "list_resources_before",
                "list_resources_of_kind",
                "list_resources_of_kind_before",
                "first_resources",
                *filters.COUNTS,
                *filters.STATEMENTS,
                *(f"{name}_before" for name in filters.STATEMENTS),
            )
        }

    async def customer(self, scope: Scope, id: str) -> bytes | None:
        """The body of a customer, deleted or not; None if this account and mode have no such customer."""
        return await self._submit(self._customers, ResourceKey(*scope, "customer", id))

    async def resource(self, scope: Scope, kind: str, id: str, *, ever: bool = False) -> bytes | None:
        """The body of an object of another kind; None without one. A deleted object is found only if `ever`."""
        return await self._submit(self._resources, ResourceKey(*scope, kind, id, ever))

    async def many(
        self, scope: Scope, kind: str, ids: Sequence[str], bytes_max: int | None = None
    ) -> list[bytes | None]:
        """The bodies of objects of one kind, deleted ones in their last state; None for those that never existed.

        Raises TooManyBytes before loading bodies if they have more than `bytes_max`.
        """
        if len(ids) == 1:  # batched with the point reads of other requests
            [id] = ids
            if kind == "customer":
                return [await self.customer(scope, id)]
            return [await self.resource(scope, kind, id, ever=True)]
        most = self.page_bytes_max if bytes_max is None else bytes_max
        if kind == "customer":
            rows = await self._fetch(self._sql["get_many_customers"], *scope, ids, most)
        else:
            rows = await self._fetch(self._sql["get_many_resources"], *scope, kind, ids, most)
        return [row["body"] for row in whole(rows)]

    async def customers(
        self, scope: Scope, page: PageOf, email: str | None = None, test_clock: str | None = None
    ) -> Page:
        """A page of undeleted customers, newest first; those of a test clock, or without one.

        Raises UnknownCursor.
        """
        if test_clock is not None:
            name = "list_customers_by_clock"
            return await self._page(name, (IS_CUSTOMER,), scope, page, test_clock, email)
        if email is None:
            return await self._page("list_customers", (IS_CUSTOMER,), scope, page)
        return await self._page("list_customers_by_email", (IS_CUSTOMER,), scope, page, email)

    async def resources(
        self,
        scope: Scope,
        kind: str,
        page: PageOf,
        parent: str | None = "",
        facts: Mapping[str, object] = NO_FACTS,
    ) -> Page:
        """A page of undeleted objects of one kind that contain `facts`, newest first; of any parent if that is None.

        Raises UnknownCursor.
        """
        if (filtered := filters.statement(kind, facts, parent)) is not None:
            name, arguments = filtered
            return await self._page(name, (IS_RESOURCE, kind), scope, page, *arguments)
        selector = orjson.dumps(dict(facts)).decode()
        if parent is None:
            name = "list_resources_of_kind"
            return await self._page(name, (IS_RESOURCE, kind), scope, page, kind, selector)
        return await self._page("list_resources", (IS_RESOURCE, kind), scope, page, kind, selector, parent)

    async def firsts(
        self,
        scope: Scope,
        kind: str,
        parents: Sequence[str],
        limit: int,
        facts: Mapping[str, object] = NO_FACTS,
        bytes_max: int | None = None,
    ) -> dict[str, list[bytes]]:
        """The newest undeleted objects of one kind that contain `facts`, by parent; parents without any are absent.

        Raises TooManyBytes before loading bodies if they have more than `bytes_max`.
        """
        most = self.page_bytes_max if bytes_max is None else bytes_max
        selector = orjson.dumps(dict(facts)).decode()
        rows = await self._fetch(self._sql["first_resources"], *scope, kind, parents, limit, selector, most)
        bodies: dict[str, list[bytes]] = {}
        for row in whole(rows):
            bodies.setdefault(row["parent"], []).append(row["body"])
        return bodies

    async def count_customers(
        self, scope: Scope, page: PageOf, email: str | None = None, test_clock: str | None = None
    ) -> int:
        """The number of undeleted customers on all pages of a list."""
        bounds = (page.created_min, page.created_max)
        return await self._count("count_customers", *scope, *bounds, email, test_clock)

    async def count_resources(
        self,
        scope: Scope,
        kind: str,
        page: PageOf,
        parent: str | None = "",
        facts: Mapping[str, object] = NO_FACTS,
    ) -> int:
        """The number of undeleted objects of one kind on all pages of a list."""
        bounds = (page.created_min, page.created_max)
        if (filtered := filters.count(kind, facts, parent)) is not None:
            name, arguments = filtered
            return await self._count(name, *scope, *bounds, *arguments)
        selector = orjson.dumps(dict(facts)).decode()
        return await self._count("count_resources", *scope, *bounds, kind, selector, parent)

    async def principal(self, digest: str) -> Principal | None:
        """The principal of the API key with that SHA-256 digest; None if it was never issued, or is revoked.

        Concurrent lookups are batched, so that a flood of unknown keys does not exhaust the connection pool.
        """
        try:
            return await self._principals.submit(digest)
        except Overloaded as error:
            raise LogUnavailable("too many API key lookups are waiting") from error

    async def api_keys(self) -> Sequence[bytes]:
        """Every API key of every account, revoked ones too, in the order in which they were issued."""
        return [row["body"] for row in await self._fetch(self._sql["list_api_keys"])]

    async def erasures(self) -> list[bytes]:
        """Every erasure of every account, oldest first."""
        return [row["body"] for row in await self._fetch(self._sql["list_erasures"])]

    async def close(self) -> None:
        """Close the connections."""
        await self._connection.close()
        await self._resource_connection.close()

    async def _count(self, statement: str, *arguments: object) -> int:
        rows = await self._fetch(self._sql[statement], *arguments)
        count: int = rows[0]["count"]
        return count

    async def _page(self, statement: str, exists: tuple[str, ...], scope: Scope, page: PageOf, *more: object) -> Page:
        backwards = page.ending_before is not None
        cursor = page.ending_before if backwards else page.starting_after
        bounds = (page.created_min, page.created_max, page.limit + 1, self.page_bytes_max)
        query = self._sql[statement + "_before" if backwards else statement]
        rows = await self._fetch(query, *scope, cursor, *bounds, *more)
        if not rows and cursor is not None:
            known, *kind = exists
            if not await self._fetch(known, *scope, cursor, *kind):
                raise UnknownCursor(cursor)
        bodies = fitting(rows)
        has_more = len(rows) > len(bodies)
        if backwards:
            bodies.reverse()
        return Page(bodies, has_more)

    async def _get_customers(self, asked: list[ResourceKey]) -> list[bytes | Exception | None]:
        accounts, livemodes, _, ids, _ = zip(*asked, strict=True)
        rows = await self._connection.fetch(self._sql["get_customers"], accounts, livemodes, ids)
        return [row[0] for row in rows]

    async def _get_resources(self, asked: list[ResourceKey]) -> list[bytes | Exception | None]:
        rows = await self._resource_connection.fetch(self._sql["get_resources"], *zip(*asked, strict=True))
        return [row[0] for row in rows]

    async def _find_keys(self, digests: list[str]) -> list[Principal | Exception | None]:
        found: list[Principal | Exception | None] = []
        for row in await self._fetch(self._sql["find_api_keys"], digests):
            if row["id"] is None:
                found.append(None)
                continue
            permissions = frozenset(orjson.loads(row["permissions"]))
            found.append(Principal(row["id"], Scope(row["account"], row["livemode"]), row["key_type"], permissions))
        return found

    async def _submit(self, batcher: Batcher[ResourceKey, bytes | None], named: ResourceKey) -> bytes | None:
        if not named.id.isprintable():
            return None  # no object has such an id, and a NUL character would fail the whole batch in Postgres
        try:
            return await batcher.submit(named)
        except Overloaded as error:
            raise LogUnavailable("too many reads are waiting") from error

    async def _fetch(self, query: str, *arguments: object) -> list[Any]:
        return await self._pool.fetch(query, *arguments)
