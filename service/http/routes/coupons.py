"""`/v1/coupons`: create, update, delete, retrieve, list."""

from events import coupon
from events.unit_of_work import UnitOfWork
from projections import coupons
from projections.rows import dumps
from service.commands import coupons as commands_of
from service.http import expand, resources
from service.http.operation import Operations
from service.http.params import coupon as parameters_of
from service.http.pipeline import RequestContext
from service.http.reply import Reply

operation = Operations()
URL = "/v1/coupons"


@operation(
    "POST", URL, "coupons.create", permission="coupons:write", parameters=parameters_of.CreateCoupon, answers="coupon"
)
async def create(context: RequestContext) -> Reply:
    """Create a coupon.

    An id is generated unless the request sets one.
    """
    parameters = context.parse(parameters_of.CreateCoupon)
    parameters.check()
    tree = expand.paths(context, parameters.expand, coupon.KIND)
    id = parameters.id or commands_of.new_id()

    async def act(unit: UnitOfWork) -> Reply:
        await commands_of.create(unit, parameters.offer(id, int(unit.origin.at.timestamp())))
        return await resources.object_reply(context, unit, coupon.KIND, id, tree)

    return await context.transact(act, serialized_on=(commands_of.stream(context.caller, id),))


@operation(
    "POST",
    f"{URL}/{{coupon}}",
    "coupons.update",
    permission="coupons:write",
    parameters=parameters_of.UpdateCoupon,
    answers="coupon",
)
async def update(context: RequestContext) -> Reply:
    """Update a coupon.

    Its name, its metadata and its amounts in other currencies can be changed.
    """
    parameters = context.parse(parameters_of.UpdateCoupon)
    tree = expand.paths(context, parameters.expand, coupon.KIND)
    id = context.match["coupon"]

    async def act(unit: UnitOfWork) -> Reply:
        await commands_of.update(unit, id, parameters.patch())
        return await resources.object_reply(context, unit, coupon.KIND, id, tree)

    return await context.transact(act, serialized_on=(commands_of.stream(context.caller, id),))


@operation(
    "DELETE",
    f"{URL}/{{coupon}}",
    "coupons.delete",
    permission="coupons:write",
    parameters=parameters_of.DeleteCoupon,
    answers="deleted_coupon",
)
async def delete(context: RequestContext) -> Reply:
    """Delete a coupon.

    It can no longer be redeemed; discounts that customers already have are kept.
    """
    expand.paths(context, context.parse(parameters_of.DeleteCoupon).expand, coupon.KIND)
    id = context.match["coupon"]

    async def act(unit: UnitOfWork) -> Reply:
        await commands_of.delete(unit, id)
        return Reply(200, dumps(coupons.render_deleted(id)))

    return await context.transact(act, serialized_on=(commands_of.stream(context.caller, id),))


@operation(
    "GET",
    f"{URL}/{{coupon}}",
    "coupons.retrieve",
    permission="coupons:read",
    parameters=parameters_of.RetrieveCoupon,
    answers="coupon",
)
async def retrieve(context: RequestContext) -> Reply:
    """Retrieve a coupon."""
    asked = context.parse(parameters_of.RetrieveCoupon).expand
    return await resources.retrieve(context, coupon.KIND, context.match["coupon"], asked)


@operation(
    "GET", URL, "coupons.list", permission="coupons:read", parameters=parameters_of.ListCoupons, answers="list.coupon"
)
async def list_all(context: RequestContext) -> Reply:
    """List coupons.

    Newest first.
    """
    return await resources.page(context, coupon.KIND, context.parse(parameters_of.ListCoupons), URL)
