"""Pauses: what an endpoint gets of what happened while it was stopped, and that live notices never wait for it."""

import asyncio
from collections.abc import Sequence

import orjson
import pytest

from tests.servers.receiver import Answer, Hang, Receiver
from tests.waiting import until
from tests.webhooks.harness import Bell, Floor
from webhooks.endpoints.endpoint import CancelPending
from webhooks.queue.fanout import FanOut
from webhooks.queue.reconciler import Reconciler


async def pending(house: Floor) -> list[int]:
    """The sequences of what is to be delivered."""
    return [sequence for sequence, _ in await house.deliveries()]


async def names(house: Floor, sequences: Sequence[int]) -> list[str]:
    """The ids of notices, in order."""
    ask = "SELECT id FROM projections.notice WHERE sequence = ANY ($1) ORDER BY sequence"
    return [row[0] for row in await house.owner.fetch(ask, sequences)]


async def test_what_happened_meanwhile_comes_after_a_pause(house: Floor) -> None:
    id = await house.endpoint(events=["customer.created"])
    before = await house.notices(2)
    await house.edit(id, disabled=True)
    meanwhile = await house.notices(3)
    await house.notices(2, type="customer.updated")
    await house.notices(2, account="acct_2")
    await house.catch_up()
    assert await pending(house) == before
    assert await house.recover() == 0, "it is stopped"
    await house.edit(id, disabled=False)
    after = await house.notices(2)
    await house.catch_up()
    assert await pending(house) == before + after
    assert await house.recover() == 3
    assert await pending(house) == before + meanwhile + after
    ask = "SELECT sequence FROM webhooks.delivery WHERE recovered ORDER BY 1"
    assert [row[0] for row in await house.owner.fetch(ask)] == meanwhile
    assert await house.recover() == 0


async def test_everything_arrives_once_however_often_it_is_paused(house: Floor, receiver: Receiver) -> None:
    id = await house.endpoint(receiver.url("/hook"))
    told: list[int] = []
    stop = asyncio.Event()
    reconciler = Reconciler(FanOut(house.dsn), Bell(), delay_s=0, poll_s=0.01, made=house.bell.poke)
    task = asyncio.create_task(reconciler.run(stop))
    async with house.working():
        for _ in range(5):
            told += await house.notices(10)
            await house.edit(id, disabled=True)
            told += await house.notices(10)
            await house.resume(id)
        await receiver.wait_for(100)
        await until(lambda: _all_done(house))
    stop.set()
    await task
    got = [request.headers["webhook-id"] for request in receiver.requests]
    assert sorted(got) == sorted(await names(house, told))


async def test_with_skip_nothing_of_it_comes(house: Floor, receiver: Receiver) -> None:
    id = await house.endpoint(receiver.url("/hook"))
    before = await house.notices(2)
    await house.catch_up()
    await house.edit(id, disabled=True)
    await house.notices(3)
    await house.resume(id, "skip")
    [live] = await house.notices()
    await house.catch_up()
    async with house.working() as worker:
        turns = worker.metrics.turns
        house.bell.poke()
        await until(lambda: worker.metrics.turns > turns)
        assert receiver.requests == [], "not before it is settled"
        await house.edit(id, description="edited before it is settled")
        assert await house.recover() == 2
        await until(lambda: _all_done(house))
    assert [request.headers["webhook-id"] for request in receiver.requests] == await names(house, [live])
    ended = [(row["sequence"], row["outcome"]) for row in await house.attempts()]
    assert sorted(ended) == [(before[0], "canceled"), (before[1], "canceled"), (live, "delivered")]


async def test_with_latest_only_the_newest_of_each_object_comes(house: Floor) -> None:
    id = await house.endpoint(events=["customer.created"])
    [_, lone] = [*await house.notices(object_id="cus_a"), *await house.notices(object_id="cus_b")]
    await house.catch_up()
    await house.edit(id, disabled=True)
    await house.notices(3, object_id="cus_a")
    [newest] = await house.notices(object_id="cus_a")
    await house.notices(2, object_id="cus_c")
    [new] = await house.notices(object_id="cus_c")
    await house.notices(2, type="customer.updated", object_id="cus_c")
    await house.resume(id, "latest")
    [live] = await house.notices(object_id="cus_a")
    await house.catch_up()
    await house.recover()
    assert await pending(house) == [lone, newest, new, live]


async def test_stopped_again_before_it_is_settled_it_stays_stopped(house: Floor) -> None:
    id = await house.endpoint()
    await house.notices(2)
    await house.catch_up()
    await house.edit(id, disabled=True)
    await house.resume(id, "skip")
    await house.edit(id, disabled=True)
    assert await house.recover() == 0
    assert await house.owner.fetchval("SELECT status FROM webhooks.endpoint") == "disabled"
    [missed] = await house.notices()
    await house.resume(id)
    await house.catch_up()
    await house.recover()
    assert await pending(house) == [missed]
    assert await house.owner.fetchval("SELECT status FROM webhooks.endpoint") == "enabled"


