"""Stripe's official client for Node.js against a live server; the scripts are in tests/node."""

from pathlib import Path

import pytest

from tests.service.http.node_client import run_script
from tests.service.serving import Api

pytestmark = pytest.mark.node


async def test_customers_live_their_lives_through_the_client_for_node(api: Api, node: Path) -> None:
    await run_script(node, "customers.mjs", str(api.port), api.key)


async def test_coupons_and_promotion_codes_give_discounts_through_the_client_for_node(api: Api, node: Path) -> None:
    await run_script(node, "discounts.mjs", str(api.port), api.key)


async def test_tokens_sources_and_payment_methods_serve_the_client_for_node(api: Api, node: Path) -> None:
    await run_script(node, "payment_methods.mjs", str(api.port), api.key, await api.issue(key_type="publishable"))


async def test_webhook_endpoints_and_events_serve_the_client_for_node(api: Api, node: Path) -> None:
    await run_script(node, "webhook_endpoints.mjs", str(api.port), api.key)
