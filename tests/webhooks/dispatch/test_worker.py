"""Workers: what they send, to whom, how often, and what they leave behind."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from functools import partial

import orjson

from events import trace
from tests.servers.receiver import Answer, Drop, Hang, Received, Receiver
from tests.waiting import until
from tests.webhooks.harness import WebhookHarness
from webhooks.post import signature
from webhooks.queue.retry import ATTEMPTS_MAX


async def test_a_notice_is_delivered_signed_and_gone(webhooks: WebhookHarness, receiver: Receiver) -> None:
    id = await webhooks.endpoint(receiver.url("/hook"))
    [sequence] = await webhooks.notices()
    await webhooks.catch_up()
    async with webhooks.working():
        [sent] = await receiver.wait_for(1, "/hook")
        await until(lambda: _all_done(webhooks))
    event = orjson.loads(sent.body)
    signature.verify(
        sent.body,
        sent.headers["Stripe-Signature"],
        await webhooks.secret(id),
        now=int(sent.headers["webhook-timestamp"]),
    )
    assert sent.headers["webhook-id"] == event["id"]
    assert event["pending_webhooks"] == 1
    [attempt] = await webhooks.attempts()
    assert (attempt["sequence"], attempt["endpoint_id"], attempt["attempt"]) == (sequence, id, 1)
    assert (attempt["outcome"], attempt["status"], attempt["next_at"]) == ("delivered", 200, None)
    assert (await webhooks.lane(id))["lease"] is None


async def test_a_failure_is_tried_again_when_its_time_has_come(webhooks: WebhookHarness, receiver: Receiver) -> None:
    await webhooks.endpoint(receiver.url("/hook"))
    receiver.behave("/hook", Answer(status=500, body=b"not today"), Answer())
    await webhooks.notices()
    await webhooks.catch_up()
    async with webhooks.working():
        await until(lambda: _attempts(webhooks, 1))
        assert len(receiver.requests) == 1
        await webhooks.hurry()
        await until(lambda: _all_done(webhooks))
    first, second = await webhooks.attempts()
    assert (first["outcome"], first["status"], first["excerpt"]) == ("retry", 500, b"not today")
    assert 5 <= (first["next_at"] - first["at"]).total_seconds() <= 6
    assert (second["outcome"], second["attempt"]) == ("delivered", 2)
    one, other = receiver.requests
    assert one.body == other.body, "the same notice"
    assert one.headers["webhook-id"] == other.headers["webhook-id"]
    published = await webhooks.owner.fetchval("SELECT traceparent FROM projections.notice")
    spans = {published, one.headers["traceparent"], other.headers["traceparent"]}
    assert len(spans) == 3, "each attempt is a span of its own"
    assert {trace.id_of(span) for span in spans} == {trace.id_of(published)}, "of the notice's trace"


async def test_a_notice_of_before_there_were_traces_is_sent_without(
    webhooks: WebhookHarness, receiver: Receiver
) -> None:
    await webhooks.endpoint(receiver.url("/hook"))
    await webhooks.notices()
    await webhooks.owner.execute("UPDATE projections.notice SET traceparent = NULL")
    await webhooks.catch_up()
    async with webhooks.working():
        [sent] = await receiver.wait_for(1)
        await until(lambda: _all_done(webhooks))
    assert "traceparent" not in sent.headers


async def test_after_its_last_try_a_delivery_is_given_up(webhooks: WebhookHarness, receiver: Receiver) -> None:
    await webhooks.endpoint(receiver.url("/hook"))
    receiver.behave("/hook", Drop())
    await webhooks.notices()
    await webhooks.catch_up()
    async with webhooks.working():
        for tries in range(1, ATTEMPTS_MAX + 1):
            await until(partial(_attempts, webhooks, tries))
            await webhooks.hurry()
        await until(lambda: _all_done(webhooks))
    attempts = await webhooks.attempts()
    assert [row["attempt"] for row in attempts] == list(range(1, ATTEMPTS_MAX + 1))
    assert [row["outcome"] for row in attempts] == ["retry"] * (ATTEMPTS_MAX - 1) + ["gave_up"]
    assert {row["fault"] for row in attempts} == {"reset"}


async def test_a_receiver_that_asks_for_it_is_left_alone_until_then(
    webhooks: WebhookHarness, receiver: Receiver
) -> None:
    id = await webhooks.endpoint(receiver.url("/hook"))
    receiver.behave("/hook", Answer(status=503, headers={"Retry-After": "900"}), Answer())
    await webhooks.notices()
    await webhooks.catch_up()
    async with webhooks.working() as worker:
        await until(lambda: _attempts(webhooks, 1))
        await webhooks.notices(5)
        await webhooks.catch_up()
        turns = worker.metrics.turns
        webhooks.bell.poke()
        await until(lambda: worker.metrics.turns > turns + 1)
        assert len(receiver.requests) == 1
        [attempt], state = await webhooks.attempts(), await webhooks.lane(id)
        assert 899 <= (attempt["next_at"] - attempt["at"]).total_seconds() <= 901
        assert state["ready_at"] == state["quiet_until"]
        await webhooks.hurry()
        await until(lambda: _all_done(webhooks))
    assert len(receiver.requests) == 7


async def test_a_receiver_that_is_gone_hears_no_more_until_its_url_is_another(
    webhooks: WebhookHarness, receiver: Receiver
) -> None:
    id = await webhooks.endpoint(receiver.url("/gone"))
    receiver.behave("/gone", Answer(status=410))
    [first] = await webhooks.notices()
    await webhooks.catch_up()
    async with webhooks.working() as worker:
        await until(lambda: _attempts(webhooks, 1))
        await until(lambda: _is_gone(webhooks, id))
        await webhooks.notices(2)
        await webhooks.catch_up()
        await webhooks.edit(id, description="edited, yet gone")
        turns = worker.metrics.turns
        webhooks.bell.poke()
        await until(lambda: worker.metrics.turns > turns + 1)
        assert len(receiver.requests) == 1
        [attempt] = await webhooks.attempts()
        assert (attempt["sequence"], attempt["outcome"], attempt["status"]) == (first, "gave_up", 410)
        await webhooks.edit(id, url=receiver.url("/new"))
        await receiver.wait_for(2, "/new")


async def test_two_workers_share_the_lanes_and_send_everything_once(
    webhooks: WebhookHarness, receiver: Receiver
) -> None:
    for n in range(5):
        await webhooks.endpoint(receiver.url(f"/{n}"))
    await webhooks.notices(100)
    async with webhooks.working() as one, webhooks.working() as other:
        await webhooks.catch_up()
        await until(lambda: _all_done(webhooks))
    assert one.metrics.outcomes["delivered"] + other.metrics.outcomes["delivered"] == 500
    assert set(Counter(_names(receiver.requests)).values()) == {1}
    assert len(await webhooks.attempts()) == 500


async def test_an_endpoint_that_never_answers_keeps_no_other_waiting(
    webhooks: WebhookHarness, receiver: Receiver
) -> None:
    dead = await webhooks.endpoint(receiver.url("/dead"))
    receiver.behave("/dead", Hang())
    for n in range(9):
        await webhooks.endpoint(receiver.url(f"/{n}"))
    await webhooks.notices(20)
    await webhooks.catch_up()
    async with webhooks.working(in_flight_max=16, drain_s=0):
        await receiver.wait_for(1, "/dead")
        await until(lambda: _left_to(webhooks, {dead}))
        assert len(receiver.received("/dead")) == 4, "what a new lane may have in flight"


async def test_a_dead_endpoint_gets_a_probe_a_period_once_its_breaker_is_open(
    webhooks: WebhookHarness, receiver: Receiver
) -> None:
    id = await webhooks.endpoint(receiver.url("/dead"))
    receiver.behave("/dead", Hang())
    await webhooks.notices(30)
    await webhooks.catch_up()
    async with webhooks.working(total_timeout_s=0.4):
        await until(lambda: _is_open(webhooks, id))
        sent = len(receiver.requests)
        assert sent < 10
        await webhooks.hurry()
        await receiver.wait_for(sent + 1)
        await until(lambda: _is_open(webhooks, id))
        receiver.behave("/dead", Answer())
        await webhooks.hurry()
        await until(lambda: _all_done(webhooks))


async def test_a_disabled_endpoint_gets_nothing_until_it_is_enabled_again(
    webhooks: WebhookHarness, receiver: Receiver
) -> None:
    id, other = await webhooks.endpoint(receiver.url("/a")), await webhooks.endpoint(receiver.url("/b"))
    await webhooks.notices(3)
    await webhooks.edit(id, disabled=True)
    await webhooks.catch_up()
    async with webhooks.working():
        await until(lambda: _left_to(webhooks, {id}))
        assert receiver.received("/a") == []
        await webhooks.edit(id, disabled=False)
        webhooks.bell.poke()
        await receiver.wait_for(3, "/a")
        await until(lambda: _all_done(webhooks))
    assert {row["endpoint_id"] for row in await webhooks.attempts()} == {id, other}


async def test_a_deleted_endpoint_gets_nothing_more(webhooks: WebhookHarness, receiver: Receiver) -> None:
    id = await webhooks.endpoint(receiver.url("/a"))
    receiver.behave("/a", Answer(status=500))
    await webhooks.notices()
    await webhooks.catch_up()
    async with webhooks.working() as worker:
        await until(lambda: _attempts(webhooks, 1))
        await webhooks.delete(id)
        await webhooks.hurry()
        turns = worker.metrics.turns
        webhooks.bell.poke()
        await until(lambda: worker.metrics.turns > turns + 1)
    assert len(receiver.requests) == 1


async def test_an_edited_url_is_called_at_the_next_attempt(webhooks: WebhookHarness, receiver: Receiver) -> None:
    id = await webhooks.endpoint(receiver.url("/old"))
    receiver.behave("/old", Answer(status=503))
    await webhooks.notices()
    await webhooks.catch_up()
    async with webhooks.working():
        await until(lambda: _attempts(webhooks, 1))
        await webhooks.edit(id, url=receiver.url("/new"))
        await webhooks.hurry()
        await receiver.wait_for(1, "/new")
    assert len(receiver.received("/old")) == 1


async def test_what_a_killed_worker_was_sending_is_sent_again_under_the_same_id(
    webhooks: WebhookHarness, receiver: Receiver
) -> None:
    await webhooks.endpoint(receiver.url("/hook"))
    receiver.behave("/hook", Hang())
    await webhooks.notices(3)
    await webhooks.catch_up()
    killed = asyncio.create_task(webhooks.worker(lease_s=0.3).run(asyncio.Event()))
    await receiver.wait_for(3)
    killed.cancel()
    await asyncio.gather(killed, return_exceptions=True)
    assert len(await webhooks.deliveries()) == 3
    receiver.behave("/hook", Answer())
    async with webhooks.working():
        await until(lambda: _all_done(webhooks))
    assert set(Counter(_names(receiver.requests)).values()) == {2}
    assert [row["attempt"] for row in await webhooks.attempts()] == [1, 1, 1], "what was not recorded did not count"


async def test_a_stopping_worker_finishes_what_it_began_and_begins_nothing(
    webhooks: WebhookHarness, receiver: Receiver
) -> None:
    id = await webhooks.endpoint(receiver.url("/slow"))
    receiver.behave("/slow", Answer(delay_s=0.3))
    await webhooks.notices(20)
    await webhooks.catch_up()
    stop = asyncio.Event()
    working = asyncio.create_task(webhooks.worker().run(stop))
    await receiver.wait_for(4)
    stop.set()
    await working
    assert len(await webhooks.attempts()) == len(receiver.requests) == 4
    assert len(await webhooks.deliveries()) == 16
    lane = await webhooks.lane(id)
    assert lane["lease"] is None
    assert lane["ready_at"] < lane["ready_at"].now(lane["ready_at"].tzinfo), "the next worker may go on at once"


async def test_a_worker_that_may_wait_no_longer_lets_its_lanes_go(webhooks: WebhookHarness, receiver: Receiver) -> None:
    id = await webhooks.endpoint(receiver.url("/never"))
    receiver.behave("/never", Hang())
    await webhooks.notices()
    await webhooks.catch_up()
    async with webhooks.working(drain_s=0):
        await receiver.wait_for(1)
    assert (await webhooks.lane(id))["lease"] is None
    assert len(await webhooks.deliveries()) == 1


async def test_losing_postgres_loses_nothing(webhooks: WebhookHarness, receiver: Receiver) -> None:
    await webhooks.endpoint(receiver.url("/hook"))
    receiver.behave("/hook", Answer(delay_s=0.02))
    await webhooks.notices(200)
    await webhooks.catch_up()
    async with webhooks.working():
        for count in (20, 60, 120):
            await receiver.wait_for(count)
            await webhooks.owner.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = 'rollbook worker' AND datname = current_database()"
            )
        await until(lambda: _all_done(webhooks))
    names = Counter(_names(receiver.requests))
    assert len(names) == 200
    assert len(await webhooks.attempts()) == 200


async def test_slow_receivers_of_one_account_do_not_delay_the_webhooks_of_another(
    webhooks: WebhookHarness, receiver: Receiver
) -> None:
    for n in range(16):
        await webhooks.endpoint(receiver.url(f"/slow/{n}"), account="acct_hostile")
        receiver.behave(f"/slow/{n}", Hang())
    await webhooks.endpoint(receiver.url("/quick"), account="acct_good")
    # As it is once each has answered quickly for a while.
    await webhooks.owner.execute(
        "UPDATE webhooks.lane SET concurrency = 32, window_attempts = 20, window_started_at = clock_timestamp()"
    )
    await webhooks.notices(8, account="acct_hostile")
    await webhooks.catch_up()
    async with webhooks.working(in_flight_max=64, host_max=512, drain_s=0.1) as worker:
        await until(lambda: worker.metrics.in_flight == 56)
        for count in range(1, 4):
            await webhooks.notices(account="acct_good")
            await webhooks.catch_up()
            await receiver.wait_for(count, "/quick", timeout_s=5)
        # None of the hostile account's attempts has ended; the last of the other's is still being recorded.
        await until(lambda: worker.metrics.in_flight == 56)


def _names(requests: Iterable[Received]) -> Iterable[tuple[str, str]]:
    return ((request.path, request.headers["webhook-id"]) for request in requests)


async def _all_done(webhooks: WebhookHarness) -> bool:
    return not await webhooks.deliveries()


async def _left_to(webhooks: WebhookHarness, endpoints: set[str]) -> bool:
    return {endpoint for _, endpoint in await webhooks.deliveries()} == endpoints


async def _attempts(webhooks: WebhookHarness, count: int) -> bool:
    return len(await webhooks.attempts()) == count


async def _is_gone(webhooks: WebhookHarness, id: str) -> bool:
    state = await webhooks.lane(id)
    return bool(state["gone"] and state["lease"] is None)


async def _is_open(webhooks: WebhookHarness, id: str) -> bool:
    ask = "SELECT lease IS NULL AND open_until > now() FROM webhooks.lane WHERE endpoint_id = $1"
    return bool(await webhooks.owner.fetchval(ask, id))
