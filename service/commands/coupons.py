"""Coupons: create, update, delete; and expire when their time is over."""

import os

from events import coupon, ids
from events.coupon import COUPON, CouponPatch, CreateCoupon, DeleteCoupon, ExpireCoupon, UpdateCoupon
from events.unit_of_work import UnitOfWork
from service.commands.caller import Caller

ID_CHARACTERS = 8


def new_id() -> str:
    """The id of a coupon that its caller gave none."""
    return os.urandom(ID_CHARACTERS).translate(ids.LETTERS).decode()


def stream(caller: Caller, id: str) -> str:
    """The stream of a coupon of the caller's."""
    return COUPON.stream(coupon.key(caller.scope, id))


async def create(unit: UnitOfWork, offer: CreateCoupon) -> None:
    """Create a coupon. Raises Refusal."""
    key = _key(unit, offer.terms.id)
    await unit.load(COUPON, key)
    unit.do(COUPON, key, offer)


async def update(unit: UnitOfWork, id: str, patch: CouponPatch) -> None:
    """Change a coupon. Raises Missing, Refusal."""
    await unit.load(COUPON, _key(unit, id))
    unit.do(COUPON, _key(unit, id), UpdateCoupon(id=id, patch=patch))


async def delete(unit: UnitOfWork, id: str) -> None:
    """Delete a coupon. Raises Missing."""
    await unit.load(COUPON, _key(unit, id))
    unit.do(COUPON, _key(unit, id), DeleteCoupon(id=id))


async def expire(unit: UnitOfWork, key: str, at: int) -> None:
    """Let the coupon of a stream be valid no longer. Raises Missing."""
    await unit.load(COUPON, key)
    unit.do(COUPON, key, ExpireCoupon(at=at))


def _key(unit: UnitOfWork, id: str) -> str:
    return coupon.key(unit.origin.scope, id)
