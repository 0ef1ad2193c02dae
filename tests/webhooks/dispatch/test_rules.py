"""What an endpoint's owner rules of what is sent to it: how fast, how much at once, how much of it."""

from functools import partial

import orjson

from tests.servers.receiver import Answer, Hang, Receiver
from tests.waiting import until
from tests.webhooks.harness import WebhookHarness
from webhooks.post import signature


async def _done(webhooks: WebhookHarness) -> bool:
    return not await webhooks.deliveries()


async def test_no_more_attempts_begin_in_a_second_than_the_owner_wants(
    webhooks: WebhookHarness, receiver: Receiver
) -> None:
    id = await webhooks.endpoint(receiver.url("/hook"))
    await webhooks.rule(id, rate_limit=50)
    await webhooks.notices(40)
    await webhooks.catch_up()
    async with webhooks.working(), webhooks.working():
        await until(partial(_done, webhooks))
    began = sorted(int(sent.at * 1000) for sent in receiver.requests)
    assert len(began) == 40
    assert began[-1] - began[0] >= 39 * 20 - 20, "evenly spaced, 20 ms apart"


async def test_the_pace_is_kept_from_one_worker_to_the_next(webhooks: WebhookHarness, receiver: Receiver) -> None:
    id = await webhooks.endpoint(receiver.url("/hook"))
    await webhooks.rule(id, rate_limit=1)
    await webhooks.notices()
    await webhooks.catch_up()
    async with webhooks.working():
        await until(partial(_done, webhooks))
    lane = await webhooks.lane(id)
    [attempt] = await webhooks.attempts()
    assert 0 < (lane["paced_until"] - attempt["at"]).total_seconds() <= 1
    await webhooks.notices()
    await webhooks.catch_up()
    assert (await webhooks.lane(id))["ready_at"] == lane["paced_until"], "nobody leases it before"


async def test_no_more_are_on_their_way_than_the_owner_wants(webhooks: WebhookHarness, receiver: Receiver) -> None:
    id = await webhooks.endpoint(receiver.url("/hook"))
    await webhooks.rule(id, in_flight_max=2)
    receiver.behave("/hook", Hang())
    await webhooks.notices(10)
    await webhooks.catch_up()
    async with webhooks.working(drain_s=0) as worker:
        await receiver.wait_for(2)
        turns = worker.metrics.turns
        webhooks.bell.poke()
        await until(lambda: worker.metrics.turns > turns + 1)
        assert worker.metrics.in_flight == len(receiver.requests) == 2


async def test_a_host_has_its_share_of_the_slots(webhooks: WebhookHarness, receiver: Receiver) -> None:
    for n in range(4):
        await webhooks.endpoint(receiver.url(f"/{n}"))
        receiver.behave(f"/{n}", Hang())
    await webhooks.notices(4)
    await webhooks.catch_up()
    async with webhooks.working(host_max=10, drain_s=0) as worker:  # of which half are for endpoints that answer
        await receiver.wait_for(5)
        turns = worker.metrics.turns
        webhooks.bell.poke()
        await until(lambda: worker.metrics.turns > turns + 1)
        assert worker.metrics.in_flight == len(receiver.requests) == 5


async def test_a_thin_notice_says_what_happened_to_whom_and_where_to_read_on(
    webhooks: WebhookHarness, receiver: Receiver
) -> None:
    id = await webhooks.endpoint(receiver.url("/hook"))
    await webhooks.rule(id, payload="thin")
    [sequence] = await webhooks.happens_to("cus_a")
    await webhooks.catch_up()
    async with webhooks.working():
        [sent] = await receiver.wait_for(1)
        await until(partial(_done, webhooks))
    [row] = await webhooks.owner.fetch(
        "SELECT id, created, version FROM projections.notice WHERE sequence = $1", sequence
    )
    assert orjson.loads(sent.body) == {
        "id": row["id"],
        "object": "rollbook.thin_event",
        "created": row["created"],
        "customer": "cus_a",
        "link": f"/v1/events/{row['id']}",
        "livemode": False,
        "position": sequence,
        "type": "customer.updated",
        "version": row["version"],
    }
    assert sent.headers["webhook-id"] == row["id"]
    now = int(sent.headers["webhook-timestamp"])
    signature.verify(sent.body, sent.headers["Stripe-Signature"], await webhooks.secret(id), now=now)


async def test_a_notice_too_large_is_sent_thin_whatever_the_rules(webhooks: WebhookHarness, receiver: Receiver) -> None:
    id = await webhooks.endpoint(receiver.url("/hook"))
    [small] = await webhooks.notices(object_id="cus_small")
    [large] = await webhooks.notices(object_id="x" * (256 * 1024))
    await webhooks.catch_up()
    async with webhooks.working():
        await receiver.wait_for(2)
        await until(partial(_done, webhooks))
    by_position = {int(sent.headers["Rollbook-Position"]): orjson.loads(sent.body) for sent in receiver.requests}
    assert by_position[small]["object"] == "event"
    assert by_position[large]["object"] == "rollbook.thin_event"
    assert id


async def test_rules_are_followed_as_soon_as_they_are_set(webhooks: WebhookHarness, receiver: Receiver) -> None:
    id = await webhooks.endpoint(receiver.url("/hook"))
    receiver.behave("/hook", Answer(status=500), Answer())
    await webhooks.happens_to("cus_a")
    await webhooks.catch_up()
    async with webhooks.working():
        await receiver.wait_for(1)
        await webhooks.rule(id, payload="thin")
        await webhooks.hurry()
        await until(partial(_done, webhooks))
    assert [orjson.loads(sent.body)["object"] for sent in receiver.requests] == ["event", "rollbook.thin_event"]
