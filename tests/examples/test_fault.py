"""A fault: `house` runs each role as a process, over a private PostgreSQL and RabbitMQ; any of them can be killed."""

import asyncio

import pytest

from tests.faults.deployment import House, Load, account
from tests.faults.test_kills import house as house  # the fixture
from tests.waiting import until

pytestmark = [pytest.mark.faults, pytest.mark.rabbitmq]


async def test_customers_survive_a_killed_api(house: House) -> None:
    load = Load(house)
    working = asyncio.create_task(load.run(40))
    await until(lambda: len(load.created) >= 10, timeout_s=60)
    await house.kill9_and_restart("api")
    await asyncio.wait_for(working, 60)
    assert (await account(house.dsn)).customers == set(load.created)
