"""The contract of lanes: ordered delivery by key, held deliveries, and resending."""

from datetime import timedelta

import pytest

from tests.contracts.lanes import LaneHarness, failed, given, our_fault, report, took, used_up
from webhooks.queue.lane import NEW
from webhooks.queue.memory import NEVER


async def test_deliveries_of_one_key_are_given_together_and_the_keys_share_the_slots(harness: LaneHarness) -> None:
    await harness.endpoint("customer")
    a1, a2, _, b1, b2, c1 = await harness.happens_to("a", "a", "a", "b", "b", "c")
    turn = await harness.lanes().turn([], [], claims=1)
    assert given(turn) == [a1, b1, c1, a2, b2], "8 slots, 2 for each"
    assert len({head.key for head in turn.heads}) == 3


async def test_where_order_is_strict_all_goes_along_with_the_first_of_all(harness: LaneHarness) -> None:
    await harness.endpoint("strict")
    sequences = await harness.happens_to(*"abcabcabcabc")
    turn = await harness.lanes().turn([], [], claims=1)
    assert given(turn) == sequences[: 2 * NEW.concurrency]
    assert {head.key for head in turn.heads} == {""}


async def test_what_waits_for_one_that_a_worker_has_is_not_given(harness: LaneHarness) -> None:
    await harness.endpoint("customer")
    first, _, _ = await harness.happens_to("a", "a", "a")
    lanes = harness.lanes()
    turn = await lanes.turn([], [], claims=1)
    [other] = await harness.happens_to("b")
    more = await lanes.turn([report(turn, known=[first], want=5)], [], claims=0)
    assert given(more) == [other]


async def test_the_next_of_a_key_is_given_in_the_turn_that_reports_the_end_of_the_one_before(
    harness: LaneHarness,
) -> None:
    await harness.endpoint("strict")
    sequences = await harness.happens_to("a", "b", "c", "d")
    lanes = harness.lanes()
    turn = await lanes.turn([], [], claims=1)
    results = [took(turn.heads[0]), used_up(turn.heads[1], hold=False)]
    more = await lanes.turn([report(turn, want=5)], results, claims=0)
    assert given(more) == sequences[2:]


async def test_a_delivery_that_waits_for_a_retry_blocks_only_its_key(harness: LaneHarness) -> None:
    id = await harness.endpoint("customer")
    first, second, other = await harness.happens_to("a", "a", "b")
    lanes = harness.lanes()
    turn = await lanes.turn([], [], claims=1)
    assert given(turn) == [first, other, second]
    again = await lanes.turn([report(turn, want=5)], [failed(turn.heads[0], wait_s=300)], claims=0)
    assert given(again) == [other]
    done = await lanes.turn([report(turn, want=5)], [took(turn.heads[1])], claims=0)
    assert (await harness.row(id)).ready_at == done.moment + timedelta(seconds=300) - (done.moment - again.moment)
    await harness.resend(id, first)
    assert given(await lanes.turn([], [], claims=1)) == [first, second]


async def test_a_fault_of_our_own_at_one_that_followed_another_is_recorded_once(harness: LaneHarness) -> None:
    await harness.endpoint("strict")
    first, second = await harness.happens_to("a", "b")
    lanes = harness.lanes()
    turn = await lanes.turn([], [], claims=1)
    for _ in range(2):
        results = [took(turn.heads[0]), our_fault(turn.heads[1])]
        assert given(await lanes.turn([report(turn, want=5)], results, claims=0)) == []
    assert await harness.outcomes() == [(first, 1, "delivered"), (second, 1, "retry")]
    await harness.hurry()
    again = await lanes.turn([], [], claims=1)
    assert [(head.sequence, head.attempts) for head in again.heads] == [(second, 0)]


