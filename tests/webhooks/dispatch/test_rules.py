"""What an endpoint's owner rules of what is sent to it: how fast, how much at once, how much of it."""

from functools import partial

import orjson

from tests.servers.receiver import Answer, Hang, Receiver
from tests.waiting import until
from tests.webhooks.harness import Floor
from webhooks.post import signature


async def _done(house: Floor) -> bool:
    return not await house.deliveries()


async def test_no_more_attempts_begin_in_a_second_than_the_owner_wants(house: Floor, receiver: Receiver) -> None:
    id = await house.endpoint(receiver.url("/hook"))
    await house.rule(id, rate_limit=50)
    await house.notices(40)
    await house.catch_up()
    async with house.working(), house.working():
        await until(partial(_done, house))
    began = sorted(int(sent.at * 1000) for sent in receiver.requests)
    assert len(began) == 40
    assert began[-1] - began[0] >= 39 * 20 - 20, "evenly spaced, 20 ms apart"


async def test_the_pace_is_kept_from_one_worker_to_the_next(house: Floor, receiver: Receiver) -> None:
    id = await house.endpoint(receiver.url("/hook"))
    await house.rule(id, rate_limit=1)
    await house.notices()
    await house.catch_up()
    async with house.working():
        await until(partial(_done, house))
    lane = await house.lane(id)
    [attempt] = await house.attempts()
    assert 0 < (lane["paced_until"] - attempt["at"]).total_seconds() <= 1
    await house.notices()
    await house.catch_up()
    assert (await house.lane(id))["ready_at"] == lane["paced_until"], "nobody leases it before"


async def test_no_more_are_on_their_way_than_the_owner_wants(house: Floor, receiver: Receiver) -> None:
    id = await house.endpoint(receiver.url("/hook"))
    await house.rule(id, in_flight_max=2)
    receiver.behave("/hook", Hang())
    await house.notices(10)
    await house.catch_up()
    async with house.working(drain_s=0) as worker:
        await receiver.wait_for(2)
        turns = worker.metrics.turns
        house.bell.poke()
        await until(lambda: worker.metrics.turns > turns + 1)
        assert worker.metrics.in_flight == len(receiver.requests) == 2


async def test_a_host_has_its_share_of_the_places(house: Floor, receiver: Receiver) -> None:
    for n in range(4):
        await house.endpoint(receiver.url(f"/{n}"))
        receiver.behave(f"/{n}", Hang())
    await house.notices(4)
    await house.catch_up()
    async with house.working(host_max=10, drain_s=0) as worker:  # of which half are for endpoints that answer
        await receiver.wait_for(5)
        turns = worker.metrics.turns
        house.bell.poke()
        await until(lambda: worker.metrics.turns > turns + 1)
        assert worker.metrics.in_flight == len(receiver.requests) == 5


async def test_a_thin_notice_says_what_happened_to_whom_and_where_to_read_on(house: Floor, receiver: Receiver) -> None:
    id = await house.endpoint(receiver.url("/hook"))
    await house.rule(id, payload="thin")
    [sequence] = await house.happens_to("cus_a")
    await house.catch_up()
    async with house.working():
        [sent] = await receiver.wait_for(1)
        await until(partial(_done, house))
    [row] = await house.owner.fetch("SELECT id, created, version FROM projections.notice WHERE sequence = $1", sequence)
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
    signature.verify(sent.body, sent.headers["Stripe-Signature"], await house.secret(id), now=now)


async def test_a_notice_too_large_is_sent_thin_whatever_the_rules(house: Floor, receiver: Receiver) -> None:
    id = await house.endpoint(receiver.url("/hook"))
    [small] = await house.notices(object_id="cus_small")
    [large] = await house.notices(object_id="x" * (256 * 1024))
    await house.catch_up()
    async with house.working():
        await receiver.wait_for(2)
        await until(partial(_done, house))
    by_position = {int(sent.headers["Rollbook-Position"]): orjson.loads(sent.body) for sent in receiver.requests}
    assert by_position[small]["object"] == "event"
    assert by_position[large]["object"] == "rollbook.thin_event"
    assert id


async def test_rules_are_followed_as_soon_as_they_are_set(house: Floor, receiver: Receiver) -> None:
    id = await house.endpoint(receiver.url("/hook"))
    receiver.behave("/hook", Answer(status=500), Answer())
    await house.happens_to("cus_a")
    await house.catch_up()
    async with house.working():
        await receiver.wait_for(1)
        await house.rule(id, payload="thin")
        await house.hurry()
        await until(partial(_done, house))
    assert [orjson.loads(sent.body)["object"] for sent in receiver.requests] == ["event", "rollbook.thin_event"]
