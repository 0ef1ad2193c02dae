"""Expansion: ids replaced by the objects they name, and parts added that are left out by default.

What a customer cannot have (yet: a default source, a discount, a test clock) is null, and a path through null stops
there in silence (API reference, expanding responses).
"""

from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from events.errors import Refusal

LEVELS_MAX = 4
Tree = dict[str, "Tree"]

# Property -> what may be expanded within it. Those in LISTS and BALANCES are added; the others are null or hold ids.
CUSTOMER: Tree = {
    "cash_balance": {},
    "default_source": {},
    "discount": {},
    "invoice_settings": {"default_payment_method": {}},
    "invoice_credit_balance": {},
    "sources": {"data": {}},
    "subscriptions": {"data": {}},
    "tax_ids": {"data": {}},
    "test_clock": {},
}
LISTS = ("sources", "subscriptions", "tax_ids")
BALANCES: dict[str, Any] = {"cash_balance": None, "invoice_credit_balance": {}}  # of who never had any
HASHES = ("invoice_settings",)  # are never ids: only what is within them may be expanded
TOTAL_COUNT = "total_count"  # of a list, beside its data


def paths(asked: Sequence[str], known: Tree, *, in_list: bool = False) -> tuple[str, ...]:
    """The paths that were asked for, each known to lead somewhere; in lists they start with `data.`.

    The total count of a list is no path, see `counted`. Raises Refusal for a path that is too deep or leads nowhere.
    """
    return tuple(_checked(path, known, in_list) for path in asked if not (in_list and path == TOTAL_COUNT))


def counted(asked: Sequence[str]) -> bool:
    """Whether a list was asked to tell how many objects it has over all its pages."""
    return TOTAL_COUNT in asked


def _checked(path: str, known: Tree, in_list: bool) -> str:
    steps = path.split(".")
    if len(steps) > LEVELS_MAX:
        raise Refusal(f"You cannot expand more than {LEVELS_MAX} levels of a property ({path}).", param="expand")
    if in_list:
        if steps[0] != "data" or len(steps) == 1:
            raise _cannot(path, hint=" You may want to try expanding 'data." + path + "' instead.")
        steps = steps[1:]
    place = known
    for step in steps:
        if step not in place:
            raise _cannot(step)
        place = place[step]
        if not place:
            break  # beyond here all is null
    else:
        if steps[-1] in HASHES:
            raise _cannot(steps[-1])
    return ".".join(steps)


def _cannot(name: str, hint: str = "") -> Refusal:
    return Refusal(f"This property cannot be expanded ({name}).{hint}", param="expand")


def customer(body: bytes, asked: Iterable[str]) -> bytes:
    """A stored customer with `asked` (paths checked before) expanded; a deleted one stays as it is."""
    shown: dict[str, Any] = orjson.loads(body)
    if shown.get("deleted"):
        return body
    for path in asked:
        name = path.partition(".")[0]
        if name in LISTS:
            url = f"/v1/customers/{shown['id']}/{name}"
            shown[name] = {"object": "list", "data": [], "has_more": False, "url": url}
        elif name in BALANCES:
            shown[name] = BALANCES[name]
    ordered = {key: shown[key] for key in ("id", "object", *sorted(shown.keys() - {"id", "object"}))}
    return orjson.dumps(ordered, option=orjson.OPT_INDENT_2)
