"""Filters of a list: which facts have an index of their own, and the statements that go by it.

Other facts are compared row by row, along the list: for what an object has few of.
"""

from collections.abc import Mapping, Sequence

import orjson

from events import payment_method, promotion_code

REDISPLAYS = ("always", "limited", "unspecified")  # API reference, allow_redisplay
STATEMENTS = (
    "list_payment_methods_of_customer",
    "list_payment_methods_of_type",
    "list_promotion_codes_by_active",
    "list_promotion_codes_of_coupon",
    "list_promotion_codes_of_customer",
)
COUNTS = ("count_payment_methods_of_customer", "count_payment_methods_of_type")


def statement(
    kind: str, facts: Mapping[str, object], parent: str | None = None
) -> tuple[str, tuple[object, ...]] | None:
    """One of STATEMENTS with its arguments beyond those of every list; None where no fact of `facts` has an index."""
    if kind == payment_method.KIND and facts and parent != "":
        if parent is None:
            return "list_payment_methods_of_type", _of_payment_methods(facts)
        return "list_payment_methods_of_customer", (*_of_payment_methods(facts), parent)
    if parent is not None:
        return None
    match kind, facts:
        case promotion_code.KIND, {"coupon": coupon}:
            asked = facts.get("active")
            actives = ("true", "false") if asked is None else (_json(asked),)
            return "list_promotion_codes_of_coupon", (coupon, actives, _json(dict(facts)))
        case promotion_code.KIND, {"customer": customer}:
            return "list_promotion_codes_of_customer", (customer, _json(dict(facts)))
        case promotion_code.KIND, {"active": active}:
            return "list_promotion_codes_by_active", (_json(active),)
    return None


def count(kind: str, facts: Mapping[str, object], parent: str | None = None) -> tuple[str, tuple[object, ...]] | None:
    """One of COUNTS with its arguments beyond those of every count; None where no fact of `facts` has an index."""
    listed = statement(kind, facts, parent) if kind == payment_method.KIND else None
    return None if listed is None else (listed[0].replace("list_", "count_"), listed[1])


def _of_payment_methods(facts: Mapping[str, object]) -> tuple[Sequence[object], Sequence[object]]:
    """The types and the values of allow_redisplay that are looked up."""
    type, redisplay = facts.get("type"), facts.get("allow_redisplay")
    return payment_method.TYPES if type is None else (type,), REDISPLAYS if redisplay is None else (redisplay,)


def _json(value: object) -> str:
    return orjson.dumps(value).decode()
