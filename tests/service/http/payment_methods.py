"""Payment methods as the API shows them."""

from typing import Any

from tests.service.http.objects import account
from tests.service.serving import Api

PATH = "/v1/payment_methods"
CUSTOMERS = "/v1/customers"
KEYS = [
    "id", "object", "allow_redisplay", "billing_details", "card", "created", "customer", "customer_account", "livemode",
    "metadata", "type",
]  # fmt: skip
CARD_KEYS = [
    "brand", "checks", "country", "display_brand", "exp_month", "exp_year", "fingerprint", "funding", "generated_from",
    "last4", "networks", "regulated_status", "three_d_secure_usage", "wallet",
]  # fmt: skip
UNEXPECTED = "payment_method_unexpected_state"
US_ACCOUNT = account(prefix="us_bank_account").replace("&us_bank_account[country]=US&us_bank_account[currency]=usd", "")


async def made(api: Api, body: str = "", **headers: Any) -> Any:
    """A payment method just made, as the API shows it."""
    answer = await api.post(PATH, body or "type=card&card[token]=tok_visa", **headers)
    assert answer.status == 200, answer.body
    return answer.json


async def attached(api: Api, customer: str, id: str = "pm_card_visa") -> Any:
    """A payment method just attached to a customer, as the API shows it."""
    answer = await api.post(f"{PATH}/{id}/attach", f"customer={customer}")
    assert answer.status == 200, answer.body
    return answer.json


async def listed(api: Api, path: str) -> list[str]:
    return [one["id"] for one in (await api.get(path)).json["data"]]
