"""`coupon` and `promotion_code` of a customer: a discount is given when they are redeemed, all of it or none."""

import os
from collections.abc import Iterable

from events import coupon, ids
from events.coupon import COUPON, RedeemCoupon
from events.customer import CUSTOMER
from events.customer.discount import GiveDiscount, RemoveDiscount
from events.errors import Refusal
from events.promotion_code import PROMOTION_CODE, RedeemPromotionCode
from events.unit_of_work import UnitOfWork
from service.http.params.customer import CreateCustomer, UpdateCustomer
from service.http.pipeline import RequestContext

PARAMETERS = ("coupon", "promotion_code")

Parameters = CreateCustomer | UpdateCustomer


async def apply(unit: UnitOfWork, call: RequestContext, id: str, parameters: Parameters, at: int) -> None:
    """Give the discount that was asked for, or take the present one away when the coupon was sent empty."""
    if parameters.coupon == "":
        unit.do(CUSTOMER, id, RemoveDiscount(at=at))
    elif parameters.coupon is not None:
        await _give(unit, call, id, at, parameters.coupon, param="coupon")
    elif parameters.promotion_code is not None:
        code = parameters.promotion_code
        state = await unit.load(PROMOTION_CODE, code)
        if not state.id:
            raise _no_such("promotion code", code, "promotion_code")
        # Charges are not kept here: what is known of payments is what was reported of subscriptions' invoices.
        has_paid = unit.state(CUSTOMER, id).subscriptions.paid
        redeemed = RedeemPromotionCode(id=code, at=at, customer=id, has_paid=has_paid)
        unit.do(PROMOTION_CODE, code, redeemed)
        await _give(unit, call, id, at, state.coupon, param="promotion_code", promotion_code=code)


def streams(call: RequestContext, parameters: Parameters) -> Iterable[str]:
    """Those of the coupon or the promotion code that was named."""
    if parameters.coupon:
        yield COUPON.stream(coupon.key(call.caller.account, call.caller.livemode, parameters.coupon))
    if parameters.promotion_code is not None:
        yield PROMOTION_CODE.stream(parameters.promotion_code)


async def _give(
    unit: UnitOfWork,
    call: RequestContext,
    id: str,
    at: int,
    name: str,
    *,
    param: str,
    promotion_code: str | None = None,
) -> None:
    """Redeem the coupon of that name for the customer; `param` is to blame when that cannot be."""
    key = coupon.key(call.caller.account, call.caller.livemode, name)
    offered = await unit.load(COUPON, key)
    if not offered.exists and promotion_code is None:
        raise _no_such(coupon.KIND, name, param)
    try:
        unit.do(COUPON, key, RedeemCoupon(id=name, at=at))
    except Refusal as refusal:  # of a coupon that a promotion code stands for; it may be deleted too
        raise Refusal(refusal.message, code="coupon_expired", param=param) from None
    given = GiveDiscount(
        id=ids.new("di", os.urandom(ids.ID_BYTES)), at=at, coupon=offered.terms, promotion_code=promotion_code
    )
    unit.do(CUSTOMER, id, given)


def _no_such(kind: str, id: str, param: str) -> Refusal:
    return Refusal(f"No such {kind}: '{id}'", code="resource_missing", param=param)
