"""What changed between two renderings of an object: a structural diff of JSON, by JSON Pointer (RFC 6901).

Objects are compared key by key; arrays and everything else as a whole. A key that is not there counts as null.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

NOTHING: Mapping[str, Any] = {}


class Changed(NamedTuple):
    """One change: where, from what, to what."""

    path: str
    before: Any
    after: Any


def changes(before: Mapping[str, Any], after: Mapping[str, Any], path: str = "") -> Iterator[Changed]:
    """Every difference, in the order of the keys of `after`, then those that only `before` has.

    From nothing, empty arrays and objects are no difference.
    """
    new = before is NOTHING
    for key in (*after, *(key for key in before if key not in after)):
        old, now = before.get(key), after.get(key)
        if old == now and type(old) is type(now):
            continue
        if new and not now and isinstance(now, Mapping | list | tuple):
            continue
        below = f"{path}/{escaped(key)}"
        if isinstance(old, Mapping) and isinstance(now, Mapping):
            yield from changes(old, now, below)
        else:
            yield Changed(below, old, now)


def escaped(key: str) -> str:
    """A key as a token of a JSON Pointer."""
    return key.replace("~", "~0").replace("/", "~1")
