"""Workers: what they send, to whom, how often, and what they leave behind."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from functools import partial

import orjson

from events import trace
from tests.servers.receiver import Answer, Drop, Hang, Received, Receiver
from tests.waiting import until
from tests.webhooks.harness import Floor
from webhooks.post import signature
from webhooks.queue.retry import ATTEMPTS_MAX


async def test_a_notice_is_delivered_signed_and_gone(house: Floor, receiver: Receiver) -> None:
    id = await house.endpoint(receiver.url("/hook"))
    [sequence] = await house.notices()
    await house.catch_up()
    async with house.working():
        [sent] = await receiver.wait_for(1, "/hook")
        await until(lambda: _all_done(house))
    told = orjson.loads(sent.body)
    signature.verify(
        sent.body,
        sent.headers["Stripe-Signature"],
        await house.secret(id),
        now=int(sent.headers["webhook-timestamp"]),
    )
    assert sent.headers["webhook-id"] == told["id"]
    assert told["pending_webhooks"] == 1
    [attempt] = await house.attempts()
    assert (attempt["sequence"], attempt["endpoint_id"], attempt["attempt"]) == (sequence, id, 1)
    assert (attempt["outcome"], attempt["status"], attempt["next_at"]) == ("delivered", 200, None)
    assert (await house.lane(id))["lease"] is None


async def test_a_failure_is_tried_again_when_its_time_has_come(house: Floor, receiver: Receiver) -> None:
    await house.endpoint(receiver.url("/hook"))
    receiver.behave("/hook", Answer(status=500, body=b"not today"), Answer())
    await house.notices()
    await house.catch_up()
    async with house.working():
        await until(lambda: _attempts(house, 1))
        assert len(receiver.requests) == 1
        await house.hurry()
        await until(lambda: _all_done(house))
    first, second = await house.attempts()
    assert (first["outcome"], first["status"], first["excerpt"]) == ("retry", 500, b"not today")
    assert 5 <= (first["next_at"] - first["at"]).total_seconds() <= 6
    assert (second["outcome"], second["attempt"]) == ("delivered", 2)
    one, other = receiver.requests
    assert one.body == other.body, "the same notice"
    assert one.headers["webhook-id"] == other.headers["webhook-id"]
    told = await house.owner.fetchval("SELECT traceparent FROM projections.notice")
    spans = {told, one.headers["traceparent"], other.headers["traceparent"]}
    assert len(spans) == 3, "each attempt is a span of its own"
    assert {trace.id_of(span) for span in spans} == {trace.id_of(told)}, "of the notice's trace"


async def test_a_notice_of_before_there_were_traces_is_sent_without(house: Floor, receiver: Receiver) -> None:
    await house.endpoint(receiver.url("/hook"))
    await house.notices()
    await house.owner.execute("UPDATE projections.notice SET traceparent = NULL")
    await house.catch_up()
    async with house.working():
        [sent] = await receiver.wait_for(1)
        await until(lambda: _all_done(house))
    assert "traceparent" not in sent.headers


async def test_after_its_last_try_a_delivery_is_given_up(house: Floor, receiver: Receiver) -> None:
    await house.endpoint(receiver.url("/hook"))
    receiver.behave("/hook", Drop())
    await house.notices()
    await house.catch_up()
    async with house.working():
        for tries in range(1, ATTEMPTS_MAX + 1):
            await until(partial(_attempts, house, tries))
            await house.hurry()
        await until(lambda: _all_done(house))
    attempts = await house.attempts()
    assert [row["attempt"] for row in attempts] == list(range(1, ATTEMPTS_MAX + 1))
    assert [row["outcome"] for row in attempts] == ["retry"] * (ATTEMPTS_MAX - 1) + ["gave_up"]
    assert {row["fault"] for row in attempts} == {"reset"}


async def test_a_receiver_that_asks_for_it_is_left_alone_until_then(house: Floor, receiver: Receiver) -> None:
    id = await house.endpoint(receiver.url("/hook"))
    receiver.behave("/hook", Answer(status=503, headers={"Retry-After": "900"}), Answer())
    await house.notices()
    await house.catch_up()
    async with house.working() as worker:
        await until(lambda: _attempts(house, 1))
        await house.notices(5)
        await house.catch_up()
        turns = worker.metrics.turns
        house.bell.poke()
        await until(lambda: worker.metrics.turns > turns + 1)
        assert len(receiver.requests) == 1
        [attempt], state = await house.attempts(), await house.lane(id)
        assert 899 <= (attempt["next_at"] - attempt["at"]).total_seconds() <= 901
        assert state["ready_at"] == state["quiet_until"]
        await house.hurry()
        await until(lambda: _all_done(house))
    assert len(receiver.requests) == 7


async def test_a_receiver_that_is_gone_hears_no_more_until_its_url_is_another(house: Floor, receiver: Receiver) -> None:
    id = await house.endpoint(receiver.url("/gone"))
    receiver.behave("/gone", Answer(status=410))
    [first] = await house.notices()
    await house.catch_up()
    async with house.working() as worker:
        await until(lambda: _attempts(house, 1))
        await until(lambda: _is_gone(house, id))
        await house.notices(2)
        await house.catch_up()
        await house.edit(id, description="edited, yet gone")
        turns = worker.metrics.turns
        house.bell.poke()
        await until(lambda: worker.metrics.turns > turns + 1)
        assert len(receiver.requests) == 1
        [attempt] = await house.attempts()
        assert (attempt["sequence"], attempt["outcome"], attempt["status"]) == (first, "gave_up", 410)
        await house.edit(id, url=receiver.url("/new"))
        await receiver.wait_for(2, "/new")


async def test_two_workers_share_the_lanes_and_send_everything_once(house: Floor, receiver: Receiver) -> None:
    for n in range(5):
        await house.endpoint(receiver.url(f"/{n}"))
    await house.notices(100)
    async with house.working() as one, house.working() as other:
        await house.catch_up()
        await until(lambda: _all_done(house))
    assert one.metrics.outcomes["delivered"] + other.metrics.outcomes["delivered"] == 500
    assert set(Counter(_names(receiver.requests)).values()) == {1}
    assert len(await house.attempts()) == 500


async def test_an_endpoint_that_never_answers_keeps_no_other_waiting(house: Floor, receiver: Receiver) -> None:
    dead = await house.endpoint(receiver.url("/dead"))
    receiver.behave("/dead", Hang())
    for n in range(9):
        await house.endpoint(receiver.url(f"/{n}"))
    await house.notices(20)
    await house.catch_up()
    async with house.working(in_flight_max=16, drain_s=0):
        await receiver.wait_for(1, "/dead")
        await until(lambda: _left_to(house, {dead}))
        assert len(receiver.received("/dead")) == 4, "what a new lane may have on its way"


async def test_a_dead_endpoint_gets_a_probe_a_period_once_its_breaker_is_open(house: Floor, receiver: Receiver) -> None:
    id = await house.endpoint(receiver.url("/dead"))
    receiver.behave("/dead", Hang())
    await house.notices(30)
    await house.catch_up()
    async with house.working(total_timeout_s=0.4):
        await until(lambda: _is_open(house, id))
        sent = len(receiver.requests)
        assert sent < 10
        await house.hurry()
        await receiver.wait_for(sent + 1)
        await until(lambda: _is_open(house, id))
        receiver.behave("/dead", Answer())
        await house.hurry()
        await until(lambda: _all_done(house))


async def test_a_disabled_endpoint_gets_nothing_until_it_is_enabled_again(house: Floor, receiver: Receiver) -> None:
    id, other = await house.endpoint(receiver.url("/a")), await house.endpoint(receiver.url("/b"))
    await house.notices(3)
    await house.edit(id, disabled=True)
    await house.catch_up()
    async with house.working():
        await until(lambda: _left_to(house, {id}))
        assert receiver.received("/a") == []
        await house.edit(id, disabled=False)
        house.bell.poke()
        await receiver.wait_for(3, "/a")
        await until(lambda: _all_done(house))
    assert {row["endpoint_id"] for row in await house.attempts()} == {id, other}


async def test_a_deleted_endpoint_gets_nothing_more(house: Floor, receiver: Receiver) -> None:
    id = await house.endpoint(receiver.url("/a"))
    receiver.behave("/a", Answer(status=500))
    await house.notices()
    await house.catch_up()
    async with house.working() as worker:
        await until(lambda: _attempts(house, 1))
        await house.delete(id)
        await house.hurry()
        turns = worker.metrics.turns
        house.bell.poke()
        await until(lambda: worker.metrics.turns > turns + 1)
    assert len(receiver.requests) == 1


async def test_an_edited_url_is_called_at_the_next_attempt(house: Floor, receiver: Receiver) -> None:
    id = await house.endpoint(receiver.url("/old"))
    receiver.behave("/old", Answer(status=503))
    await house.notices()
    await house.catch_up()
    async with house.working():
        await until(lambda: _attempts(house, 1))
        await house.edit(id, url=receiver.url("/new"))
        await house.hurry()
        await receiver.wait_for(1, "/new")
    assert len(receiver.received("/old")) == 1


async def test_what_a_killed_worker_was_sending_is_sent_again_under_the_same_id(
    house: Floor, receiver: Receiver
) -> None:
    await house.endpoint(receiver.url("/hook"))
    receiver.behave("/hook", Hang())
    await house.notices(3)
    await house.catch_up()
    killed = asyncio.create_task(house.worker(lease_s=0.3).run(asyncio.Event()))
    await receiver.wait_for(3)
    killed.cancel()
    await asyncio.gather(killed, return_exceptions=True)
    assert len(await house.deliveries()) == 3
    receiver.behave("/hook", Answer())
    async with house.working():
        await until(lambda: _all_done(house))
    assert set(Counter(_names(receiver.requests)).values()) == {2}
    assert [row["attempt"] for row in await house.attempts()] == [1, 1, 1], "what was not recorded did not count"


async def test_a_stopping_worker_finishes_what_it_began_and_begins_nothing(house: Floor, receiver: Receiver) -> None:
    id = await house.endpoint(receiver.url("/slow"))
    receiver.behave("/slow", Answer(delay_s=0.3))
    await house.notices(20)
    await house.catch_up()
    stop = asyncio.Event()
    working = asyncio.create_task(house.worker().run(stop))
    await receiver.wait_for(4)
    stop.set()
    await working
    assert len(await house.attempts()) == len(receiver.requests) == 4
    assert len(await house.deliveries()) == 16
    lane = await house.lane(id)
    assert lane["lease"] is None
    assert lane["ready_at"] < lane["ready_at"].now(lane["ready_at"].tzinfo), "the next worker may go on at once"


async def test_a_worker_that_may_wait_no_longer_lets_its_lanes_go(house: Floor, receiver: Receiver) -> None:
    id = await house.endpoint(receiver.url("/never"))
    receiver.behave("/never", Hang())
    await house.notices()
    await house.catch_up()
    async with house.working(drain_s=0):
        await receiver.wait_for(1)
    assert (await house.lane(id))["lease"] is None
    assert len(await house.deliveries()) == 1


async def test_losing_postgres_loses_nothing(house: Floor, receiver: Receiver) -> None:
    await house.endpoint(receiver.url("/hook"))
    receiver.behave("/hook", Answer(delay_s=0.02))
    await house.notices(200)
    await house.catch_up()
    async with house.working():
        for count in (20, 60, 120):
            await receiver.wait_for(count)
            await house.owner.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = 'rollbook worker' AND datname = current_database()"
            )
        await until(lambda: _all_done(house))
    names = Counter(_names(receiver.requests))
    assert len(names) == 200
    assert len(await house.attempts()) == 200


async def test_slow_receivers_of_one_account_do_not_delay_the_webhooks_of_another(
    house: Floor, receiver: Receiver
) -> None:
    for n in range(16):
        await house.endpoint(receiver.url(f"/slow/{n}"), account="acct_hostile")
        receiver.behave(f"/slow/{n}", Hang())
    await house.endpoint(receiver.url("/quick"), account="acct_good")
    # As it is once each has answered quickly for a while.
    await house.owner.execute(
        "UPDATE webhooks.lane SET concurrency = 32, window_attempts = 20, window_started_at = clock_timestamp()"
    )
    await house.notices(8, account="acct_hostile")
    await house.catch_up()
    async with house.working(in_flight_max=64, host_max=512, drain_s=0.1) as worker:
        await until(lambda: worker.metrics.in_flight == 56)
        for count in range(1, 4):
            await house.notices(account="acct_good")
            await house.catch_up()
            await receiver.wait_for(count, "/quick", timeout_s=5)
        assert worker.metrics.in_flight == 56, "none of the hostile account's attempts has ended"


def _names(requests: Iterable[Received]) -> Iterable[tuple[str, str]]:
    return ((request.path, request.headers["webhook-id"]) for request in requests)


async def _all_done(house: Floor) -> bool:
    return not await house.deliveries()


async def _left_to(house: Floor, endpoints: set[str]) -> bool:
    return {endpoint for _, endpoint in await house.deliveries()} == endpoints


async def _attempts(house: Floor, count: int) -> bool:
    return len(await house.attempts()) == count


async def _is_gone(house: Floor, id: str) -> bool:
    state = await house.lane(id)
    return bool(state["gone"] and state["lease"] is None)


async def _is_open(house: Floor, id: str) -> bool:
    ask = "SELECT lease IS NULL AND open_until > now() FROM webhooks.lane WHERE endpoint_id = $1"
    return bool(await house.owner.fetchval(ask, id))
