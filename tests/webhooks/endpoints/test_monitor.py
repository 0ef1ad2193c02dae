"""The monitor of failing endpoints: whom it notifies, what it disables, and that none of it is lost or done twice."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import orjson
import pytest

from events import trace
from events.clock import FrozenClock, SystemClock
from events.database import Pool
from tests.servers.receiver import Answer, Receiver
from tests.waiting import until
from tests.webhooks.harness import Bell, WebhookHarness, webhook_harness
from webhooks.endpoints.monitor import FailureMonitor

HOUR = timedelta(hours=1)


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(datetime.now(UTC))


@pytest.fixture
def watch(webhooks: WebhookHarness, clock: FrozenClock) -> FailureMonitor:
    return FailureMonitor(webhooks.pool, webhooks.executor, clock, Bell())


async def failing(webhooks: WebhookHarness, id: str, attempts: int = 30) -> None:
    """Have an endpoint fail from now on, so many attempts in a row."""
    await webhooks.owner.execute(
        "UPDATE webhooks.lane SET failing_since = now(), failures_in_a_row = $2 WHERE endpoint_id = $1", id, attempts
    )


async def notifications(webhooks: WebhookHarness) -> list[Any]:
    """The notices of ours, in order."""
    rows = await webhooks.owner.fetch(
        "SELECT body FROM projections.notice WHERE type LIKE 'rollbook.%' ORDER BY sequence"
    )
    return [orjson.loads(row[0]) for row in rows]


async def test_an_owner_is_notified_thrice_and_then_that_it_is_disabled(
    webhooks: WebhookHarness, watch: FailureMonitor, clock: FrozenClock
) -> None:
    id, sound = await webhooks.endpoint(events=["customer.created"]), await webhooks.endpoint()
    await failing(webhooks, id)
    for _ in range(122):
        clock.advance(HOUR)
        await watch.look()
        await watch.look()
    notices = await notifications(webhooks)
    assert [(notice["type"], notice["data"]["object"]["failing"].get("hours")) for notice in notices] == [
        ("rollbook.endpoint.failing", 1),
        ("rollbook.endpoint.failing", 24),
        ("rollbook.endpoint.failing", 72),
        ("rollbook.endpoint.disabled", None),
    ]
    last = notices[-1]
    assert last["request"] is None
    assert (last["data"]["object"]["id"], last["data"]["object"]["status"]) == (id, "disabled")
    assert last["data"]["object"]["failing"]["reason"] == "failing"
    assert await webhooks.owner.fetchval("SELECT status FROM webhooks.endpoint WHERE id = $1", id) == "disabled"
    actors = "SELECT DISTINCT actor FROM events.log WHERE stream = $1 AND type <> 'webhook_endpoint.created'"
    assert [row[0] for row in await webhooks.owner.fetch(actors, f"webhook_endpoint-{id}")] == ["system"]
    await webhooks.catch_up()
    assert {endpoint for _, endpoint in await webhooks.deliveries()} == {sound}, "others of the account hear of it"
    assert len(await webhooks.deliveries()) == 4
    traces = await webhooks.owner.fetch("SELECT traceparent FROM projections.notice")
    assert len({trace.id_of(row[0]) for row in traces}) == 4, "what we do of ourselves is a trace of its own each time"


async def test_several_who_watch_do_it_once(webhooks: WebhookHarness, clock: FrozenClock) -> None:
    for _ in range(5):
        await failing(webhooks, await webhooks.endpoint())
    clock.advance(2 * HOUR)
    async with more_harnesses(webhooks, 3) as others:
        watches = [FailureMonitor(each.pool, each.executor, clock, Bell()) for each in others]
        await asyncio.gather(*(watch.look() for watch in watches))
        assert sum(watch.notified for watch in watches) == 5
    assert len(await notifications(webhooks)) == 5


async def test_one_that_was_changed_since_it_was_looked_at_is_looked_at_again(
    webhooks: WebhookHarness, clock: FrozenClock
) -> None:
    id = await webhooks.endpoint()
    await failing(webhooks, id)
    clock.advance(2 * HOUR)

    class Late:
        """Finds what was there before its owner put things right."""

        async def fetch(self, query: str, *arguments: object) -> Any:
            rows = await webhooks.pool.fetch(query, *arguments)
            await webhooks.edit(id, url="https://example.org/mended")
            return rows

    late = FailureMonitor(cast(Pool, Late()), webhooks.executor, clock, Bell())
    await late.look()
    assert (late.notified, await notifications(webhooks)) == (0, [])
    await late.look()
    assert await notifications(webhooks) == [], "its lane began anew"


async def test_an_owner_is_not_notified_after_a_success(webhooks: WebhookHarness, receiver: Receiver) -> None:
    id = await webhooks.endpoint(receiver.url("/hook"))
    receiver.behave("/hook", Answer(status=500), Answer())
    await webhooks.notices()
    await webhooks.catch_up()
    async with webhooks.working():
        await until(lambda: _fails(webhooks, id, 1))
        assert (await webhooks.lane(id))["failing_since"] is not None
        await webhooks.hurry()
        await until(lambda: _fails(webhooks, id, 0))
    assert (await webhooks.lane(id))["failing_since"] is None


async def test_an_endpoint_that_policy_refuses_is_tried_ever_less_often_and_fails_like_any_other(
    webhooks: WebhookHarness, clock: FrozenClock
) -> None:
    id = await webhooks.endpoint("http://169.254.169.254/latest")
    await webhooks.notices(50)
    await webhooks.catch_up()
    async with webhooks.working():
        await until(lambda: _opened_and_free(webhooks, id))
    attempts = await webhooks.attempts()
    assert {(attempt["fault"], attempt["outcome"]) for attempt in attempts} == {("address_refused", "retry")}
    assert len(attempts) < 10, "of 50 deliveries a few are tried, and then the breaker opens"
    assert await webhooks.owner.fetchval("SELECT max(attempts) FROM webhooks.delivery") == 0
    assert (await webhooks.lane(id))["failing_since"] is not None
    await webhooks.owner.execute("UPDATE webhooks.lane SET failing_since = $1, failures_in_a_row = 20", clock.now())
    watch = FailureMonitor(webhooks.pool, webhooks.executor, clock, Bell())
    clock.advance(timedelta(hours=1))
    await watch.look()
    clock.advance(timedelta(days=5))
    await watch.look()
    assert (watch.notified, watch.disabled) == (1, 1)
    assert [notice["type"] for notice in await notifications(webhooks)] == [
        "rollbook.endpoint.failing",
        "rollbook.endpoint.disabled",
    ]
    assert len(await webhooks.deliveries()) == 50


async def test_an_endpoint_that_is_gone_is_disabled_as_soon_as_that_is_recorded(
    webhooks: WebhookHarness, receiver: Receiver
) -> None:
    id, bell, stop = await webhooks.endpoint(receiver.url("/gone")), Bell(), asyncio.Event()
    receiver.behave("/gone", Answer(status=410), Answer())
    await webhooks.notices()
    await webhooks.catch_up()
    watch = FailureMonitor(webhooks.pool, webhooks.executor, SystemClock(), bell, poll_s=3600)
    task = asyncio.create_task(watch.run(stop))
    async with webhooks.working(gone=bell.poke):
        await until(lambda: watch.disabled == 1)
        [notice] = await notifications(webhooks)
        assert notice["data"]["object"]["failing"]["reason"] == "gone"
        await webhooks.edit(id, disabled=False)
        await webhooks.notices()
        await webhooks.catch_up()
        await receiver.wait_for(2)
    stop.set()
    await task


async def test_what_a_kill_left_undone_the_next_look_finds(
    webhooks: WebhookHarness, receiver: Receiver, watch: FailureMonitor
) -> None:
    id = await webhooks.endpoint(receiver.url("/gone"))
    receiver.behave("/gone", Answer(status=410))
    await webhooks.notices()
    await webhooks.catch_up()
    async with webhooks.working():  # and nobody who watches
        await until(lambda: _fails(webhooks, id, 1))
    await watch.look()
    assert watch.disabled == 1
    assert await webhooks.owner.fetchval("SELECT status FROM webhooks.endpoint WHERE id = $1", id) == "disabled"


async def _fails(webhooks: WebhookHarness, id: str, count: int) -> bool:
    lane = await webhooks.lane(id)
    return bool(lane["failures_in_a_row"] == count and lane["lease"] is None)


@asynccontextmanager
async def more_harnesses(webhooks: WebhookHarness, count: int) -> AsyncIterator[list[WebhookHarness]]:
    """More processes over the same database."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(webhook_harness(webhooks.dsn)) for _ in range(count)]


async def _opened_and_free(webhooks: WebhookHarness, id: str) -> bool:
    lane = await webhooks.lane(id)
    return lane["open_until"] is not None and lane["lease"] is None
