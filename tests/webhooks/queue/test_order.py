"""Ordered endpoints: what arrives when, what a failed delivery blocks, and what becomes of it."""

import random

import orjson
import pytest

from tests.servers.receiver import Answer, Drop, Received, Receiver
from tests.waiting import until
from tests.webhooks.harness import WebhookHarness
from webhooks.endpoints.endpoint import DeleteEndpoint, RecoverEndpoint
from webhooks.queue.fanout import FanOut
from webhooks.queue.retry import ATTEMPTS_MAX
from webhooks.queue.store import Lanes


def customer(sent: Received) -> str:
    id: str = orjson.loads(sent.body)["data"]["object"]["id"]
    return id


def position(sent: Received) -> int:
    return int(sent.headers["Rollbook-Position"])


def positions(receiver: Receiver, of: str | None = None) -> list[int]:
    """Of the notices received, in the order in which they came."""
    return [position(sent) for sent in receiver.requests if of in (None, customer(sent))]


async def ordered(webhooks: WebhookHarness, receiver: Receiver, order: str, **rules: str) -> str:
    id = await webhooks.endpoint(receiver.url("/hook"))
    await webhooks.rule(id, order=order, **rules)
    return id


async def _done(webhooks: WebhookHarness) -> bool:
    return not await webhooks.deliveries()


async def _attempts(webhooks: WebhookHarness, count: int) -> bool:
    return len(await webhooks.attempts()) >= count


async def _held(webhooks: WebhookHarness) -> list[int]:
    rows = await webhooks.owner.fetch("SELECT sequence FROM webhooks.delivery WHERE held ORDER BY 1")
    return [row[0] for row in rows]


async def test_what_happened_to_one_customer_arrives_as_it_happened(
    webhooks: WebhookHarness, receiver: Receiver
) -> None:
    await ordered(webhooks, receiver, "customer")
    names = [f"cus_{n}" for n in range(5)] * 20
    random.Random(7).shuffle(names)
    await webhooks.happens_to(*names)
    await webhooks.catch_up()
    async with webhooks.working():
        await until(lambda: _done(webhooks))
    assert len(receiver.requests) == 100
    for name in set(names):
        assert positions(receiver, name) == sorted(positions(receiver, name))
        versions = [int(sent.headers["Rollbook-Version"]) for sent in receiver.requests if customer(sent) == name]
        assert versions == sorted(versions)


async def test_everything_arrives_as_it_happened_where_order_is_strict(
    webhooks: WebhookHarness, receiver: Receiver
) -> None:
    await ordered(webhooks, receiver, "strict")
    made = await webhooks.happens_to(*[f"cus_{n % 7}" for n in range(100)])
    await webhooks.catch_up()
    async with webhooks.working() as worker:
        await until(lambda: _done(webhooks))
    assert positions(receiver) == made
    assert worker.metrics.turns < len(made), "what follows is sent without asking for each"


async def test_a_failed_delivery_blocks_only_its_customer(webhooks: WebhookHarness, receiver: Receiver) -> None:
    await ordered(webhooks, receiver, "customer")
    receiver.behave("/hook", Answer(status=500), Answer())
    [first, *_] = await webhooks.happens_to("cus_a", "cus_a", "cus_b", "cus_a", "cus_c")
    await webhooks.catch_up()
    async with webhooks.working():
        await until(lambda: _attempts(webhooks, 3))
        await webhooks.happens_to("cus_a", "cus_b")
        await webhooks.catch_up()
        await until(lambda: _attempts(webhooks, 4))
        assert positions(receiver, "cus_a") == [first]
        assert len(positions(receiver, "cus_b")) == 2
        await webhooks.hurry_due(first)
        await until(lambda: _done(webhooks))
    arrived = positions(receiver, "cus_a")
    assert arrived == [first, *sorted(set(arrived))]


async def test_a_failed_delivery_blocks_everything_where_order_is_strict(
    webhooks: WebhookHarness, receiver: Receiver
) -> None:
    await ordered(webhooks, receiver, "strict")
    receiver.behave("/hook", Answer(), Answer(status=500), Answer())
    made = await webhooks.happens_to("cus_a", "cus_b", "cus_c", "cus_d")
    await webhooks.catch_up()
    async with webhooks.working():
        await until(lambda: _attempts(webhooks, 2))
        assert positions(receiver) == made[:2]
        await webhooks.hurry_due(made[1])
        await until(lambda: _done(webhooks))
    assert positions(receiver) == [*made[:2], *made[1:]]


