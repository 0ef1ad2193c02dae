"""Fixtures of the contract of lanes: the same tests run on those in memory and those in Postgres."""

from collections.abc import AsyncIterator

import pytest

from tests.contracts.lanes import InMemory, InPostgres, LaneHarness
from tests.webhooks.harness import webhook_harness


@pytest.fixture
def memory() -> LaneHarness:
    return InMemory()


@pytest.fixture
async def postgres(database: str) -> AsyncIterator[LaneHarness]:
    async with webhook_harness(database) as webhooks:
        made = InPostgres(webhooks)
        yield made
        for lanes in made.opened:
            await lanes.close()


@pytest.fixture(params=["memory", "postgres"])
def harness(request: pytest.FixtureRequest) -> LaneHarness:
    given: LaneHarness = request.getfixturevalue(request.param)
    return given
