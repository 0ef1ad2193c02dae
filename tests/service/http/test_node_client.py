"""Stripe's official client for Node.js against a live server; the stories are in tests/node."""

import asyncio
from pathlib import Path

import pytest

from tests.service.serving import Api

pytestmark = pytest.mark.node
SCRIPTS = Path(__file__).parents[2] / "node"


async def told(node: Path, script: str, *arguments: str) -> None:
    """Run a script of tests/node. Raises AssertionError with what it said when it fails."""
    process = await asyncio.create_subprocess_exec(
        str(node),
        str(SCRIPTS / script),
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert (process.returncode, output.decode().strip()) == (0, "ok"), output.decode()


async def test_customers_live_their_lives_through_the_client_for_node(api: Api, node: Path) -> None:
    await told(node, "customers.mjs", str(api.port), api.key)


async def test_coupons_and_promotion_codes_give_discounts_through_the_client_for_node(api: Api, node: Path) -> None:
    await told(node, "discounts.mjs", str(api.port), api.key)


async def test_tokens_sources_and_payment_methods_serve_the_client_for_node(api: Api, node: Path) -> None:
    await told(node, "payment_methods.mjs", str(api.port), api.key, await api.issue(power="publishable"))


async def test_webhook_endpoints_and_events_serve_the_client_for_node(api: Api, node: Path) -> None:
    await told(node, "webhook_endpoints.mjs", str(api.port), api.key)