async def test_a_later_one_may_have_a_result_before_the_end_of_the_first_is_reported(harness: LaneHarness) -> None:
    await harness.endpoint("strict")
    first, second = await harness.happens_to("a", "b")
    lanes = harness.lanes()
    turn = await lanes.turn([], [], claims=1)
    early = await lanes.turn([report(turn, known=[first], want=5)], [our_fault(turn.heads[1])], claims=0)
    assert given(early) == []
    assert await harness.outcomes() == [(second, 1, "retry")]
    assert await harness.pending() == [first, second]


@pytest.mark.parametrize("way_out", ["resend", "cancel", "another URL"])
async def test_a_held_delivery_blocks_its_key_until_it_is_resent_or_canceled(
    harness: LaneHarness, way_out: str
) -> None:
    id = await harness.endpoint("customer", on_exhaustion="hold")
    first, second = await harness.happens_to("a", "a")
    lanes = harness.lanes()
    turn = await lanes.turn([], [], claims=1)
    for _ in range(2):
        turned = await lanes.turn([report(turn, want=5)], [used_up(turn.heads[0], hold=True)], claims=5)
        assert (given(turned), (await harness.row(id)).ready_at) == ([], NEVER)
    await harness.hurry()
    assert (await lanes.turn([], [], claims=5)).claimed == 0
    assert await harness.outcomes() == [(first, 1, "retry")]
    if way_out == "resend":
        await harness.resend(id, first)
    elif way_out == "cancel":
        await harness.cancel(id, [first])
    else:
        await harness.change(id, url="https://example.org/new")
    after = await lanes.turn([], [], claims=5)
    assert [(head.sequence, head.attempts) for head in after.heads] == [
        (sequence, 0) for sequence in ([second] if way_out == "cancel" else [first, second])
    ]


async def test_canceling_what_waits_lets_nothing_go_that_waits_for_another(harness: LaneHarness) -> None:
    id = await harness.endpoint("strict")
    first, second, third = await harness.happens_to("a", "b", "c")
    await harness.cancel(id, [second])
    assert given(await harness.lanes().turn([], [], claims=1)) == [first, third]
    assert await harness.outcomes() == [(second, 0, "canceled")]


async def test_what_is_resent_is_due_at_once_unless_it_waits_for_another(harness: LaneHarness) -> None:
    id = await harness.endpoint("strict")
    first, second = await harness.happens_to("a", "b")
    lanes = harness.lanes()
    turn = await lanes.turn([], [], claims=1)
    await lanes.turn([report(turn)], [failed(turn.heads[0], wait_s=300)], claims=0)
    await harness.resend(id, second)
    assert given(await lanes.turn([], [], claims=1)) == []
    await harness.resend(id, first)
    again = await lanes.turn([], [], claims=1)
    assert [(head.sequence, head.attempts) for head in again.heads] == [(first, 1), (second, 0)]


async def test_what_was_delivered_is_resent_in_no_order(harness: LaneHarness) -> None:
    id = await harness.endpoint("strict")
    [first] = await harness.happens_to("a")
    lanes = harness.lanes()
    turn = await lanes.turn([], [], claims=1)
    await lanes.turn([report(turn)], [took(turn.heads[0])], claims=0)
    await harness.happens_to("b")
    await harness.resend(id, first)
    again = await lanes.turn([], [], claims=1)
    assert {head.sequence: head.key for head in again.heads}[first] is None


async def test_recovered_deliveries_of_a_key_have_an_order_of_their_own(harness: LaneHarness) -> None:
    await harness.endpoint("strict")
    recovered = await harness.happens_to("a", "b", "c", recovered=True)
    live = await harness.happens_to("d", "e", "f")
    lanes = harness.lanes()
    turn = await lanes.turn([], [], claims=1)
    assert [head.sequence for head in turn.heads if head.recovered] == recovered
    assert [head.sequence for head in turn.heads if not head.recovered] == live
    first, *_ = turn.heads
    assert (first.sequence, first.recovered) == (recovered[0], True)
    known = [*recovered[1:], *live]
    more = await lanes.turn([report(turn, known=known, want=5, recovered=5)], [took(first)], claims=0)
    assert given(more) == []
