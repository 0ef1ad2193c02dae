"""Promotion codes: create, update, expire, and deactivate with their coupon."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from events import coupon, ids, promotion_code
from events.coupon import COUPON, Coupon
from events.customer import CUSTOMER
from events.errors import ConstraintBroken, Refusal
from events.promotion_code import (
    PROMOTION_CODE,
    CreatePromotionCode,
    ExpirePromotionCode,
    PromotionCodePatch,
    Restrictions,
    UpdatePromotionCode,
)
from events.unit_of_work import UnitOfWork
from projections.promotion_codes import UNIQUE

CAPITALS = bytes(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"[byte % 36] for byte in range(256))
CODE_CHARACTERS = 8
CODE_TRIES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPromotionCode:
    """Parameters of a promotion code; `param` is the parameter of its coupon."""

    active: bool
    code: str | None  # None to generate a code
    coupon: str
    customer: str | None
    expires_at: int | None
    max_redemptions: int | None
    metadata: Mapping[str, str] | None
    param: str
    restrictions: Restrictions


async def create(unit: UnitOfWork, new: NewPromotionCode) -> str:
    """Create a promotion code; returns its id. A retry of the transaction makes a new id and a new generated code.
    Raises Refusal.
    """
    id = ids.new("promo", os.urandom(ids.ID_BYTES))
    offered = await _coupon(unit, new.coupon)
    if not offered.exists:
        raise Refusal(f"No such coupon: '{new.coupon}'", code="resource_missing", param=new.param)
    if new.customer is not None and not (await unit.load(CUSTOMER, new.customer)).exists:
        raise Refusal(f"No such customer: '{new.customer}'", code="resource_missing", param="customer")
    command = CreatePromotionCode(
        id=id,
        active=new.active,
        code=new.code or os.urandom(CODE_CHARACTERS).translate(CAPITALS).decode(),
        coupon=offered,
        created=int(unit.origin.at.timestamp()),
        customer=new.customer,
        expires_at=new.expires_at,
        max_redemptions=new.max_redemptions,
        metadata=new.metadata,
        restrictions=new.restrictions,
    )
    unit.begin(PROMOTION_CODE, id)
    try:
        unit.do(PROMOTION_CODE, id, command)
    except Refusal as refusal:
        param = new.param if refusal.param == coupon.KIND else refusal.param
        raise Refusal(refusal.message, code=refusal.code, param=param) from None
    return id


async def update(unit: UnitOfWork, id: str, patch: PromotionCodePatch) -> None:
    """Change a promotion code. Raises Missing, Refusal."""
    state = await unit.load(PROMOTION_CODE, id)
    promotion_code.must_exist(state, id)
    offered = await _coupon(unit, state.coupon)
    at = int(unit.origin.at.timestamp())
    unit.do(PROMOTION_CODE, id, UpdatePromotionCode(id=id, at=at, coupon=offered, patch=patch))


async def expire(unit: UnitOfWork, id: str, at: int) -> None:
    """Expire a promotion code; its code can be used by another. Raises Missing."""
    await unit.load(PROMOTION_CODE, id)
    unit.do(PROMOTION_CODE, id, ExpirePromotionCode(at=at))


async def close(unit: UnitOfWork, id: str, key: str, at: int) -> None:
    """Deactivate a promotion code whose coupon, with that key, is no longer valid."""
    await unit.load(PROMOTION_CODE, id)
    offered = await unit.load(COUPON, key)
    if not offered.valid:  # another coupon of the same id may exist by now
        closed = UpdatePromotionCode(id=id, at=at, coupon=offered, patch={"active": False})
        unit.do(PROMOTION_CODE, id, closed)


def refuse_code(broken: ConstraintBroken, code: str | None) -> None:
    """Raises Refusal if the code of the request is in use; other errors are raised again."""
    if broken.constraint != UNIQUE:
        raise broken
    if code is not None:
        raise Refusal(
            f"An active promotion code with code '{code}' already exists.", code="resource_already_exists", param="code"
        ) from None


async def _coupon(unit: UnitOfWork, id: str) -> Coupon:
    return await unit.load(COUPON, coupon.key(unit.origin.scope, id))
