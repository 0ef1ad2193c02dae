"""What order an endpoint may ask for, and which deliveries stand in the way of one."""

from collections.abc import Iterable, Mapping

from webhooks.endpoints.rules import Order


def key(customer: str, mode: Order) -> str | None:
    """What a delivery is kept in order by: those that have it in common go one by one."""
    return {"none": None, "customer": customer, "strict": ""}[mode]


def before(sequence: int, pending: Iterable[int], keys: Mapping[int, str], mode: Order) -> list[int]:
    """Of the deliveries to an endpoint that are pending, those that must have ended before one may be tried."""
    if mode == "none":
        return []
    return sorted(n for n in pending if n < sequence and (mode == "strict" or keys[n] == keys[sequence]))
