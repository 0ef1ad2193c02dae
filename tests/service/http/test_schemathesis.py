"""Requests made up from the API's description of itself, right ones and wrong ones, for every operation: whatever is
sent, the answer is one that is described, and no failure of ours.

API_CASES says how many requests to make.
"""

import asyncio
import os
from random import Random
from typing import Any

import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import (
    content_type_conformance,
    not_a_server_error,
    response_schema_conformance,
    status_code_conformance,
)

from service import api_versions
from service.http import openapi
from service.http.app import OPERATIONS
from tests.service.serving import Api

CASES = int(os.environ.get("API_CASES", "400"))
CASES_A_SECOND_MIN = 4
CHECKS = [content_type_conformance, not_a_server_error, response_schema_conformance, status_code_conformance]
CARD = "card[number]=4242424242424242&card[exp_month]=1&card[exp_year]=34"
# What made-up values would only wait for, or never meet.
FIXED = {"after": "0", "wait": "0"}
MOSTLY_WRONG = ("Stripe-Account", "coupon", "customer", "expand", "promotion_code", "test_clock")
NEEDED = ("amount", "currency", "current_period_end", "current_period_start", "frozen_time", "status", "type", "url")


@pytest.mark.timeout(60 + CASES / CASES_A_SECOND_MIN)
async def test_whatever_is_sent_the_answer_is_one_that_is_described(api: Api) -> None:
    ids = await _ids(api)
    await asyncio.to_thread(_ask_all, api, ids)


async def _ids(api: Api) -> dict[str, list[str]]:
    """Objects of every kind, by the names that paths call them."""

    async def made(path: str, body: str, method: str = "POST") -> Any:
        answer = await api.ask(method, path, body)
        assert answer.status == 200, answer.body
        return answer.json

    customer = (await made("/v1/customers", "email=jenny.rosen@example.com&balance=-5"))["id"]
    resource = f"customers/{customer}"
    url = f"/v1/{resource}"
    coupon = (await made("/v1/coupons", "percent_off=25"))["id"]
    method = (await made("/v1/payment_methods", "type=card&card[token]=tok_visa"))["id"]
    report = f"/v1/rollbook/{resource}/subscriptions/sub_1"
    await made(report, "currency=usd&current_period_end=2&current_period_start=1&status=active", "PUT")
    fund = f"/v1/test_helpers/{resource}/fund_cash_balance"
    return {
        "coupon": [coupon],
        "customer": [customer],
        "event": [(await api.get("/v1/events")).json["data"][0]["id"]],
        "id": [(await made(f"{url}/sources", f"source={token}"))["id"] for token in ("tok_visa", "btok_us")],
        "payment_method": [method],
        "promotion_code": [(await made("/v1/promotion_codes", f"coupon={coupon}"))["id"]],
        "subscription": ["sub_1"],
        "tax_id": [(await made(f"{url}/tax_ids", "type=eu_vat&value=DE123456789"))["id"]],
        "test_clock": [(await made("/v1/test_helpers/test_clocks", "frozen_time=1780272000"))["id"]],
        "token": [(await made("/v1/tokens", CARD))["id"]],
        "transaction": [
            (await made(f"{url}/balance_transactions", "amount=5&currency=usd"))["id"],
            (await made(fund, "amount=5&currency=usd"))["id"],
        ],
        "webhook_endpoint": [
            (await made("/v1/webhook_endpoints", "url=https://example.com/hooks&enabled_events[]=*"))["id"]
        ],
    }


def _ask_all(api: Api, ids: dict[str, list[str]]) -> None:
    document = schemathesis.openapi.from_dict(openapi.document(OPERATIONS))
    each = max(2, CASES // len(OPERATIONS))
    settings = hypothesis.settings(
        database=None,
        deadline=None,
        derandomize="API_CASES" not in os.environ,
        max_examples=each,
        phases=(Phase.explicit, Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    for operation in sorted(OPERATIONS, key=lambda operation: operation.method == "DELETE"):
        described = document[operation.path][operation.method]
        cases = st.one_of([described.as_strategy(mode) for mode in GenerationMode])

        @settings
        @hypothesis.given(case=cases, known=st.randoms(use_true_random=False))
        def ask(case: Case[Any], known: Random) -> None:
            for name, there in ids.items():
                if name in case.path_parameters and known.random() < 0.8:
                    case.path_parameters[name] = known.choice(there)
            for part in (case.headers, case.query, case.body):
                if isinstance(part, dict):
                    _thin(part, known)
            _ask(api, case)

        ask()


def _thin(part: dict[str, Any], known: Random) -> None:
    """Leave out most of what no other value would be looked at for: of many made-up ones some is always wrong."""
    for name in list(part):
        if known.random() < (0.9 if name in MOSTLY_WRONG else 0.6) and name not in NEEDED:
            del part[name]


def _ask(api: Api, case: Case[Any]) -> None:
    """Send a case as a form would spell it, and check the answer."""
    case.query = {**_spelled(case.query), **{name: value for name, value in FIXED.items() if name in case.query}}
    if case.media_type == "application/x-www-form-urlencoded":
        case.body = dict[str, Any](_spelled(case.body))
    if case.headers.get("Stripe-Version") in api_versions.KNOWN:
        del case.headers["Stripe-Version"]  # the newest is what is described
    response = case.call(base_url=api.url, headers={"Authorization": f"Bearer {api.key}"})
    case.validate_response(response, checks=CHECKS)


def _spelled(value: Any, name: str = "") -> dict[str, str]:
    """A nested value by names as forms spell them, and text."""
    match value:
        case dict():
            pairs = [(str(key), inner) for key, inner in value.items()]
        case list():
            pairs = [(str(index), inner) for index, inner in enumerate(value)]
        case bool():
            return {name: "true" if value else "false"}
        case None:
            return {name: ""}
        case _:
            return {name: str(value)}
    spelled: dict[str, str] = {}
    for key, inner in pairs:
        spelled |= _spelled(inner, f"{name}[{key}]" if name else key)
    return spelled
