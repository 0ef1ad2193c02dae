"""`/v1/promotion_codes`: create, update, retrieve, list."""

import os

from events import coupon, ids, promotion_code
from events.coupon import COUPON, Coupon
from events.customer import CUSTOMER
from events.errors import ConstraintBroken, Refusal
from events.promotion_code import PROMOTION_CODE, CreatePromotionCode, Restrictions, UpdatePromotionCode
from events.unit_of_work import UnitOfWork
from projections.promotion_codes import UNIQUE
from service.http import expand, resources
from service.http.operation import Operations
from service.http.params import promotion_code as parameters_of
from service.http.pipeline import RequestContext
from service.http.reply import Reply

operation = Operations()
URL = "/v1/promotion_codes"
CAPITALS = bytes(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"[byte % 36] for byte in range(256))
CODE_CHARACTERS = 8
CODE_TRIES = 5


@operation(
    "POST",
    URL,
    "promotion_codes.create",
    permission="promotion_codes:write",
    parameters=parameters_of.CreatePromotionCode,
    answers="promotion_code",
)
async def create(call: RequestContext) -> Reply:
    """Create a promotion code.

    A code is generated unless the request sets one.
    """
    parameters = call.parse(parameters_of.CreatePromotionCode)
    named = parameters.named()
    tree = expand.paths(call, parameters.expand, promotion_code.KIND)
    origin = call.begin()
    for _ in range(CODE_TRIES):
        id = ids.new("promo", os.urandom(ids.ID_BYTES))
        code = parameters.code or os.urandom(CODE_CHARACTERS).translate(CAPITALS).decode()

        async def act(unit: UnitOfWork, id: str = id, code: str = code) -> Reply:
            offered = await _coupon(unit, call, named)
            if parameters.customer is not None and not (await unit.load(CUSTOMER, parameters.customer)).exists:
                raise Refusal(f"No such customer: '{parameters.customer}'", code="resource_missing", param="customer")
            command = CreatePromotionCode(
                id=id,
                active=parameters.active,
                code=code,
                coupon=offered,
                created=int(unit.origin.at.timestamp()),
                customer=parameters.customer,
                expires_at=parameters.expires_at,
                max_redemptions=parameters.max_redemptions,
                metadata=parameters.metadata,
                restrictions=parameters.restrictions.value() if parameters.restrictions else Restrictions(),
            )
            unit.begin(PROMOTION_CODE, id)
            try:
                unit.do(PROMOTION_CODE, id, command)
            except Refusal as refusal:
                param = named.param if refusal.param == coupon.KIND else refusal.param
                raise Refusal(refusal.message, code=refusal.code, param=param) from None
            return await resources.object_reply(call, unit, promotion_code.KIND, id, tree)

        try:
            return await call.transact(act, origin)
        except ConstraintBroken as broken:
            _refuse_code(broken, parameters.code)
    raise RuntimeError("no free promotion code was found")


@operation(
    "POST",
    f"{URL}/{{promotion_code}}",
    "promotion_codes.update",
    permission="promotion_codes:write",
    parameters=parameters_of.UpdatePromotionCode,
    answers="promotion_code",
)
async def update(call: RequestContext) -> Reply:
    """Update a promotion code."""
    parameters = call.parse(parameters_of.UpdatePromotionCode)
    tree = expand.paths(call, parameters.expand, promotion_code.KIND)
    id = call.match["promotion_code"]

    async def act(unit: UnitOfWork) -> Reply:
        state = await unit.load(PROMOTION_CODE, id)
        promotion_code.must_exist(state, id)
        offered = await unit.load(COUPON, coupon.key(call.caller.scope, state.coupon))
        at = int(unit.origin.at.timestamp())
        unit.do(PROMOTION_CODE, id, UpdatePromotionCode(id=id, at=at, coupon=offered, patch=parameters.patch()))
        return await resources.object_reply(call, unit, promotion_code.KIND, id, tree)

    serialized_on = (PROMOTION_CODE.stream(id),)
    try:
        return await call.transact(act, serialized_on=serialized_on)
    except ConstraintBroken as broken:
        _refuse_code(broken, "its code")
        raise


@operation(
    "GET",
    f"{URL}/{{promotion_code}}",
    "promotion_codes.retrieve",
    permission="promotion_codes:read",
    parameters=parameters_of.RetrievePromotionCode,
    answers="promotion_code",
)
async def retrieve(call: RequestContext) -> Reply:
    """Retrieve a promotion code."""
    asked = call.parse(parameters_of.RetrievePromotionCode).expand
    return await resources.retrieve(call, promotion_code.KIND, call.match["promotion_code"], asked)


@operation(
    "GET",
    URL,
    "promotion_codes.list",
    permission="promotion_codes:read",
    parameters=parameters_of.ListPromotionCodes,
    answers="list.promotion_code",
)
async def list_all(call: RequestContext) -> Reply:
    """List promotion codes.

    Newest first.
    """
    parameters = call.parse(parameters_of.ListPromotionCodes)
    await resources.must_be_known(call, coupon.KIND, parameters.coupon, param="coupon", ever=True)
    spelled = parameters.code.upper() if parameters.code is not None else None
    return await resources.page(call, promotion_code.KIND, parameters, URL, parent=spelled, facts=parameters.facts())


async def _coupon(unit: UnitOfWork, call: RequestContext, named: parameters_of.Named) -> Coupon:
    offered = await unit.load(COUPON, coupon.key(call.caller.scope, named.id))
    if not offered.exists:
        raise Refusal(f"No such coupon: '{named.id}'", code="resource_missing", param=named.param)
    return offered


def _refuse_code(broken: ConstraintBroken, code: str | None) -> None:
    """Raises Refusal when it was the caller's own code that is in use; anything but a code goes on up."""
    if broken.constraint != UNIQUE:
        raise broken
    if code is not None:
        raise Refusal(
            f"An active promotion code with code '{code}' already exists.", code="resource_already_exists", param="code"
        ) from None
