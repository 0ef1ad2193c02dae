"""`/v1/promotion_codes`: create, update, retrieve, list."""

from events import coupon, promotion_code
from events.errors import ConstraintBroken
from events.promotion_code import PROMOTION_CODE
from events.unit_of_work import UnitOfWork
from service.commands import promotion_codes as commands_of
from service.http import expand, resources
from service.http.operation import Operations
from service.http.params import promotion_code as parameters_of
from service.http.pipeline import RequestContext
from service.http.reply import Reply

operation = Operations()
URL = "/v1/promotion_codes"


@operation(
    "POST",
    URL,
    "promotion_codes.create",
    permission="promotion_codes:write",
    parameters=parameters_of.CreatePromotionCode,
    answers="promotion_code",
)
async def create(context: RequestContext) -> Reply:
    """Create a promotion code.

    A code is generated unless the request sets one.
    """
    parameters = context.parse(parameters_of.CreatePromotionCode)
    new = parameters.command()
    tree = expand.paths(context, parameters.expand, promotion_code.KIND)

    async def act(unit: UnitOfWork) -> Reply:
        id = await commands_of.create(unit, new)
        return await resources.object_reply(context, unit, promotion_code.KIND, id, tree)

    origin = context.begin()
    for _ in range(commands_of.CODE_TRIES):
        try:
            return await context.transact(act, origin)
        except ConstraintBroken as broken:
            commands_of.refuse_code(broken, new.code)
    raise RuntimeError("no free promotion code was found")


@operation(
    "POST",
    f"{URL}/{{promotion_code}}",
    "promotion_codes.update",
    permission="promotion_codes:write",
    parameters=parameters_of.UpdatePromotionCode,
    answers="promotion_code",
)
async def update(context: RequestContext) -> Reply:
    """Update a promotion code."""
    parameters = context.parse(parameters_of.UpdatePromotionCode)
    tree = expand.paths(context, parameters.expand, promotion_code.KIND)
    id = context.match["promotion_code"]

    async def act(unit: UnitOfWork) -> Reply:
        await commands_of.update(unit, id, parameters.patch())
        return await resources.object_reply(context, unit, promotion_code.KIND, id, tree)

    try:
        return await context.transact(act, serialized_on=(PROMOTION_CODE.stream(id),))
    except ConstraintBroken as broken:
        commands_of.refuse_code(broken, "its code")
        raise


@operation(
    "GET",
    f"{URL}/{{promotion_code}}",
    "promotion_codes.retrieve",
    permission="promotion_codes:read",
    parameters=parameters_of.RetrievePromotionCode,
    answers="promotion_code",
)
async def retrieve(context: RequestContext) -> Reply:
    """Retrieve a promotion code."""
    asked = context.parse(parameters_of.RetrievePromotionCode).expand
    return await resources.retrieve(context, promotion_code.KIND, context.match["promotion_code"], asked)


@operation(
    "GET",
    URL,
    "promotion_codes.list",
    permission="promotion_codes:read",
    parameters=parameters_of.ListPromotionCodes,
    answers="list.promotion_code",
)
async def list_all(context: RequestContext) -> Reply:
    """List promotion codes.

    Newest first.
    """
    parameters = context.parse(parameters_of.ListPromotionCodes)
    await resources.must_be_known(context, coupon.KIND, parameters.coupon, param="coupon", ever=True)
    spelled = parameters.code.upper() if parameters.code is not None else None
    return await resources.page(context, promotion_code.KIND, parameters, URL, parent=spelled, facts=parameters.facts())