async def test_without_an_order_nothing_is_blocked(webhooks: WebhookHarness, receiver: Receiver) -> None:
    await ordered(webhooks, receiver, "none")
    receiver.behave("/hook", Answer(status=500), Answer())
    await webhooks.happens_to("cus_a", "cus_a", "cus_a")
    await webhooks.catch_up()
    async with webhooks.working():
        await until(lambda: _attempts(webhooks, 3))
    assert len(await webhooks.deliveries()) == 1


@pytest.mark.parametrize("on_exhaustion", ["skip", "hold"])
async def test_a_delivery_whose_attempts_are_used_up_is_skipped_or_blocks_its_customer(
    webhooks: WebhookHarness, receiver: Receiver, on_exhaustion: str
) -> None:
    id = await ordered(webhooks, receiver, "customer", on_exhaustion=on_exhaustion)
    receiver.behave("/hook", *[Drop()] * ATTEMPTS_MAX, Answer())
    first, second = await webhooks.happens_to("cus_a", "cus_a")
    await webhooks.catch_up()
    async with webhooks.working():
        for tries in range(1, ATTEMPTS_MAX + 1):
            await until(lambda n=tries: _attempts(webhooks, n))  # type: ignore[misc]
            await webhooks.hurry_due(first)
        if on_exhaustion == "skip":
            await webhooks.hurry_due(second)
            await until(lambda: _done(webhooks))
            assert positions(receiver)[-1] == second
            return
        await until(lambda: _held(webhooks))
        [other] = await webhooks.happens_to("cus_b")
        await webhooks.catch_up()
        await until(lambda: len(receiver.requests) == ATTEMPTS_MAX + 1)
        assert positions(receiver)[-1] == other, "others go on"
        assert await _held(webhooks) == [first]
        assert [row["outcome"] for row in await webhooks.attempts()][:ATTEMPTS_MAX] == ["retry"] * ATTEMPTS_MAX
        await webhooks.owner.fetch("SELECT webhooks.resend($1, $2)", id, first)
        webhooks.bell.poke()
        await until(lambda: _done(webhooks))
    assert positions(receiver)[-2:] == [first, second]


async def test_canceling_a_held_delivery_unblocks_the_next_one(webhooks: WebhookHarness, receiver: Receiver) -> None:
    id = await ordered(webhooks, receiver, "customer")
    receiver.behave("/hook", Answer(status=500), Answer())
    first, second = await webhooks.happens_to("cus_a", "cus_a")
    await webhooks.catch_up()
    async with webhooks.working():
        await until(lambda: _attempts(webhooks, 1))
        await webhooks.owner.fetch("SELECT webhooks.cancel($1, $2)", id, [first])
        webhooks.bell.poke()
        await until(lambda: _done(webhooks))
    assert positions(receiver) == [first, second]


async def test_resending_what_waits_for_another_sends_it_no_earlier(
    webhooks: WebhookHarness, receiver: Receiver
) -> None:
    id = await ordered(webhooks, receiver, "strict")
    first, second = await webhooks.happens_to("cus_a", "cus_b")
    await webhooks.catch_up()
    await webhooks.owner.fetch("SELECT webhooks.resend($1, $2)", id, second)
    async with webhooks.working():
        await until(lambda: _done(webhooks))
    assert positions(receiver) == [first, second]


async def test_an_order_applies_to_what_happens_from_then_on(webhooks: WebhookHarness, receiver: Receiver) -> None:
    id = await webhooks.endpoint(receiver.url("/hook"))
    [early] = await webhooks.happens_to("cus_a")
    await webhooks.rule(id, order="strict")
    late = await webhooks.happens_to("cus_a", "cus_b")
    await webhooks.rule(id, order="none")
    last = await webhooks.happens_to("cus_a")
    await webhooks.catch_up()
    rows = await webhooks.owner.fetch("SELECT sequence, key FROM webhooks.delivery ORDER BY 1")
    assert [tuple(row) for row in rows] == [(early, None), *((n, "") for n in late), (last[0], None)]
    async with webhooks.working():
        await until(lambda: _done(webhooks))


