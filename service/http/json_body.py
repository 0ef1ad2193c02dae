"""JSON bodies, which our own routes take beside forms: the same nested parameters, and every leaf is text.

Numbers and booleans become the text a form would have, null becomes the empty string, which unsets.
"""

from typing import Any

import orjson

from events.errors import Refusal
from service.http import form
from service.http.form import DEPTH_MAX, PARAMETERS_MAX, FormValue


def decode(body: bytes) -> dict[str, FormValue]:
    """The nested parameters of a JSON object.

    Raises Refusal when it is no JSON or no object, holds NUL characters, has too many parameters or nests too deep.
    """
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refusal(f"Invalid JSON was sent in the body: {error.msg}.") from None
    if not isinstance(given, dict):
        raise Refusal("Invalid JSON was sent in the body: an object is expected.")
    return _Nested().hash(given, 1)


class _Nested:
    """Counts what it makes into parameters."""

    def __init__(self) -> None:
        self._count = 0

    def hash(self, given: dict[str, Any], depth: int) -> dict[str, FormValue]:
        return {_text(key): self._value(value, key, depth) for key, value in given.items()}

    def _value(self, given: Any, key: str, depth: int) -> FormValue:
        if isinstance(given, dict | list) and depth == DEPTH_MAX:
            raise Refusal(f"Parameters can be nested at most {DEPTH_MAX} levels deep.", param=key)
        self._count += 1  # hashes and arrays too: a million empty ones are as much work
        if self._count > PARAMETERS_MAX:
            raise form.too_many()
        match given:
            case dict():
                return self.hash(given, depth + 1)
            case list():
                return [self._value(element, key, depth + 1) for element in given]
            case None:
                return ""
            case bool():
                return "true" if given else "false"
            case _:
                return _text(str(given))


def _text(given: str) -> str:
    if "\x00" in given:
        raise form.nul()
    return given
