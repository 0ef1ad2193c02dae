"""What is over by itself: discounts after their months, coupons and promotion codes after their last moment, and cards,
which are told of on the last day of theirs. With a coupon end its promotion codes.
"""

import orjson

from events import promotion_code
from events.coupon import COUPON, ExpireCoupon
from events.customer import CUSTOMER
from events.customer.discount import EndDiscount
from events.customer.source import NoteExpiry
from events.decider import Command, Decider, Event, State
from events.promotion_code import PROMOTION_CODE, ExpirePromotionCode, UpdatePromotionCode
from events.unit_of_work import UnitOfWork
from projections.due import Due
from projections.read import PageOf
from service.jobs import system
from service.wiring import Core

CODES_AT_A_TIME = 100


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


async def close_codes(core: Core, due: Due) -> None:
    """Let the codes of a coupon that is no longer valid be active no longer (API reference, the promotion code object).

    That takes a moment; until then a code is shown as active, and refused to whoever would redeem it.
    """
    facts = {"active": True, "coupon": due.subject}
    last, more = None, True
    while more:
        page = PageOf(limit=CODES_AT_A_TIME, starting_after=last, ending_before=None)
        found = await core.reader.resources(due.account, due.livemode, promotion_code.KIND, page, None, facts)
        for body in found.bodies:
            last = orjson.loads(body)["id"]
            await _close(core, due, last)
        more = found.has_more


async def _close(core: Core, due: Due, code: str) -> None:
    async def act(unit: UnitOfWork) -> None:
        await unit.load(PROMOTION_CODE, code)
        coupon = await unit.load(COUPON, due.id)
        if not coupon.valid:  # it may have been made anew under its id meanwhile
            closed = UpdatePromotionCode(id=code, at=due.due_at, coupon=coupon, patch={"active": False})
            unit.do(PROMOTION_CODE, code, closed)

    await system.carry_out(core, due, act, serialized_on=(PROMOTION_CODE.stream(code),))


async def _tell(core: Core, due: Due, decider: Decider[State, Command, Event], command: Command) -> None:
    async def act(unit: UnitOfWork) -> None:
        await unit.load(decider, due.id)
        unit.do(decider, due.id, command)

    await system.carry_out(core, due, act, serialized_on=(decider.stream(due.id),))
