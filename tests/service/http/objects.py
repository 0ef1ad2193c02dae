"""Objects that tests of several routes need, made over the API, and parameters of cards and bank accounts."""

from datetime import UTC, datetime
from typing import Any

from tests.service.serving import Api

SOON = datetime.now(UTC).year + 1


def card(number: str = "4242424242424242", *, prefix: str = "card", **more: object) -> str:
    """A card as parameters."""
    sent = {"number": number, "exp_month": 12, "exp_year": SOON, "cvc": "123", **more}
    return "&".join(f"{prefix}[{name}]={value}" for name, value in sent.items())


def account(number: str = "000123456789", *, prefix: str = "bank_account", **more: object) -> str:
    """A bank account as parameters."""
    sent = {"account_number": number, "routing_number": "110000000", "country": "US", "currency": "usd", **more}
    return "&".join(f"{prefix}[{name}]={value}" for name, value in sent.items())


async def create_token(api: Api, body: str = "", **headers: Any) -> Any:
    answer = await api.post("/v1/tokens", body or card(), **headers)
    assert answer.status == 200, answer.body
    return answer.json


async def create_coupon(api: Api, body: str = "percent_off=10", **headers: Any) -> Any:
    answer = await api.post("/v1/coupons", body, **headers)
    assert answer.status == 200, answer.body
    return answer.json


async def stored_rows(api: Api) -> list[Any]:
    """All there is: the log, the customers, the objects, the published events."""
    tables = ("events.log", "projections.customer", "projections.resource", "projections.notice", "projections.due")
    return [await api.core.pool.fetch(f"SELECT * FROM {table} ORDER BY 1, 2, 3, 4") for table in tables]
