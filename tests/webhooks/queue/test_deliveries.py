"""Deliveries looked back at: how they stand, page by page, and what was asked to be sent once more."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from events.database import load_sql
from events.scope import Scope
from projections.read import PageOf, UnknownCursor
from tests.plans import explain
from tests.servers.receiver import Answer, Receiver
from tests.waiting import until
from tests.webhooks.harness import ACCOUNT, WebhookHarness
from webhooks.endpoints.endpoint import RecoverEndpoint, SendTest
from webhooks.queue.deliveries import Deliveries, DeliveryKey, Wanted, id_of, key_of, printable


@pytest.fixture
def deliveries(webhooks: WebhookHarness) -> Deliveries:
    return Deliveries(webhooks.pool)


async def attempt(
    webhooks: WebhookHarness, sequence: int, id: str, outcome: str, *, ago_s: float = 0, number: int = 1
) -> None:
    """Have an attempt be recorded, so long ago; unless it is a retry its delivery has ended."""
    at = datetime.now(UTC) - timedelta(seconds=ago_s)
    await webhooks.owner.execute("SELECT events.make_day('webhooks.attempt', $1)", at.date())
    await webhooks.owner.execute(
        "INSERT INTO webhooks.attempt SELECT $1, $2, $3, id, $4, $5, 200, NULL, 7, NULL, 'x' FROM projections.notice "
        "WHERE sequence = $3",
        at,
        id,
        sequence,
        number,
        outcome,
    )
    if outcome != "retry":
        await webhooks.owner.execute(
            "DELETE FROM webhooks.delivery WHERE sequence = $1 AND endpoint_id = $2", sequence, id
        )


async def listed(deliveries: Deliveries, account: str = ACCOUNT, **filters: Any) -> list[tuple[int, str]]:
    """The sequences and states on the first page."""
    shown, _ = await deliveries.page(Scope(account, False), PageOf(limit=100), **filters)
    return [(_key(each).sequence, each["state"]) for each in shown]


def _key(shown: dict[str, Any]) -> DeliveryKey:
    key = key_of(shown["id"])
    assert key is not None
    return key


def test_an_id_identifies_the_delivery() -> None:
    key = DeliveryKey(4711, "we_1Mr5jULkdIwHu7")
    assert id_of(key) == "dlv_1Mr5jULkdIwHu7_4711"
    assert key_of(id_of(key)) == key
    for other in (
        "",
        "dlv_",
        "dlv_x",
        "dlv_x_",
        "dlv_x_-1",
        "dlv_x_1_2",
        "dlv_x_" + "9" * 19,
        "we_x_1",
        "dlv_x_\u0661",
    ):
        assert key_of(other) is None


async def test_states_come_of_what_is_pending_and_of_how_the_last_attempt_ended(
    webhooks: WebhookHarness, deliveries: Deliveries
) -> None:
    id = await webhooks.endpoint()
    pending, taken, failed, canceled, anew, mended = await webhooks.notices(6)
    await webhooks.catch_up()
    await attempt(webhooks, pending, id, "retry")
    await attempt(webhooks, taken, id, "retry", ago_s=9)
    await attempt(webhooks, taken, id, "delivered", number=2)
    await attempt(webhooks, failed, id, "delivered", ago_s=9)
    await attempt(webhooks, failed, id, "gave_up")
    await attempt(webhooks, canceled, id, "canceled")
    await attempt(webhooks, anew, id, "gave_up", ago_s=9)
    await deliveries.resend(DeliveryKey(anew, id))
    await attempt(webhooks, mended, id, "gave_up", ago_s=9)
    await attempt(webhooks, mended, id, "delivered")
    expected = [
        (mended, "delivered"),
        (anew, "pending"),
        (canceled, "canceled"),
        (failed, "failed"),
        (taken, "delivered"),
        (pending, "pending"),
    ]
    assert await listed(deliveries) == expected
    states: Sequence[Wanted] = ("pending", "delivered", "failed", "canceled")
    for state in states:
        assert await listed(deliveries, state=state) == [each for each in expected if each[1] == state]
    assert await listed(deliveries, state="undelivered") == [each for each in expected if each[1] != "delivered"]
    for sequence, expected_state in expected:
        found = await deliveries.one(Scope(ACCOUNT, False), id_of(DeliveryKey(sequence, id)))
        assert found is not None
        assert found[0]["state"] == expected_state


async def test_lists_are_of_one_account_and_mode_and_filtered(webhooks: WebhookHarness, deliveries: Deliveries) -> None:
    one, other = await webhooks.endpoint(), await webhooks.endpoint()
    await webhooks.endpoint(account="acct_2")
    first, second = await webhooks.notices(2)
    [foreign] = await webhooks.notices(account="acct_2")
    await webhooks.catch_up()
    await attempt(webhooks, second, one, "delivered")
    assert [n for n, _ in await listed(deliveries)] == [second, second, first, first]
    assert await listed(deliveries, endpoint=one) == [(second, "delivered"), (first, "pending")]
    ask = "SELECT id, stream FROM projections.notice WHERE sequence = $1"
    notice, stream = await webhooks.owner.fetchrow(ask, second)
    customer = stream.removeprefix("customer-")
    assert await listed(deliveries, notice=notice, endpoint=other) == [(second, "pending")]
    assert await listed(deliveries, customer=customer, state="delivered") == [(second, "delivered")]
    assert await listed(deliveries, customer=customer, notice=notice, state="pending") == [(second, "pending")]
    assert await listed(deliveries, customer="cus_none") == []
    assert await listed(deliveries, customer="cus_none", notice=notice) == []
    assert await listed(deliveries, notice="evt_none") == []
    assert [n for n, _ in await listed(deliveries, account="acct_2")] == [foreign]
    shown, _ = await deliveries.page(Scope(ACCOUNT, True), PageOf(limit=10))
    assert shown == []
    assert await deliveries.one(Scope("acct_2", False), id_of(DeliveryKey(second, one))) is None
    await webhooks.delete(one)
    assert await listed(deliveries, endpoint=one) == []
    assert await deliveries.one(Scope(ACCOUNT, False), id_of(DeliveryKey(second, one))) is None


async def test_pages_turn_both_ways_and_miss_nothing(webhooks: WebhookHarness, deliveries: Deliveries) -> None:
    ids = sorted([await webhooks.endpoint() for _ in range(3)], reverse=True)
    sequences = await webhooks.notices(7)
    await webhooks.catch_up()
    for n, sequence in enumerate(sequences):
        await attempt(webhooks, sequence, ids[n % 3], ("delivered", "gave_up")[n % 2])
    every = [id_of(DeliveryKey(sequence, id)) for sequence in reversed(sequences) for id in ids]

    async def page(starting_after: str | None = None, ending_before: str | None = None) -> tuple[list[str], bool]:
        wanted = PageOf(limit=4, starting_after=starting_after, ending_before=ending_before)
        shown, more = await deliveries.page(Scope(ACCOUNT, False), wanted)
        return [each["id"] for each in shown], more

    got, more = await page()
    while more:
        following, more = await page(starting_after=got[-1])
        got += following
    assert got == every
    assert await page(ending_before=every[9]) == (every[5:9], True)
    assert await page(ending_before=every[2]) == (every[:2], False)
    for unknown in ("dlv_x_1", "nonsense", id_of(DeliveryKey(sequences[-1] + 1, ids[0]))):
        with pytest.raises(UnknownCursor):
            await page(starting_after=unknown)


async def test_a_canceled_delivery_is_not_tried_again_and_keeps_its_attempts(
    webhooks: WebhookHarness, deliveries: Deliveries, receiver: Receiver
) -> None:
    id = await webhooks.endpoint(receiver.url("/hook"))
    receiver.behave("/hook", Answer(status=500, body=b"no \xff"))
    [sequence] = await webhooks.notices()
    await webhooks.catch_up()
    key = DeliveryKey(sequence, id)
    async with webhooks.working() as worker:
        await until(lambda: worker.metrics.outcomes["retry"])
        await until(lambda: _idle(webhooks, id))
        await deliveries.cancel(key)
        await deliveries.cancel(key)
        await webhooks.hurry()
        turns = worker.metrics.turns
        webhooks.bell.poke()
        await until(lambda: worker.metrics.turns > turns)
    assert len(receiver.requests) == 1
    found = await deliveries.one(Scope(ACCOUNT, False), id_of(key))
    assert found is not None
    assert (found[0]["state"], found[0]["attempt_count"], found[0]["next_attempt"]) == ("canceled", 1, None)
    [tried] = await deliveries.attempts(key)
    assert (tried["number"], tried["status"], tried["answer"], tried["counts"]) == (1, 500, "no \ufffd", True)


async def test_what_was_taken_may_be_sent_once_more(
    webhooks: WebhookHarness, deliveries: Deliveries, receiver: Receiver
) -> None:
    id = await webhooks.endpoint(receiver.url("/hook"))
    [sequence] = await webhooks.notices()
    await webhooks.catch_up()
    async with webhooks.working():
        await until(lambda: _done(webhooks))
        await deliveries.resend(DeliveryKey(sequence, id))
        webhooks.bell.poke()
        await receiver.wait_for(2)
        await until(lambda: _done(webhooks))
    one, other = receiver.requests
    assert (one.body, one.headers["webhook-id"]) == (other.body, other.headers["webhook-id"])
    assert len(await deliveries.attempts(DeliveryKey(sequence, id))) == 2
    assert await listed(deliveries) == [(sequence, "delivered")]


async def test_a_test_goes_to_that_endpoint_alone_whatever_it_wants(webhooks: WebhookHarness) -> None:
    id = await webhooks.endpoint(events=["customer.deleted"])
    await webhooks.endpoint()
    await webhooks.ask(id, SendTest(id=id))
    assert await webhooks.catch_up() == 1
    [(sequence, endpoint)] = await webhooks.deliveries()
    assert endpoint == id
    type = await webhooks.owner.fetchval("SELECT type FROM projections.notice WHERE sequence = $1", sequence)
    assert type == "rollbook.endpoint.test"


async def test_recovering_brings_what_was_not_taken_since_a_time_or_a_position(webhooks: WebhookHarness) -> None:
    id = await webhooks.endpoint(events=["customer.created"])
    early, taken, failed, canceled, waiting = await webhooks.notices(5)
    await webhooks.notices(type="customer.updated")
    await webhooks.catch_up()
    for sequence, outcome in ((early, "gave_up"), (taken, "delivered"), (failed, "gave_up"), (canceled, "canceled")):
        await attempt(webhooks, sequence, id, outcome)
    await webhooks.ask(id, RecoverEndpoint(id=id, position=early, since=None))
    assert await webhooks.recover() == 1
    assert [n for n, _ in await webhooks.deliveries()] == [failed, waiting]
    await webhooks.ask(id, RecoverEndpoint(id=id, position=None, since=int(datetime.now(UTC).timestamp()) + 86_400))
    assert await webhooks.recover() == 0
    await webhooks.ask(id, RecoverEndpoint(id=id, position=None, since=0))
    assert await webhooks.recover() == 1
    assert [n for n, _ in await webhooks.deliveries()] == [early, failed, waiting]
    assert await webhooks.owner.fetchval("SELECT count(*) FROM webhooks.recovery") == 0


async def test_failed_ones_are_found_among_many_taken_without_looking_through_those(webhooks: WebhookHarness) -> None:
    id = await webhooks.endpoint()
    sequences = await webhooks.notices(500)
    for sequence in sequences[::100]:
        await attempt(webhooks, sequence, id, "gave_up")
    await webhooks.owner.execute(
        "INSERT INTO webhooks.attempt SELECT $1, $2, sequence, id, 1, 'delivered', 200, NULL, 7, NULL, '' "
        "FROM projections.notice WHERE sequence % 100 <> 1",
        datetime.now(UTC),
        id,
    )
    await webhooks.owner.execute("ANALYZE webhooks.attempt; ANALYZE webhooks.delivery; ANALYZE projections.notice")
    everything = (0, 2**62, 2**62, "~", 11)
    async with webhooks.pool.acquire() as connection:
        for name in ("list_deliveries", "list_deliveries_before"):
            bounds = everything if name == "list_deliveries" else (0, 2**62, -1, "", 11)
            query = load_sql("webhooks", name)
            found = await explain(
                connection, query, ACCOUNT, False, None, *bounds, False, False, ["gave_up"], None, False
            )
            assert any("failed" in index or "endpoint_id_sequence" in index for index in found.indexes), str(found)
            assert found.touched < 100, str(found)


async def _idle(webhooks: WebhookHarness, id: str) -> bool:
    return (await webhooks.lane(id))["lease"] is None


async def _done(webhooks: WebhookHarness) -> bool:
    return not await webhooks.deliveries()


def test_what_a_receiver_sent_steers_no_terminal() -> None:
    sent = "\x1b]0;title\x07 \x1b[31m a\tb\n\x00\x9b\u202e\ufeff \u00fc".encode() + b"\xff"
    shown = "\\x1b]0;title\\x07 \\x1b[31m a\tb\n\\x00\\x9b\\u202e\\ufeff \u00fc\ufffd"
    assert printable(sent) == shown
