"""A fault: `deployment` runs each role in a process, over a private PostgreSQL and RabbitMQ; each can be killed."""

import asyncio

import pytest

from tests.faults.conftest import deployment as deployment  # in tests/faults the fixture needs no import
from tests.faults.deployment import Deployment, Load, account
from tests.waiting import until

pytestmark = [pytest.mark.faults, pytest.mark.rabbitmq]


async def test_customers_survive_a_killed_api(deployment: Deployment) -> None:
    load = Load(deployment)
    working = asyncio.create_task(load.run(40))
    await until(lambda: len(load.created) >= 10, timeout_s=60)
    await deployment.kill9_and_restart("api")
    await asyncio.wait_for(working, 60)
    assert (await account(deployment.dsn)).customers == set(load.created)
