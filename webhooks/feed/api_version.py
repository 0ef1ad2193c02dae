"""API versions of events: notices rendered in the version that the receiver asked for.

They are stored in the newest rendering and name the version their account had at the time. Rendered in that, and when
that is a recent one, they are sent as they are stored, to the byte.
"""

from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from events.coupon import KIND as COUPON
from events.database import load_sql
from projections import api_version
from projections.rows import dumps

GET_RESOURCES = load_sql("projections", "get_resources")


class VersionedNotice(NamedTuple):
    """A stored notice, and the version to render it in: the one it names when that is None."""

    body: bytes
    version: str | None
    owner: Hashable  # whose notice it is: what coupons are looked up by


Wanted = tuple[Any, str]  # an owner and the id of a coupon
Find = Callable[[Sequence[Wanted]], Awaitable[Mapping[Wanted, bytes]]]
Notice = tuple[bytes, str]  # and a version: a notice to many is rendered once


async def rendered(notices: Sequence[VersionedNotice], find: Find) -> dict[int, bytes]:
    """The bodies to send instead of those stored, by their index in `notices`.

    `find` gives the coupons that older versions show in full: asked once, and only when there are any.
    """
    bodies: dict[int, bytes] = {}
    older: dict[int, Notice] = {}
    whose: dict[Notice, Any] = {}
    for index, notice in enumerate(notices):
        named = api_version.version_of(notice.body)
        version = notice.version or named
        if api_version.differs(version):
            older[index] = (notice.body, version)
            whose.setdefault(older[index], notice.owner)
        elif version != named:
            bodies[index] = api_version.named_version(notice.body, version)
    if older:
        done = await _render(whose, find)
        bodies.update((index, done[notice]) for index, notice in older.items())
    return bodies


async def find_coupons(fetch: Callable[..., Awaitable[list[Any]]], wanted: Sequence[Wanted]) -> dict[Wanted, bytes]:
    """A `find` where the owners are accounts and modes; `fetch` gives the rows of a query."""
    accounts, livemodes = zip(*(owner for owner, _ in wanted), strict=True)
    kinds, ever = [COUPON] * len(wanted), [True] * len(wanted)
    rows = await fetch(GET_RESOURCES, accounts, livemodes, kinds, [id for _, id in wanted], ever)
    return {index: row["body"] for index, row in zip(wanted, rows, strict=True) if row["body"] is not None}


async def name_coupons(wanted: Sequence[Wanted]) -> dict[Wanted, bytes]:
    """A `find` for a reader without the permission to read coupons: of each its id, as newer versions have it."""
    return {(owner, id): orjson.dumps(id) for owner, id in wanted}


async def _render(whose: Mapping[Notice, Any], find: Find) -> dict[Notice, bytes]:
    shown = {(body, version): orjson.loads(body) for body, version in whose}
    wanted = {notice: api_version.coupons_of_notice(body, notice[1]) for notice, body in shown.items()}
    asked = {(owner, id): None for notice, owner in whose.items() for id in wanted[notice]}
    found = {index: orjson.loads(body) for index, body in (await find(list(asked))).items()} if asked else {}
    done = {}
    for notice, owner in whose.items():
        coupons = {id: found.get((owner, id)) for id in wanted[notice]}
        done[notice] = dumps(api_version.notice(shown[notice], notice[1], coupons))
    return done
