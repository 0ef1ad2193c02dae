"""The order of starting does not matter, and what is away is said and waited for."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.faults.deployment import Deployment, Load, account, delivered
from tests.servers.postgres import PrivatePostgres
from tests.servers.rabbitmq import PrivateRabbit
from tests.servers.receiver import Answer, Receiver
from tests.waiting import until

pytestmark = [pytest.mark.faults, pytest.mark.rabbitmq, pytest.mark.timeout(180)]


@pytest.fixture
async def deployment(
    private_postgres: PrivatePostgres, private_rabbit: PrivateRabbit, tmp_path: Path
) -> AsyncIterator[Deployment]:
    built = Deployment(private_postgres, private_rabbit, tmp_path)
    try:
        yield built
    finally:
        built.close()


async def readiness(deployment: Deployment) -> Any:
    """What /readyz says; None while nobody answers."""
    with suppress(aiohttp.ClientError):
        async with aiohttp.ClientSession() as session, session.get(f"{deployment.url}/readyz") as answer:
            return {"status": answer.status, **(await answer.json())["dependencies"]}
    return None


async def test_a_service_that_starts_before_postgres_and_rabbitmq_waits_for_them(
    deployment: Deployment, receiver: Receiver
) -> None:
    deployment.dsn = await asyncio.to_thread(deployment.postgres.start)
    deployment.amqp_url = await asyncio.to_thread(deployment.rabbit.start)
    await asyncio.to_thread(deployment.postgres.kill9)
    await asyncio.to_thread(deployment.rabbit.kill9)
    deployment.start("serve")

    async def says_so() -> bool:
        said = await readiness(deployment)
        return said is not None and said["status"] == 503 and "PostgreSQL" in said["postgres"]

    await until(says_so, timeout_s=30)
    await asyncio.to_thread(deployment.postgres.start)

    async def without_broker() -> bool:
        said = await readiness(deployment)
        return said is not None and said["status"] == 200 and said.get("rabbitmq (relay)", "").startswith("lost")

    await until(without_broker, timeout_s=30)
    await deployment.issue_key()
    await deployment.register(receiver.url("/hook"))
    await Load(deployment).run(5)
    expected = set((await account(deployment.dsn)).notices)
    await until(lambda: set(delivered(receiver, "/hook")) == expected, timeout_s=30)

    await asyncio.to_thread(deployment.rabbit.start)

    async def all_there() -> bool:
        said = await readiness(deployment)
        return said is not None and said["rabbitmq (relay)"] == said["rabbitmq (consumer)"] == "ok"

    await until(all_there, timeout_s=30)


async def test_a_worker_that_is_stopped_finishes_what_it_began(deployment: Deployment, receiver: Receiver) -> None:
    await deployment.open()
    receiver.behave("/slow", Answer(delay_s=1))
    await deployment.register(receiver.url("/slow"))
    await Load(deployment).run(2)
    await until(lambda: receiver.received("/slow"), timeout_s=30)
    worker = deployment.processes["worker"]
    worker.send_signal(signal.SIGTERM)
    await asyncio.to_thread(worker.wait, 30)
    assert worker.returncode == 0
    deployment.start("worker")

    async def nothing_pending() -> bool:
        return (await account(deployment.dsn)).pending == 0

    await until(nothing_pending, timeout_s=30)
    got = delivered(receiver, "/slow")
    assert set(got) == set((await account(deployment.dsn)).notices)
    assert got.total() == len(got), "what was in flight was recorded, and not sent again"
