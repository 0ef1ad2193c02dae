"""The webhooks floor, for tests that need a real one."""

from collections.abc import AsyncIterator

import pytest

from tests.webhooks.harness import Floor, floor


@pytest.fixture
async def house(database: str) -> AsyncIterator[Floor]:
    async with floor(database) as built:
        yield built
