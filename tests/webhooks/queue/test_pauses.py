"""Pauses: what an endpoint gets of what happened while it was stopped, and that live notices never wait for it."""

import asyncio
from collections.abc import Sequence

import orjson
import pytest

from tests.servers.receiver import Answer, Hang, Receiver
from tests.waiting import until
from tests.webhooks.harness import Bell, WebhookHarness
from webhooks.endpoints.endpoint import CancelPending
from webhooks.queue.fanout import FanOut
from webhooks.queue.reconciler import Reconciler


async def pending(webhooks: WebhookHarness) -> list[int]:
    """The sequences of what is to be delivered."""
    return [sequence for sequence, _ in await webhooks.deliveries()]


async def names(webhooks: WebhookHarness, sequences: Sequence[int]) -> list[str]:
    """The ids of notices, in order."""
    ask = "SELECT id FROM projections.notice WHERE sequence = ANY ($1) ORDER BY sequence"
    return [row[0] for row in await webhooks.owner.fetch(ask, sequences)]


async def test_what_happened_meanwhile_comes_after_a_pause(webhooks: WebhookHarness) -> None:
    id = await webhooks.endpoint(events=["customer.created"])
    before = await webhooks.notices(2)
    await webhooks.edit(id, disabled=True)
    meanwhile = await webhooks.notices(3)
    await webhooks.notices(2, type="customer.updated")
    await webhooks.notices(2, account="acct_2")
    await webhooks.catch_up()
    assert await pending(webhooks) == before
    assert await webhooks.recover() == 0, "it is stopped"
    await webhooks.edit(id, disabled=False)
    after = await webhooks.notices(2)
    await webhooks.catch_up()
    assert await pending(webhooks) == before + after
    assert await webhooks.recover() == 3
    assert await pending(webhooks) == before + meanwhile + after
    ask = "SELECT sequence FROM webhooks.delivery WHERE recovered ORDER BY 1"
    assert [row[0] for row in await webhooks.owner.fetch(ask)] == meanwhile
    assert await webhooks.recover() == 0


async def test_everything_arrives_once_however_often_it_is_paused(webhooks: WebhookHarness, receiver: Receiver) -> None:
    id = await webhooks.endpoint(receiver.url("/hook"))
    sequences: list[int] = []
    stop = asyncio.Event()
    reconciler = Reconciler(FanOut(webhooks.dsn), Bell(), delay_s=0, poll_s=0.01, made=webhooks.bell.poke)
    task = asyncio.create_task(reconciler.run(stop))
    async with webhooks.working():
        for _ in range(5):
            sequences += await webhooks.notices(10)
            await webhooks.edit(id, disabled=True)
            sequences += await webhooks.notices(10)
            await webhooks.resume(id)
        await receiver.wait_for(100)
        await until(lambda: _all_done(webhooks))
    stop.set()
    await task
    got = [request.headers["webhook-id"] for request in receiver.requests]
    assert sorted(got) == sorted(await names(webhooks, sequences))


async def test_with_skip_nothing_of_it_comes(webhooks: WebhookHarness, receiver: Receiver) -> None:
    id = await webhooks.endpoint(receiver.url("/hook"))
    before = await webhooks.notices(2)
    await webhooks.catch_up()
    await webhooks.edit(id, disabled=True)
    await webhooks.notices(3)
    await webhooks.resume(id, "skip")
    [live] = await webhooks.notices()
    await webhooks.catch_up()
    async with webhooks.working() as worker:
        turns = worker.metrics.turns
        webhooks.bell.poke()
        await until(lambda: worker.metrics.turns > turns)
        assert receiver.requests == [], "not before it is settled"
        await webhooks.edit(id, description="edited before it is settled")
        assert await webhooks.recover() == 2
        await until(lambda: _all_done(webhooks))
    assert [request.headers["webhook-id"] for request in receiver.requests] == await names(webhooks, [live])
    ended = [(row["sequence"], row["outcome"]) for row in await webhooks.attempts()]
    assert sorted(ended) == [(before[0], "canceled"), (before[1], "canceled"), (live, "delivered")]


async def test_with_latest_only_the_newest_of_each_object_comes(webhooks: WebhookHarness) -> None:
    id = await webhooks.endpoint(events=["customer.created"])
    [_, lone] = [*await webhooks.notices(object_id="cus_a"), *await webhooks.notices(object_id="cus_b")]
    await webhooks.catch_up()
    await webhooks.edit(id, disabled=True)
    await webhooks.notices(3, object_id="cus_a")
    [newest] = await webhooks.notices(object_id="cus_a")
    await webhooks.notices(2, object_id="cus_c")
    [new] = await webhooks.notices(object_id="cus_c")
    await webhooks.notices(2, type="customer.updated", object_id="cus_c")
    await webhooks.resume(id, "latest")
    [live] = await webhooks.notices(object_id="cus_a")
    await webhooks.catch_up()
    await webhooks.recover()
    assert await pending(webhooks) == [lone, newest, new, live]


async def test_stopped_again_before_it_is_settled_it_stays_stopped(webhooks: WebhookHarness) -> None:
    id = await webhooks.endpoint()
    await webhooks.notices(2)
    await webhooks.catch_up()
    await webhooks.edit(id, disabled=True)
    await webhooks.resume(id, "skip")
    await webhooks.edit(id, disabled=True)
    assert await webhooks.recover() == 0
    assert await webhooks.owner.fetchval("SELECT status FROM webhooks.endpoint") == "disabled"
    [missed] = await webhooks.notices()
    await webhooks.resume(id)
    await webhooks.catch_up()
    await webhooks.recover()
    assert await pending(webhooks) == [missed]
    assert await webhooks.owner.fetchval("SELECT status FROM webhooks.endpoint") == "enabled"


