"""Request fingerprints: a keyed hash of route and parameters, to detect reuse of an idempotency key.

Parameters may hold a card number or a security code, which a plain digest would give away to whoever tries them all:
this one is keyed.
"""

from typing import Any

import orjson

from events.keys import MasterKeys

PURPOSE = "idempotent request"


def of(
    keys: MasterKeys, method: str, path: str, parameters: dict[str, Any], version: str, account: str | None
) -> bytes:
    """A digest that two requests share when they asked the same, however their parameters were ordered or escaped."""
    asked = orjson.dumps([method, path, version, account, parameters], option=orjson.OPT_SORT_KEYS)
    return keys.digest(PURPOSE, asked)
