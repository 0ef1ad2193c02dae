"""`/v1/coupons`: create, update, delete, retrieve, list."""

import os
from collections.abc import Awaitable, Callable

from events import coupon, ids
from events.coupon import COUPON, DeleteCoupon, UpdateCoupon
from events.unit_of_work import UnitOfWork
from projections import coupons
from projections.rows import dumps
from service.http import expand, resources
from service.http.operation import Operations
from service.http.params import coupon as parameters_of
from service.http.pipeline import RequestContext
from service.http.reply import Reply

operation = Operations()
URL = "/v1/coupons"
ID_CHARACTERS = 8


@operation(
    "POST", URL, "coupons.create", permission="coupons:write", parameters=parameters_of.CreateCoupon, answers="coupon"
)
async def create(call: RequestContext) -> Reply:
    """Create a coupon.

    An id is generated unless the request sets one.
    """
    parameters = call.parse(parameters_of.CreateCoupon)
    parameters.check()
    tree = expand.paths(call, parameters.expand, coupon.KIND)
    id = parameters.id or os.urandom(ID_CHARACTERS).translate(ids.LETTERS).decode()

    async def act(unit: UnitOfWork) -> Reply:
        await unit.load(COUPON, _key(call, id))
        unit.do(COUPON, _key(call, id), parameters.offer(id, int(unit.origin.at.timestamp())))
        return await resources.object_reply(call, unit, coupon.KIND, id, tree)

    return await _transact(call, id, act)


@operation(
    "POST",
    f"{URL}/{{coupon}}",
    "coupons.update",
    permission="coupons:write",
    parameters=parameters_of.UpdateCoupon,
    answers="coupon",
)
async def update(call: RequestContext) -> Reply:
    """Update a coupon.

    Its name, its metadata and its amounts in other currencies can be changed.
    """
    parameters = call.parse(parameters_of.UpdateCoupon)
    tree = expand.paths(call, parameters.expand, coupon.KIND)
    id = call.match["coupon"]

    async def act(unit: UnitOfWork) -> Reply:
        await unit.load(COUPON, _key(call, id))
        unit.do(COUPON, _key(call, id), UpdateCoupon(id=id, patch=parameters.patch()))
        return await resources.object_reply(call, unit, coupon.KIND, id, tree)

    return await _transact(call, id, act)


@operation(
    "DELETE",
    f"{URL}/{{coupon}}",
    "coupons.delete",
    permission="coupons:write",
    parameters=parameters_of.DeleteCoupon,
    answers="deleted_coupon",
)
async def delete(call: RequestContext) -> Reply:
    """Delete a coupon.

    It can no longer be redeemed; discounts that customers already have are kept.
    """
    expand.paths(call, call.parse(parameters_of.DeleteCoupon).expand, coupon.KIND)
    id = call.match["coupon"]

    async def act(unit: UnitOfWork) -> Reply:
        await unit.load(COUPON, _key(call, id))
        unit.do(COUPON, _key(call, id), DeleteCoupon(id=id))
        return Reply(200, dumps(coupons.render_deleted(id)))

    return await _transact(call, id, act)


@operation(
    "GET",
    f"{URL}/{{coupon}}",
    "coupons.retrieve",
    permission="coupons:read",
    parameters=parameters_of.RetrieveCoupon,
    answers="coupon",
)
async def retrieve(call: RequestContext) -> Reply:
    """Retrieve a coupon."""
    asked = call.parse(parameters_of.RetrieveCoupon).expand
    return await resources.retrieve(call, coupon.KIND, call.match["coupon"], asked)


@operation(
    "GET", URL, "coupons.list", permission="coupons:read", parameters=parameters_of.ListCoupons, answers="list.coupon"
)
async def list_all(call: RequestContext) -> Reply:
    """List coupons.

    Newest first.
    """
    return await resources.page(call, coupon.KIND, call.parse(parameters_of.ListCoupons), URL)


def _key(call: RequestContext, id: str) -> str:
    return coupon.key(call.caller.scope, id)


async def _transact(call: RequestContext, id: str, act: Callable[[UnitOfWork], Awaitable[Reply]]) -> Reply:
    serialized_on = (COUPON.stream(_key(call, id)),)
    return await call.transact(act, serialized_on=serialized_on)
