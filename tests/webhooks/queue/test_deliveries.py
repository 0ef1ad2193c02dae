"""Deliveries looked back at: how they stand, page by page, and what was asked to be sent once more."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from events.database import load_sql
from projections.read import PageOf, UnknownCursor
from tests.plans import explain
from tests.servers.receiver import Answer, Receiver
from tests.waiting import until
from tests.webhooks.harness import ACCOUNT, Floor
from webhooks.endpoints.endpoint import RecoverEndpoint, SendTest
from webhooks.queue.deliveries import Deliveries, DeliveryKey, Wanted, id_of, key_of, printable


@pytest.fixture
def deliveries(house: Floor) -> Deliveries:
    return Deliveries(house.pool)


async def attempt(house: Floor, sequence: int, id: str, outcome: str, *, ago_s: float = 0, number: int = 1) -> None:
    """Have an attempt be recorded, so long ago; unless it is a retry its delivery has ended."""
    at = datetime.now(UTC) - timedelta(seconds=ago_s)
    await house.owner.execute("SELECT events.make_day('webhooks.attempt', $1)", at.date())
    await house.owner.execute(
        "INSERT INTO webhooks.attempt SELECT $1, $2, $3, id, $4, $5, 200, NULL, 7, NULL, 'x' FROM projections.notice "
        "WHERE sequence = $3",
        at,
        id,
        sequence,
        number,
        outcome,
    )
    if outcome != "retry":
        await house.owner.execute(
            "DELETE FROM webhooks.delivery WHERE sequence = $1 AND endpoint_id = $2", sequence, id
        )


async def listed(deliveries: Deliveries, account: str = ACCOUNT, **filters: Any) -> list[tuple[int, str]]:
    """The sequences and states on the first page."""
    shown, _ = await deliveries.page(account, False, PageOf(limit=100), **filters)
    return [(_place(each).sequence, each["state"]) for each in shown]


def _place(shown: dict[str, Any]) -> DeliveryKey:
    place = key_of(shown["id"])
    assert place is not None
    return place


def test_an_id_tells_which_delivery_it_is() -> None:
    place = DeliveryKey(4711, "we_1Mr5jULkdIwHu7")
    assert id_of(place) == "dlv_1Mr5jULkdIwHu7_4711"
    assert key_of(id_of(place)) == place
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
    house: Floor, deliveries: Deliveries
) -> None:
    id = await house.endpoint()
    pending, taken, failed, canceled, anew, mended = await house.notices(6)
    await house.catch_up()
    await attempt(house, pending, id, "retry")
    await attempt(house, taken, id, "retry", ago_s=9)
    await attempt(house, taken, id, "delivered", number=2)
    await attempt(house, failed, id, "delivered", ago_s=9)
    await attempt(house, failed, id, "gave_up")
    await attempt(house, canceled, id, "canceled")
    await attempt(house, anew, id, "gave_up", ago_s=9)
    await deliveries.resend(DeliveryKey(anew, id))
    await attempt(house, mended, id, "gave_up", ago_s=9)
    await attempt(house, mended, id, "delivered")
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
        found = await deliveries.one(ACCOUNT, False, id_of(DeliveryKey(sequence, id)))
        assert found is not None
        assert found[0]["state"] == expected_state


async def test_lists_are_of_one_account_and_mode_and_filtered(house: Floor, deliveries: Deliveries) -> None:
    one, other = await house.endpoint(), await house.endpoint()
    await house.endpoint(account="acct_2")
    first, second = await house.notices(2)
    [foreign] = await house.notices(account="acct_2")
    await house.catch_up()
    await attempt(house, second, one, "delivered")
    assert [n for n, _ in await listed(deliveries)] == [second, second, first, first]
    assert await listed(deliveries, endpoint=one) == [(second, "delivered"), (first, "pending")]
    ask = "SELECT id, stream FROM projections.notice WHERE sequence = $1"
    notice, stream = await house.owner.fetchrow(ask, second)
    customer = stream.removeprefix("customer-")
    assert await listed(deliveries, notice=notice, endpoint=other) == [(second, "pending")]
    assert await listed(deliveries, customer=customer, state="delivered") == [(second, "delivered")]
    assert await listed(deliveries, customer=customer, notice=notice, state="pending") == [(second, "pending")]
    assert await listed(deliveries, customer="cus_none") == []
    assert await listed(deliveries, customer="cus_none", notice=notice) == []
    assert await listed(deliveries, notice="evt_none") == []
    assert [n for n, _ in await listed(deliveries, account="acct_2")] == [foreign]
    shown, _ = await deliveries.page(ACCOUNT, True, PageOf(limit=10))
    assert shown == []
    assert await deliveries.one("acct_2", False, id_of(DeliveryKey(second, one))) is None
    await house.delete(one)
    assert await listed(deliveries, endpoint=one) == []
    assert await deliveries.one(ACCOUNT, False, id_of(DeliveryKey(second, one))) is None


async def test_pages_turn_both_ways_and_miss_nothing(house: Floor, deliveries: Deliveries) -> None:
    ids = sorted([await house.endpoint() for _ in range(3)], reverse=True)
    sequences = await house.notices(7)
    await house.catch_up()
    for n, sequence in enumerate(sequences):
        await attempt(house, sequence, ids[n % 3], ("delivered", "gave_up")[n % 2])
    every = [id_of(DeliveryKey(sequence, id)) for sequence in reversed(sequences) for id in ids]

    async def page(starting_after: str | None = None, ending_before: str | None = None) -> tuple[list[str], bool]:
        wanted = PageOf(limit=4, starting_after=starting_after, ending_before=ending_before)
        shown, more = await deliveries.page(ACCOUNT, False, wanted)
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
    house: Floor, deliveries: Deliveries, receiver: Receiver
) -> None:
    id = await house.endpoint(receiver.url("/hook"))
    receiver.behave("/hook", Answer(status=500, body=b"no \xff"))
    [sequence] = await house.notices()
    await house.catch_up()
    place = DeliveryKey(sequence, id)
    async with house.working() as worker:
        await until(lambda: worker.metrics.outcomes["retry"])
        await until(lambda: _idle(house, id))
        await deliveries.cancel(place)
        await deliveries.cancel(place)
        await house.hurry()
        turns = worker.metrics.turns
        house.bell.poke()
        await until(lambda: worker.metrics.turns > turns)
    assert len(receiver.requests) == 1
    found = await deliveries.one(ACCOUNT, False, id_of(place))
    assert found is not None
    assert (found[0]["state"], found[0]["attempt_count"], found[0]["next_attempt"]) == ("canceled", 1, None)
    [tried] = await deliveries.attempts(place)
    assert (tried["number"], tried["status"], tried["answer"], tried["counts"]) == (1, 500, "no \ufffd", True)


async def test_what_was_taken_may_be_sent_once_more(house: Floor, deliveries: Deliveries, receiver: Receiver) -> None:
    id = await house.endpoint(receiver.url("/hook"))
    [sequence] = await house.notices()
    await house.catch_up()
    async with house.working():
        await until(lambda: _done(house))
        await deliveries.resend(DeliveryKey(sequence, id))
        house.bell.poke()
        await receiver.wait_for(2)
        await until(lambda: _done(house))
    one, other = receiver.requests
    assert (one.body, one.headers["webhook-id"]) == (other.body, other.headers["webhook-id"])
    assert len(await deliveries.attempts(DeliveryKey(sequence, id))) == 2
    assert await listed(deliveries) == [(sequence, "delivered")]


async def test_a_test_goes_to_that_endpoint_alone_whatever_it_wants(house: Floor) -> None:
    id = await house.endpoint(events=["customer.deleted"])
    await house.endpoint()
    await house.ask(id, SendTest(id=id))
    assert await house.catch_up() == 1
    [(sequence, endpoint)] = await house.deliveries()
    assert endpoint == id
    told = await house.owner.fetchval("SELECT type FROM projections.notice WHERE sequence = $1", sequence)
    assert told == "rollbook.endpoint.test"


async def test_recovering_brings_what_was_not_taken_since_a_time_or_a_position(house: Floor) -> None:
    id = await house.endpoint(events=["customer.created"])
    early, taken, failed, canceled, waiting = await house.notices(5)
    await house.notices(type="customer.updated")
    await house.catch_up()
    for sequence, outcome in ((early, "gave_up"), (taken, "delivered"), (failed, "gave_up"), (canceled, "canceled")):
        await attempt(house, sequence, id, outcome)
    await house.ask(id, RecoverEndpoint(id=id, position=early, since=None))
    assert await house.recover() == 1
    assert [n for n, _ in await house.deliveries()] == [failed, waiting]
    await house.ask(id, RecoverEndpoint(id=id, position=None, since=int(datetime.now(UTC).timestamp()) + 86_400))
    assert await house.recover() == 0
    await house.ask(id, RecoverEndpoint(id=id, position=None, since=0))
    assert await house.recover() == 1
    assert [n for n, _ in await house.deliveries()] == [early, failed, waiting]
    assert await house.owner.fetchval("SELECT count(*) FROM webhooks.recovery") == 0


async def test_failed_ones_are_found_among_many_taken_without_looking_through_those(house: Floor) -> None:
    id = await house.endpoint()
    sequences = await house.notices(500)
    for sequence in sequences[::100]:
        await attempt(house, sequence, id, "gave_up")
    await house.owner.execute(
        "INSERT INTO webhooks.attempt SELECT $1, $2, sequence, id, 1, 'delivered', 200, NULL, 7, NULL, '' "
        "FROM projections.notice WHERE sequence % 100 <> 1",
        datetime.now(UTC),
        id,
    )
    await house.owner.execute("ANALYZE webhooks.attempt; ANALYZE webhooks.delivery; ANALYZE projections.notice")
    everything = (0, 2**62, 2**62, "~", 11)
    async with house.pool.acquire() as connection:
        for name in ("list_deliveries", "list_deliveries_before"):
            place = everything if name == "list_deliveries" else (0, 2**62, -1, "", 11)
            query = load_sql("webhooks", name)
            found = await explain(
                connection, query, ACCOUNT, False, None, *place, False, False, ["gave_up"], None, False
            )
            assert any("failed" in index or "endpoint_id_sequence" in index for index in found.indexes), str(found)
            assert found.touched < 100, str(found)


async def _idle(house: Floor, id: str) -> bool:
    return (await house.lane(id))["lease"] is None


async def _done(house: Floor) -> bool:
    return not await house.deliveries()


def test_what_a_receiver_sent_steers_no_terminal() -> None:
    sent = "\x1b]0;title\x07 \x1b[31m a\tb\n\x00\x9b\u202e\ufeff \u00fc".encode() + b"\xff"
    shown = "\\x1b]0;title\\x07 \\x1b[31m a\tb\n\\x00\\x9b\\u202e\\ufeff \u00fc\ufffd"
    assert printable(sent) == shown
