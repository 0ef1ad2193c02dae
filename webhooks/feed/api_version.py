"""API versions of events: notices rendered in the version that the receiver asked for.

A notice is stored in the newest rendering, and names the API version that its account had at the time. If that version
is wanted and has the newest rendering, the stored bytes are sent unchanged.
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
    owner: Hashable  # the owner, by which coupons are looked up


Wanted = tuple[Any, str]  # an owner and the id of a coupon
Find = Callable[[Sequence[Wanted]], Awaitable[Mapping[Wanted, bytes]]]
Notice = tuple[bytes, str]  # by version too: a notice for many receivers is rendered once


async def rendered(notices: Sequence[VersionedNotice], find: Find) -> dict[int, bytes]:
    """The bodies that differ from the stored ones, by index in `notices`.

    `find` returns the coupons that older versions show in full: called once, and only if there are any.
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
    """A `find` for owners that are an account and a mode; `fetch` executes a query."""
    accounts, livemodes = zip(*(owner for owner, _ in wanted), strict=True)
    kinds, ever = [COUPON] * len(wanted), [True] * len(wanted)
    rows = await fetch(GET_RESOURCES, accounts, livemodes, kinds, [id for _, id in wanted], ever)
    return {index: row["body"] for index, row in zip(wanted, rows, strict=True) if row["body"] is not None}


async def name_coupons(wanted: Sequence[Wanted]) -> dict[Wanted, bytes]:
    """A `find` for a reader without the permission to read coupons: their ids only, as in newer versions."""
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
