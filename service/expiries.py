"""What is over by itself: discounts after their months, coupons and promotion codes after their last moment, and cards,
which are told of on the last day of theirs.
"""

from typing import Any

from events.coupon import ExpireCoupon
from events.customer.discount import EndDiscount
from events.customer.source import NoteExpiry
from events.decider import Decider
from events.promotion_code import ExpirePromotionCode
from events.unit_of_work import UnitOfWork
from projections.coupons import COUPON
from projections.customers import CUSTOMER
from projections.due import Due
from projections.promotion_codes import PROMOTION_CODE
from service import system
from service.wiring import Core


async def end_discount(core: Core, due: Due) -> None:
    """Let a customer's discount be over."""
    await _tell(core, due, CUSTOMER, EndDiscount(id=due.subject, at=due.due_at))


async def note_expiry(core: Core, due: Due) -> None:
    """Tell that a customer's card is about to expire."""
    await _tell(core, due, CUSTOMER, NoteExpiry(id=due.subject, at=due.due_at))


async def expire_coupon(core: Core, due: Due) -> None:
    """Let a coupon be valid no longer."""
    await _tell(core, due, COUPON, ExpireCoupon(at=due.due_at))


async def expire_promotion_code(core: Core, due: Due) -> None:
    """Let a promotion code be active no longer; its code is free for another."""
    await _tell(core, due, PROMOTION_CODE, ExpirePromotionCode(at=due.due_at))


async def _tell(core: Core, due: Due, decider: Decider[Any], command: object) -> None:
    async def act(unit: UnitOfWork) -> None:
        await unit.load(decider, due.id)
        unit.do(decider, due.id, command)

    await system.carry_out(core, due, act, alone=(decider.stream(due.id),))