async def test_what_comes_through_the_queue_in_any_order_is_delivered_in_order(
    webhooks: WebhookHarness, receiver: Receiver
) -> None:
    await ordered(webhooks, receiver, "strict")
    made = await webhooks.happens_to("cus_a", "cus_b", "cus_c", "cus_d")
    fan_out = FanOut(webhooks.dsn)
    async with webhooks.working():
        await fan_out.fan_out(made[2:])
        assert await webhooks.catch_up(delay_s=60) == 0, "the first two may be in flight"
        await fan_out.fan_out([made[0]])
        assert await webhooks.catch_up(delay_s=60) == 1
        await until(lambda: len(receiver.requests) == 1)
        await fan_out.fan_out([made[1]])
        assert await webhooks.catch_up(delay_s=60) == 3
        await until(lambda: _done(webhooks))
    await fan_out.close()
    assert positions(receiver) == made


async def test_two_workers_keep_an_order_between_them(webhooks: WebhookHarness, receiver: Receiver) -> None:
    await ordered(webhooks, receiver, "customer")
    other = await webhooks.endpoint(receiver.url("/strict"))
    await webhooks.rule(other, order="strict")
    async with webhooks.working(), webhooks.working():
        made = []
        for _ in range(10):
            made += await webhooks.happens_to(*[f"cus_{n}" for n in range(6)])
            await webhooks.catch_up()
        await until(lambda: _done(webhooks))
    assert [position(sent) for sent in receiver.received("/strict")] == made
    for n in range(6):
        arrived = [position(sent) for sent in receiver.received("/hook") if customer(sent) == f"cus_{n}"]
        assert arrived == made[n::6]


async def test_a_run_whose_worker_is_killed_is_delivered_again_in_order(
    webhooks: WebhookHarness, receiver: Receiver
) -> None:
    await ordered(webhooks, receiver, "strict")
    made = await webhooks.happens_to("cus_a", "cus_b", "cus_c")
    await webhooks.catch_up()
    dead, alive = Lanes(webhooks.dsn, lease_s=0), Lanes(webhooks.dsn)
    handed = await dead.turn([], [], claims=1)
    assert [head.sequence for head in handed.heads] == made
    again = await alive.turn([], [], claims=1)
    assert [head.sequence for head in again.heads] == made
    await dead.close()
    await alive.close()


@pytest.mark.parametrize("replay", ["all", "latest", "skip"])
async def test_a_pause_ends_in_order(webhooks: WebhookHarness, receiver: Receiver, replay: str) -> None:
    id = await ordered(webhooks, receiver, "customer")
    before = await webhooks.happens_to("cus_a", "cus_b")
    await webhooks.catch_up()
    await webhooks.edit(id, disabled=True)
    missed = await webhooks.happens_to("cus_a", "cus_a", "cus_b")
    await webhooks.catch_up()
    await webhooks.resume(id, replay)  # type: ignore[arg-type]
    after = await webhooks.happens_to("cus_a", "cus_b")
    await webhooks.catch_up()
    async with webhooks.working():
        await webhooks.recover()
        later = await webhooks.happens_to("cus_a")
        await webhooks.catch_up()
        await until(lambda: _done(webhooks))
    a = {"all": [before[0], *missed[:2]], "latest": [missed[1]], "skip": []}[replay]
    b = {"all": [before[1], missed[2]], "latest": [missed[2]], "skip": []}[replay]
    assert positions(receiver, "cus_a") == [*a, after[0], *later]
    assert positions(receiver, "cus_b") == [*b, after[1]]


async def test_a_second_pause_amid_catching_up_loses_nothing(webhooks: WebhookHarness, receiver: Receiver) -> None:
    id = await ordered(webhooks, receiver, "strict")
    await webhooks.edit(id, disabled=True)
    missed = await webhooks.happens_to(*["cus_a"] * 6)
    await webhooks.catch_up()
    await webhooks.resume(id)
    fan_out = FanOut(webhooks.dsn)
    step = await fan_out.recover(2, 2000)
    assert (step.done, step.more) == (2, True)
    between = await webhooks.happens_to("cus_a")
    await webhooks.catch_up()
    await webhooks.edit(id, disabled=True)
    missed_again = await webhooks.happens_to("cus_b")
    await webhooks.catch_up()
    await webhooks.resume(id)
    async with webhooks.working():
        await webhooks.recover()
        after = await webhooks.happens_to("cus_c")
        await webhooks.catch_up()
        await until(lambda: _done(webhooks))
    await fan_out.close()
    assert positions(receiver) == [*missed, *between, *missed_again, *after]


