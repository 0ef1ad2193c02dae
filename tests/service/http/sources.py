"""Cards and bank accounts of customers as the API shows them."""

from typing import Any

from tests.service.serving import Api

PATH = "/v1/customers"
CARD_KEYS = [
    "id", "object", "address_city", "address_country", "address_line1", "address_line1_check", "address_line2",
    "address_state", "address_zip", "address_zip_check", "brand", "country", "customer", "cvc_check", "dynamic_last4",
    "exp_month", "exp_year", "fingerprint", "funding", "last4", "metadata", "name", "regulated_status",
    "tokenization_method",
]  # fmt: skip
ACCOUNT_KEYS = [
    "id", "object", "account_holder_name", "account_holder_type", "account_type", "bank_name", "country", "currency",
    "customer", "fingerprint", "last4", "metadata", "routing_number", "status",
]  # fmt: skip


async def added(api: Api, customer: str, body: str = "source=tok_visa", collection: str = "sources") -> Any:
    """A card or bank account just attached to a customer, as the API shows it."""
    answer = await api.post(f"{PATH}/{customer}/{collection}", body)
    assert answer.status == 200, answer.body
    return answer.json


async def sources(api: Api, customer: str, collection: str = "sources", query: str = "") -> list[str]:
    """The ids of what a customer has, as the list shows them."""
    return [one["id"] for one in (await api.get(f"{PATH}/{customer}/{collection}{query}")).json["data"]]


async def default(api: Api, customer: str) -> str | None:
    shown = (await api.get(f"{PATH}/{customer}")).json
    id: str | None = shown["default_source"]
    return id
