"""API version rendering of responses: stored objects converted to the older version that a request asked for."""

from collections.abc import Iterable

import orjson

from events import coupon
from projections import api_version
from projections.page_bytes import BYTES_UNLIMITED
from projections.read import Principal, Reader
from projections.rows import Rows, dumps


async def rendered(
    body: bytes,
    version: str,
    reader: Reader,
    caller: Principal,
    pending: Iterable[Rows] = (),
    *,
    whole_coupons: bool = True,
) -> bytes:
    """An answer as `version` has it; `pending` are rows that will be stored with it.

    Rendering one again changes nothing, so what is kept under an idempotency key may be rendered before it is kept,
    and again for each caller that it is replayed to: without `whole_coupons`, with the ids of coupons alone.
    """
    shown = orjson.loads(body)
    if not whole_coupons:
        return dumps(api_version.render(shown, version, None))
    coupons = {row.id: row.body for rows in pending for row in rows.resources if row.kind == coupon.KIND}
    asked = sorted(api_version.coupons(shown, version) - coupons.keys())
    if asked:
        # A page was counted with its coupons when it was made; one object is shown whatever it comes to.
        found = await reader.many(caller.scope, coupon.KIND, asked, BYTES_UNLIMITED)
        coupons.update((id, body) for id, body in zip(asked, found, strict=True) if body is not None)
    plain = {id: orjson.loads(body) for id, body in coupons.items()}
    return dumps(api_version.render(shown, version, plain))