async def test_catching_up_goes_by_steps_while_things_happen(webhooks: WebhookHarness, receiver: Receiver) -> None:
    id = await ordered(webhooks, receiver, "strict")
    await webhooks.edit(id, disabled=True)
    made = await webhooks.happens_to(*["cus_a"] * 10)
    await webhooks.catch_up()
    await webhooks.resume(id)
    fan_out = FanOut(webhooks.dsn)
    async with webhooks.working():
        while (await fan_out.recover(3, 4)).more:
            if len(made) < 20:
                made += await webhooks.happens_to("cus_b")
                await webhooks.catch_up()
        made += await webhooks.happens_to("cus_c")
        await webhooks.catch_up()
        await until(lambda: _done(webhooks))
    await fan_out.close()
    assert positions(receiver) == made


async def test_what_is_recovered_comes_in_its_own_order_beside_what_happens(
    webhooks: WebhookHarness, receiver: Receiver
) -> None:
    missed = await webhooks.happens_to("cus_a", "cus_a", "cus_a")
    await webhooks.catch_up()
    id = await ordered(webhooks, receiver, "customer")
    await webhooks.ask(id, RecoverEndpoint(id=id, position=0, since=None))
    await webhooks.recover()
    [live] = await webhooks.happens_to("cus_a")
    await webhooks.catch_up()
    async with webhooks.working():
        await until(lambda: _done(webhooks))
    arrived = positions(receiver)
    assert sorted(arrived) == [*missed, live]
    assert [n for n in arrived if n != live] == missed


async def test_an_endpoint_put_right_gets_what_was_held(webhooks: WebhookHarness, receiver: Receiver) -> None:
    id = await ordered(webhooks, receiver, "strict", on_exhaustion="hold")
    receiver.behave("/hook", Answer(status=410))
    made = await webhooks.happens_to("cus_a", "cus_b")
    await webhooks.catch_up()
    async with webhooks.working():
        await until(lambda: _held(webhooks))
        assert await _held(webhooks) == made[:1]
        await webhooks.edit(id, url=receiver.url("/new"))
        webhooks.bell.poke()
        await until(lambda: _done(webhooks))
    assert [position(sent) for sent in receiver.received("/new")] == made


async def test_a_deleted_endpoint_leaves_nothing_that_waits(webhooks: WebhookHarness, receiver: Receiver) -> None:
    id = await ordered(webhooks, receiver, "strict")
    await webhooks.happens_to("cus_a", "cus_b")
    await webhooks.catch_up()
    await webhooks.ask(id, DeleteEndpoint(id=id))
    fan_out = FanOut(webhooks.dsn)
    assert await fan_out.sweep(1000) == 2
    await fan_out.close()
    assert await webhooks.owner.fetchval("SELECT count(*) FROM webhooks.lane WHERE endpoint_id = $1", id) == 0


async def test_old_notices_that_are_no_longer_kept_let_those_after_them_go(
    webhooks: WebhookHarness, receiver: Receiver
) -> None:
    await ordered(webhooks, receiver, "strict")
    made = await webhooks.happens_to("cus_a", "cus_b")
    await webhooks.catch_up()
    await webhooks.owner.execute("SELECT events.make_day('projections.notice', current_date - 40)")
    await webhooks.owner.execute(
        "UPDATE projections.notice SET appended_at = now() - interval '40 days' WHERE sequence = $1", made[0]
    )
    fan_out = FanOut(webhooks.dsn)
    assert await fan_out.sweep(1000) == 1
    await fan_out.close()
    async with webhooks.working():
        await until(lambda: _done(webhooks))
    assert positions(receiver) == made[1:]


async def test_no_ordered_endpoint_leaves_the_second_step_nothing_to_do(webhooks: WebhookHarness) -> None:
    await webhooks.endpoint()
    await webhooks.happens_to("cus_a")
    await webhooks.catch_up()
    watermark = await webhooks.owner.fetchrow("SELECT * FROM webhooks.watermark")
    assert watermark["in_order"] == watermark["sequence"] > 0
    assert watermark["in_order_at"] == watermark["appended_at"]
