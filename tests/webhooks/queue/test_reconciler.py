"""The embedded mode: from an append to a webhook with no broker, woken by the database alone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from events.follow import Wakeup
from tests.servers.receiver import Receiver
from tests.waiting import until
from tests.webhooks.harness import MASTER_KEYS, WebhookHarness
from webhooks.dispatch.worker import Worker
from webhooks.post.sender import Sender
from webhooks.post.ssrf import Policy
from webhooks.queue.fanout import FanOut
from webhooks.queue.reconciler import Reconciler
from webhooks.queue.store import Lanes

NEVER_S = 60.0


@asynccontextmanager
async def embedded(dsn: str, *, poll_s: float = NEVER_S) -> AsyncIterator[None]:
    """All that delivers, as one process runs it without a broker."""
    stop = asyncio.Event()
    appended, made = Wakeup(dsn, "rollbook_log"), Wakeup(dsn, "rollbook_lanes")
    reconciler = Reconciler(FanOut(dsn), appended, delay_s=0, poll_s=poll_s)
    worker = Worker(Lanes(dsn), Sender(Policy(production=False)), MASTER_KEYS, made)
    async with asyncio.TaskGroup() as tasks:
        for role in (appended, made, reconciler, worker):
            tasks.create_task(role.run(stop))
        try:
            yield
        finally:
            stop.set()


async def test_what_happens_is_delivered_without_polling(webhooks: WebhookHarness, receiver: Receiver) -> None:
    await webhooks.endpoint(receiver.url("/hook"))
    async with embedded(webhooks.dsn):
        for count in range(1, 6):
            await webhooks.notices()
            await receiver.wait_for(count)
        await until(lambda: _all_done(webhooks))


async def test_several_processes_deliver_everything_once(webhooks: WebhookHarness, receiver: Receiver) -> None:
    await webhooks.endpoint(receiver.url("/hook"))
    async with embedded(webhooks.dsn), embedded(webhooks.dsn), embedded(webhooks.dsn):
        for _ in range(20):
            await webhooks.notices(10)
        await receiver.wait_for(200)
        await until(lambda: _all_done(webhooks))
    assert len({request.headers["webhook-id"] for request in receiver.requests}) == len(receiver.requests) == 200


async def test_the_embedded_mode_survives_its_connections(webhooks: WebhookHarness, receiver: Receiver) -> None:
    await webhooks.endpoint(receiver.url("/hook"))
    async with embedded(webhooks.dsn, poll_s=0.2):
        for _ in range(5):
            await webhooks.notices(10)
            await webhooks.owner.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
                "AND application_name ~ '^rollbook (worker|fan-out|listen)'"
            )
        await until(lambda: _all_delivered(receiver, 50), timeout_s=20)
        await until(lambda: _all_done(webhooks))


def _all_delivered(receiver: Receiver, count: int) -> bool:
    return len({request.headers["webhook-id"] for request in receiver.requests}) == count


async def _all_done(webhooks: WebhookHarness) -> bool:
    return not await webhooks.deliveries()
