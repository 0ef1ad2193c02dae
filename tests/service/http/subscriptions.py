"""Reports of subscriptions, sent as a billing system sends them."""

from typing import Any

import orjson

from tests.service.serving import Answer, Api

OURS = "/v1/rollbook/customers/{}/subscriptions/{}"
PERIOD = "current_period_start=1700000000&current_period_end=1702592000"
ACTIVE = f"status=active&currency=usd&{PERIOD}"
INVOICE = {"id": "in_1", "status": "open", "auto_advance": True}


async def put(api: Api, customer: str, id: str, body: Any, **headers: Any) -> Answer:
    """Report, as a form or as JSON."""
    if not isinstance(body, str):
        headers["Content_Type"] = "application/json"
        body = orjson.dumps(body).decode()
    return await api.ask("PUT", OURS.format(customer, id), body, **headers)


async def report(api: Api, customer: str, id: str = "sub_1", body: Any = ACTIVE) -> Any:
    answer = await put(api, customer, id, body)
    assert answer.status == 200, answer.body
    return answer.json


async def past_due(api: Api, customer: str, id: str = "sub_1", **more: Any) -> Any:
    said = {"status": "past_due", "currency": "usd", "current_period_start": 1, "current_period_end": 2}
    return await report(api, customer, id, {**said, "latest_invoice": INVOICE, **more})
