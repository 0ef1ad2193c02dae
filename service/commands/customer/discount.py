"""The discount of a customer: given by redeeming a coupon or a promotion code, atomically."""

import os
from dataclasses import dataclass

from events import coupon, ids
from events.coupon import COUPON, RedeemCoupon
from events.customer import CUSTOMER
from events.customer.discount import Discount, EndDiscount, GiveDiscount, RemoveDiscount
from events.errors import Missing, Refusal
from events.promotion_code import PROMOTION_CODE, RedeemPromotionCode
from events.unit_of_work import UnitOfWork
from service.commands import customer_time
from service.commands.caller import Caller
from service.commands.customer import load

KIND = "discount"


class NoDiscount(Missing):
    """The customer has no discount."""

    def __init__(self, customer: str) -> None:
        super().__init__(KIND, customer)
        self.message = f"No active discount for customer: {customer}"


@dataclass(frozen=True, slots=True)
class ApplyCoupon:
    """Give the discount of a coupon, replacing any other."""

    coupon: str

    async def apply(self, unit: UnitOfWork, caller: Caller, customer: str, at: int) -> None:
        """Redeem the coupon. Raises Refusal."""
        await _give(unit, customer, at, self.coupon, param="coupon")

    def streams(self, caller: Caller) -> tuple[str, ...]:
        """The stream of the coupon."""
        return (COUPON.stream(coupon.key(caller.scope, self.coupon)),)


@dataclass(frozen=True, slots=True)
class ApplyPromotionCode:
    """Apply the coupon of a promotion code as the discount, replacing any other."""

    promotion_code: str

    async def apply(self, unit: UnitOfWork, caller: Caller, customer: str, at: int) -> None:
        """Redeem the promotion code, and its coupon. Raises Refusal."""
        code = self.promotion_code
        state = await unit.load(PROMOTION_CODE, code)
        if not state.id:
            raise _no_such("promotion code", code, "promotion_code")
        # Charges are not stored here: payments are known from the invoices of reported subscriptions only.
        has_paid = unit.state(CUSTOMER, customer).subscriptions.paid
        redeemed = RedeemPromotionCode(id=code, at=at, customer=customer, has_paid=has_paid)
        unit.do(PROMOTION_CODE, code, redeemed)
        await _give(unit, customer, at, state.coupon, param="promotion_code", promotion_code=code)

    def streams(self, caller: Caller) -> tuple[str, ...]:
        """The stream of the promotion code."""
        return (PROMOTION_CODE.stream(self.promotion_code),)


@dataclass(frozen=True, slots=True)
class DropDiscount:
    """Remove the discount, if there is one."""

    async def apply(self, unit: UnitOfWork, caller: Caller, customer: str, at: int) -> None:
        """Remove the discount."""
        unit.do(CUSTOMER, customer, RemoveDiscount(at=at))

    def streams(self, caller: Caller) -> tuple[str, ...]:
        """No further streams."""
        return ()


async def remove(unit: UnitOfWork, customer: str) -> Discount:
    """Remove the discount; returns it. Raises Missing."""
    state = await load(unit, customer)
    current = state.discounts.current
    if current is None:
        raise NoDiscount(customer)
    unit.do(CUSTOMER, customer, RemoveDiscount(at=await customer_time.now(unit, state)))
    return current


async def end(unit: UnitOfWork, customer: str, id: str, at: int) -> None:
    """End a discount that is due. Raises Missing."""
    await unit.load(CUSTOMER, customer)
    unit.do(CUSTOMER, customer, EndDiscount(id=id, at=at))


async def _give(
    unit: UnitOfWork, customer: str, at: int, name: str, *, param: str, promotion_code: str | None = None
) -> None:
    """Redeem a coupon for the customer; `param` is the parameter named in a refusal."""
    key = coupon.key(unit.origin.scope, name)
    offered = await unit.load(COUPON, key)
    if not offered.exists and promotion_code is None:
        raise _no_such(coupon.KIND, name, param)
    try:
        unit.do(COUPON, key, RedeemCoupon(id=name, at=at))
    except Refusal as refusal:  # the coupon of a promotion code may have been deleted
        raise Refusal(refusal.message, code="coupon_expired", param=param) from None
    given = GiveDiscount(
        id=ids.new("di", os.urandom(ids.ID_BYTES)), at=at, coupon=offered.terms, promotion_code=promotion_code
    )
    unit.do(CUSTOMER, customer, given)


def _no_such(kind: str, id: str, param: str) -> Refusal:
    return Refusal(f"No such {kind}: '{id}'", code="resource_missing", param=param)