async def test_a_long_pause_is_brought_by_and_by(webhooks: WebhookHarness) -> None:
    id = await webhooks.endpoint()
    await webhooks.edit(id, disabled=True)
    sequences = await webhooks.notices(500)
    await webhooks.resume(id)
    await webhooks.catch_up()
    fan_out = FanOut(webhooks.dsn)
    assert await fan_out.recover(40, 100) == (40, True)
    assert await fan_out.recover(40, 100) == (40, True)
    assert await fan_out.recover(40, 100) == (20, True), "no more than a hundred wait"
    assert await fan_out.recover(40, 100) == (0, True)
    made = 100
    while made < 500:
        await webhooks.owner.execute("DELETE FROM webhooks.delivery")  # taken, all of them
        made += (await fan_out.recover(1000, 100)).done
    assert await pending(webhooks) == sequences[400:]
    await fan_out.close()


async def test_live_notices_do_not_wait_for_recovered_ones(webhooks: WebhookHarness, receiver: Receiver) -> None:
    id = await webhooks.endpoint(receiver.url("/hook"))
    await webhooks.edit(id, disabled=True)
    await webhooks.notices(50)
    await webhooks.resume(id)
    await webhooks.catch_up()
    await webhooks.recover()
    receiver.behave("/hook", Hang())
    async with webhooks.working(drain_s=0):
        await receiver.wait_for(2)  # half as many as a new lane may have in flight
        live = await webhooks.notices(4)
        await webhooks.catch_up()
        got = await receiver.wait_for(6)
    assert len(got) == 6
    assert sorted(orjson.loads(each.body)["id"] for each in got[2:]) == sorted(await names(webhooks, live))


async def test_the_probe_of_a_breaker_may_be_a_recovered_one(webhooks: WebhookHarness, receiver: Receiver) -> None:
    id = await webhooks.endpoint(receiver.url("/hook"))
    await webhooks.edit(id, disabled=True)
    await webhooks.notices(20)
    await webhooks.resume(id)
    await webhooks.catch_up()
    await webhooks.recover()
    await webhooks.owner.execute(
        "UPDATE webhooks.lane SET open_until = now(), open_s = 30, ready_at = now() WHERE endpoint_id = $1", id
    )
    receiver.behave("/hook", Answer())
    async with webhooks.working():
        await until(lambda: _all_done(webhooks))
    assert len(receiver.requests) == 20


async def _all_done(webhooks: WebhookHarness) -> bool:
    return not await webhooks.deliveries()


@pytest.mark.parametrize("order", ["none", "customer"])
async def test_what_is_pending_is_given_up_as_asked_and_what_happens_then_is_sent(
    webhooks: WebhookHarness, receiver: Receiver, order: str
) -> None:
    id = await webhooks.endpoint(receiver.url("/hook"))
    await webhooks.rule(id, order=order)
    pending = await webhooks.happens_to("cus_a", "cus_a", "cus_b")
    await webhooks.catch_up()
    await webhooks.ask(id, CancelPending(id=id))
    after = await webhooks.happens_to("cus_a")
    await webhooks.catch_up()
    async with webhooks.working():
        await webhooks.recover()
        await receiver.wait_for(1)
        await until(lambda: _all_done(webhooks))
    assert [int(sent.headers["Rollbook-Position"]) for sent in receiver.requests] == after
    canceled = [row["sequence"] for row in await webhooks.attempts() if row["outcome"] == "canceled"]
    assert sorted(canceled) == pending


@pytest.mark.parametrize("order", ["none", "customer", "strict"])
@pytest.mark.parametrize("enabled_by", ["update", "resume"])
async def test_by_the_rule_missed_what_happened_meanwhile_is_skipped_and_the_rest_goes_on(
    webhooks: WebhookHarness, receiver: Receiver, order: str, enabled_by: str
) -> None:
    id = await webhooks.endpoint(receiver.url("/hook"))
    await webhooks.rule(id, missed="skip", order=order)
    before = await webhooks.notices(2)
    await webhooks.catch_up()
    await webhooks.edit(id, disabled=True)
    await webhooks.notices(3)
    if enabled_by == "update":
        await webhooks.edit(id, disabled=False)
    else:
        await webhooks.resume(id, None)
    live = await webhooks.notices(2)
    await webhooks.catch_up()
    assert await webhooks.recover() == 0
    async with webhooks.working():
        await until(lambda: _all_done(webhooks))
    got = [request.headers["webhook-id"] for request in receiver.requests]
    assert sorted(got) == sorted(await names(webhooks, before + live))


async def test_a_resumption_that_says_what_is_sent_goes_before_the_rule(webhooks: WebhookHarness) -> None:
    id = await webhooks.endpoint()
    await webhooks.rule(id, missed="skip")
    await webhooks.edit(id, disabled=True)
    meanwhile = await webhooks.notices(3)
    await webhooks.resume(id, "all")
    await webhooks.catch_up()
    assert await webhooks.recover() == 3
    assert await pending(webhooks) == meanwhile
