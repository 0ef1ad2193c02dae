"""API version rendering: what is stored in the newest version, rendered in an older version of the API.

Objects are recognized by their `object`, wherever they stand. Discounts and promotion codes of older versions show
their whole coupon where newer ones name it, so its body is wanted: see `coupons`. A reader without the permission to
read coupons is shown their ids: see `render`. Rendering again changes nothing, and an `event` is left as it is, frozen
when it was recorded: `notice` is for who receives it in a version of their own.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

COUPONS_ARE_NAMED = "2025-09-30.clover"  # discount.source and promotion_code.promotion; names of businesses, persons
ACCOUNTS_ARE_SHOWN = "2025-12-15.clover"  # customer_account
NEWEST_DIFFERENCE = ACCOUNTS_ARE_SHOWN
NAMES = ("business_name", "individual_name")
HOLDERS = {"discount": "source", "promotion_code": "promotion"}  # where they name their coupon
VERSION = b'\n  "api_version": "'

Shown = dict[str, Any]
Coupons = Mapping[str, Any]  # id -> what is shown of the coupon


def differs(version: str) -> bool:
    """Whether anything is rendered otherwise in that version."""
    return version < NEWEST_DIFFERENCE  # versions begin with their date


def coupons(shown: Any, version: str) -> set[str]:
    """The ids of the coupons that `render` will want."""
    return set(coupon_counts(shown, version))


def coupon_counts(shown: Any, version: str) -> Counter[str]:
    """The same, with how often each will be shown."""
    return Counter(_named(shown)) if version < COUPONS_ARE_NAMED else Counter()


def render(shown: Any, version: str, coupons: Coupons | None) -> Any:
    """An answer of any kind as `version` has it; with None for `coupons` each is shown by its id, as in newer versions.

    That holds for coupons that an earlier rendering has shown whole, too.
    """
    match shown:
        case list():
            return [render(item, version, coupons) for item in shown]
        case {"object": "event"}:
            return shown
        case dict():
            return _object(shown, version, coupons)
        case _:
            return shown


def notice(event: Shown, version: str, coupons: Coupons) -> Shown:
    """A stored notice as `version` has it, which it then names."""
    event = {**event, "api_version": version}
    if differs(version):
        data = event["data"]
        event["data"] = {"object": render(data["object"], version, coupons)}
        if "previous_attributes" in data:
            kind = data["object"]["object"]
            event["data"]["previous_attributes"] = _object(data["previous_attributes"], version, coupons, kind)
    return event


def version_of(body: bytes) -> str:
    """The version of a stored notice."""
    start = body.index(VERSION) + len(VERSION)
    return body[start : body.index(b'"', start)].decode()


def named_version(body: bytes, version: str) -> bytes:
    """A stored notice that names another version and is the same otherwise."""
    start = body.index(VERSION) + len(VERSION)
    return body[:start] + version.encode() + body[body.index(b'"', start) :]


def coupons_of_notice(event: Shown, version: str) -> set[str]:
    """The ids of the coupons that `notice` will want."""
    if version >= COUPONS_ARE_NAMED:
        return set()
    data = event["data"]
    kind = data["object"]["object"]
    return {*_named(data["object"]), *_named(data.get("previous_attributes", {}), kind)}


def _object(shown: Shown, version: str, coupons: Coupons | None, kind: str | None = None) -> Shown:
    """A hash; `kind` is its type where it has no `object` itself, as in previous attributes."""
    kind = kind or shown.get("object")
    older = {
        name: value if name == "metadata" else _within(name, value, version, coupons) for name, value in shown.items()
    }
    older.pop("customer_account", None)
    if version >= COUPONS_ARE_NAMED:
        return older
    if kind == "customer":
        for name in NAMES:
            older.pop(name, None)
    holder = HOLDERS.get(kind or "")
    if holder is not None and coupons is None and isinstance(older.get("coupon"), dict):
        older["coupon"] = older["coupon"].get("id")
    if holder is not None and isinstance(older.get(holder), dict):
        coupon = older.pop(holder).get("coupon")
        if coupons is None:
            older["coupon"] = coupon.get("id") if isinstance(coupon, dict) else coupon
        else:
            older["coupon"] = coupons.get(coupon) if isinstance(coupon, str) else coupon
        first = {name: older[name] for name in ("id", "object") if name in older}
        return first | {name: older[name] for name in sorted(older.keys() - first.keys())}
    return older


def _within(name: str, value: Any, version: str, coupons: Coupons | None) -> Any:
    if name == "discount" and isinstance(value, dict):
        return _object(value, version, coupons, "discount")
    return render(value, version, coupons)


def _named(shown: Any, kind: str | None = None) -> Iterator[str]:
    """The ids of the coupons named anywhere in an answer; events name none."""
    if isinstance(shown, list):
        for item in shown:
            yield from _named(item)
    elif isinstance(shown, dict) and shown.get("object") != "event":
        holder = HOLDERS.get(kind or shown.get("object") or "")
        source = shown.get(holder) if holder is not None else None
        if isinstance(source, dict) and isinstance(source.get("coupon"), str):
            yield source["coupon"]
        for name, value in shown.items():
            if name != "metadata":
                yield from _named(value, "discount" if name == "discount" else None)
