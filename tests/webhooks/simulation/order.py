"""What order an endpoint may ask for, and which deliveries stand in the way of one."""

from collections.abc import Iterable, Mapping
from typing import Literal

Mode = Literal["none", "customer", "strict"]


def before(sequence: int, pending: Iterable[int], keys: Mapping[int, str], mode: Mode) -> list[int]:
    """Of the deliveries to an endpoint that are pending, those that must have ended before one may be tried."""
    if mode == "none":
        return []
    return sorted(n for n in pending if n < sequence and (mode == "strict" or keys[n] == keys[sequence]))
