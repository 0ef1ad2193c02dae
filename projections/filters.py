"""Filters of a list: which facts have an index of their own, and the statement that goes by it.

Other facts are compared row by row, along the list: for what an object has few of.
"""

from collections.abc import Mapping

import orjson

from events import payment_method, promotion_code

REDISPLAYS = ("always", "limited", "unspecified")  # API reference, allow_redisplay
STATEMENTS = (
    "list_payment_methods_of_type",
    "list_promotion_codes_by_active",
    "list_promotion_codes_of_coupon",
    "list_promotion_codes_of_customer",
)


def statement(kind: str, facts: Mapping[str, object]) -> tuple[str, tuple[object, ...]] | None:
    """One of STATEMENTS with its arguments beyond those of every list; None where no fact of `facts` has an index."""
    match kind, facts:
        case payment_method.KIND, {"type": type}:
            asked = facts.get("allow_redisplay")
            return "list_payment_methods_of_type", (type, REDISPLAYS if asked is None else (asked,))
        case promotion_code.KIND, {"coupon": coupon}:
            asked = facts.get("active")
            actives = ("true", "false") if asked is None else (_json(asked),)
            return "list_promotion_codes_of_coupon", (coupon, actives, _json(dict(facts)))
        case promotion_code.KIND, {"customer": customer}:
            return "list_promotion_codes_of_customer", (customer, _json(dict(facts)))
        case promotion_code.KIND, {"active": active}:
            return "list_promotion_codes_by_active", (_json(active),)
    return None


def _json(value: object) -> str:
    return orjson.dumps(value).decode()
