"""Webhooks over a real database."""

from collections.abc import AsyncIterator

import pytest

from tests.webhooks.harness import WebhookHarness, webhook_harness


@pytest.fixture
async def webhooks(database: str) -> AsyncIterator[WebhookHarness]:
    async with webhook_harness(database) as built:
        yield built