async def test_a_long_pause_is_brought_by_and_by(house: Floor) -> None:
    id = await house.endpoint()
    await house.edit(id, disabled=True)
    sequences = await house.notices(500)
    await house.resume(id)
    await house.catch_up()
    fan_out = FanOut(house.dsn)
    assert await fan_out.recover(40, 100) == (40, True)
    assert await fan_out.recover(40, 100) == (40, True)
    assert await fan_out.recover(40, 100) == (20, True), "no more than a hundred wait"
    assert await fan_out.recover(40, 100) == (0, True)
    made = 100
    while made < 500:
        await house.owner.execute("DELETE FROM webhooks.delivery")  # taken, all of them
        made += (await fan_out.recover(1000, 100)).done
    assert await pending(house) == sequences[400:]
    await fan_out.close()


async def test_live_notices_do_not_wait_for_recovered_ones(house: Floor, receiver: Receiver) -> None:
    id = await house.endpoint(receiver.url("/hook"))
    await house.edit(id, disabled=True)
    await house.notices(50)
    await house.resume(id)
    await house.catch_up()
    await house.recover()
    receiver.behave("/hook", Hang())
    async with house.working(drain_s=0):
        await receiver.wait_for(2)  # half as many as a new lane may have on its way
        live = await house.notices(4)
        await house.catch_up()
        got = await receiver.wait_for(6)
    assert len(got) == 6
    assert sorted(orjson.loads(each.body)["id"] for each in got[2:]) == sorted(await names(house, live))


async def test_the_probe_of_a_breaker_may_be_a_recovered_one(house: Floor, receiver: Receiver) -> None:
    id = await house.endpoint(receiver.url("/hook"))
    await house.edit(id, disabled=True)
    await house.notices(20)
    await house.resume(id)
    await house.catch_up()
    await house.recover()
    await house.owner.execute(
        "UPDATE webhooks.lane SET open_until = now(), open_s = 30, ready_at = now() WHERE endpoint_id = $1", id
    )
    receiver.behave("/hook", Answer())
    async with house.working():
        await until(lambda: _all_done(house))
    assert len(receiver.requests) == 20


async def _all_done(house: Floor) -> bool:
    return not await house.deliveries()


@pytest.mark.parametrize("order", ["none", "customer"])
async def test_what_is_pending_is_given_up_as_asked_and_what_happens_then_is_sent(
    house: Floor, receiver: Receiver, order: str
) -> None:
    id = await house.endpoint(receiver.url("/hook"))
    await house.rule(id, order=order)
    pending = await house.happens_to("cus_a", "cus_a", "cus_b")
    await house.catch_up()
    await house.ask(id, CancelPending(id=id))
    after = await house.happens_to("cus_a")
    await house.catch_up()
    async with house.working():
        await house.recover()
        await receiver.wait_for(1)
        await until(lambda: _all_done(house))
    assert [int(sent.headers["Rollbook-Position"]) for sent in receiver.requests] == after
    canceled = [row["sequence"] for row in await house.attempts() if row["outcome"] == "canceled"]
    assert sorted(canceled) == pending


@pytest.mark.parametrize("order", ["none", "customer", "strict"])
@pytest.mark.parametrize("enabled_by", ["update", "resume"])
async def test_by_the_rule_missed_what_happened_meanwhile_is_skipped_and_the_rest_goes_on(
    house: Floor, receiver: Receiver, order: str, enabled_by: str
) -> None:
    id = await house.endpoint(receiver.url("/hook"))
    await house.rule(id, missed="skip", order=order)
    before = await house.notices(2)
    await house.catch_up()
    await house.edit(id, disabled=True)
    await house.notices(3)
    if enabled_by == "update":
        await house.edit(id, disabled=False)
    else:
        await house.resume(id, None)
    live = await house.notices(2)
    await house.catch_up()
    assert await house.recover() == 0
    async with house.working():
        await until(lambda: _all_done(house))
    got = [request.headers["webhook-id"] for request in receiver.requests]
    assert sorted(got) == sorted(await names(house, before + live))


async def test_a_resumption_that_says_what_is_sent_goes_before_the_rule(house: Floor) -> None:
    id = await house.endpoint()
    await house.rule(id, missed="skip")
    await house.edit(id, disabled=True)
    meanwhile = await house.notices(3)
    await house.resume(id, "all")
    await house.catch_up()
    assert await house.recover() == 3
    assert await pending(house) == meanwhile
