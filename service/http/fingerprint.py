"""What an answer under an idempotency key depended on, in 32 bytes."""

from hashlib import sha256
from typing import Any

import orjson


def of(method: str, path: str, parameters: dict[str, Any], version: str, account: str | None) -> bytes:
    """A digest that two requests share when they asked the same, however their parameters were ordered or escaped."""
    asked = orjson.dumps([method, path, version, account, parameters], option=orjson.OPT_SORT_KEYS)
    return sha256(asked).digest()
