"""The contract of lanes: leases, results, circuit breakers and shares; for lanes in memory and in Postgres."""

from datetime import timedelta

from tests.contracts.lanes import NOW, OPEN, LaneHarness, failed, given, our_fault, report, took
from webhooks.outcome import Outcome
from webhooks.queue.lane import NEW, Lane
from webhooks.queue.memory import NEVER
from webhooks.queue.retry import ATTEMPTS_MAX, GaveUp
from webhooks.queue.turn import Turn, result


async def test_a_lane_is_born_as_the_rules_say(harness: LaneHarness) -> None:
    row = await harness.row(await harness.endpoint())
    assert (row.state, row.ready_at, row.lease) == (NEW, NEVER, None)


async def test_a_leased_lane_is_nobody_elses(harness: LaneHarness) -> None:
    id = await harness.endpoint()
    sequences = await harness.deliver(3)
    turn = await harness.lanes().turn([], [], claims=5)
    assert (turn.claimed, given(turn)) == (1, sequences)
    assert {head.endpoint_id for head in turn.heads} == {id}
    assert (await harness.lanes().turn([], [], claims=5)).claimed == 0


async def test_lanes_are_leased_in_the_order_in_which_they_became_ready(harness: LaneHarness) -> None:
    first = await harness.endpoint()
    await harness.deliver()
    second = await harness.endpoint()
    await harness.deliver()
    lanes = harness.lanes()
    turns = [await lanes.turn([], [], claims=1) for _ in range(2)]
    assert [endpoint.id for turn in turns for endpoint, _ in turn.served] == [first, second]


async def test_of_a_lane_just_leased_twice_its_concurrency_is_given(harness: LaneHarness) -> None:
    await harness.endpoint()
    live = await harness.deliver(12)
    recovered = await harness.deliver(6, recovered=True)
    turn = await harness.lanes().turn([], [], claims=1)
    assert given(turn) == live[: 2 * NEW.concurrency] + recovered[: NEW.concurrency]


async def test_a_lane_whose_lease_ran_out_is_leased_again_and_its_old_worker_records_nothing(
    harness: LaneHarness,
) -> None:
    await harness.endpoint()
    await harness.deliver()
    dead, alive = harness.lanes(lease_s=0), harness.lanes()
    old = await dead.turn([], [], claims=1)
    new = await alive.turn([], [], claims=1)
    assert given(new) == given(old)
    late = await dead.turn([report(old)], [took(old.heads[0])], claims=0)
    assert list(late.lost) == [old.heads[0].endpoint_id]
    assert len(await harness.pending()) == 1
    assert await harness.outcomes() == []


async def test_a_touched_lane_keeps_its_worker_when_its_lease_ran_out_and_no_other_took_it(
    harness: LaneHarness,
) -> None:
    await harness.endpoint()
    [sequence] = await harness.deliver()
    lanes = harness.lanes(lease_s=0)
    turn = await lanes.turn([], [], claims=1)
    again = await lanes.turn([report(turn, known=[sequence])], [], claims=1)
    assert (list(again.lost), again.claimed) == ([], 0)


async def test_a_result_reported_twice_is_recorded_once(harness: LaneHarness) -> None:
    await harness.endpoint()
    one, other = await harness.deliver(2)
    lanes = harness.lanes()
    turn = await lanes.turn([], [], claims=1)
    results = [took(turn.heads[0]), failed(turn.heads[1])]
    for _ in range(2):
        await lanes.turn([report(turn, known=[other])], results, claims=0)
    assert await harness.outcomes() == [(one, 1, "delivered"), (other, 1, "retry")]
    assert await harness.pending() == [other]


async def test_a_fault_of_our_own_reported_twice_is_recorded_once_and_uses_up_no_attempt(harness: LaneHarness) -> None:
    await harness.endpoint()
    [sequence] = await harness.deliver()
    lanes = harness.lanes()
    turn = await lanes.turn([], [], claims=1)
    for _ in range(2):
        await lanes.turn([report(turn, known=[sequence])], [our_fault(turn.heads[0])], claims=0)
    assert await harness.outcomes() == [(sequence, 1, "retry")]
    await harness.hurry()
    again = await lanes.turn([report(turn, want=1)], [], claims=0)
    assert [(head.sequence, head.attempts) for head in again.heads] == [(sequence, 0)]
    await lanes.turn([report(turn)], [our_fault(again.heads[0])], claims=0)
    assert await harness.outcomes() == [(sequence, 1, "retry")] * 2


async def test_a_delivery_that_is_given_up_or_canceled_is_gone(harness: LaneHarness) -> None:
    id = await harness.endpoint()
    one, other = await harness.deliver(2)
    lanes = harness.lanes()
    turn = await lanes.turn([], [], claims=1)
    await harness.cancel(id, [other])
    last = turn.heads[0]._replace(attempts=0)
    gave_up = result(last, Outcome(status=410, duration_ms=1), GaveUp(), NOW)
    await lanes.turn([report(turn)], [gave_up, took(turn.heads[1])], claims=0)
    assert await harness.pending() == []
    assert await harness.outcomes() == [(one, 1, "gave_up"), (other, 0, "canceled")]


async def test_a_try_that_is_not_the_next_counts_for_nothing(harness: LaneHarness) -> None:
    await harness.endpoint()
    [sequence] = await harness.deliver()
    lanes = harness.lanes()
    turn = await lanes.turn([], [], claims=1)
    later = turn.heads[0]._replace(attempts=ATTEMPTS_MAX - 1)
    await lanes.turn([report(turn)], [took(later)], claims=0)
    assert (await harness.pending(), await harness.outcomes()) == ([sequence], [])


async def test_a_lane_is_let_go_until_its_next_delivery_is_due(harness: LaneHarness) -> None:
    id = await harness.endpoint()
    await harness.deliver()
    lanes = harness.lanes()
    turn = await lanes.turn([], [], claims=1)
    done = await lanes.turn([report(turn)], [failed(turn.heads[0], wait_s=300)], claims=5)
    row = await harness.row(id)
    assert (row.lease, row.ready_at) == (None, done.moment + timedelta(seconds=300))


async def test_a_lane_with_more_to_do_queues_behind_those_that_wait(harness: LaneHarness) -> None:
    id = await harness.endpoint()
    await harness.deliver(2)
    lanes = harness.lanes()
    turn = await lanes.turn([], [], claims=1)
    done = await lanes.turn([report(turn)], [took(turn.heads[0])], claims=0)
    row = await harness.row(id)
    assert (row.lease, row.ready_at) == (None, done.moment)


async def test_a_lane_with_nothing_to_do_waits_to_be_woken(harness: LaneHarness) -> None:
    id = await harness.endpoint()
    await harness.deliver()
    lanes = harness.lanes()
    turn = await lanes.turn([], [], claims=1)
    await lanes.turn([report(turn)], [took(turn.heads[0])], claims=5)
    assert (await harness.row(id)).ready_at == NEVER
    sequences = await harness.deliver()
    assert given(await lanes.turn([], [], claims=5)) == sequences


async def test_new_deliveries_reach_a_lane_while_it_is_leased(harness: LaneHarness) -> None:
    await harness.endpoint()
    [first] = await harness.deliver()
    lanes = harness.lanes()
    turn = await lanes.turn([], [], claims=1)
    looked = report(turn, known=[first], want=3, touched=False)
    assert given(await lanes.turn([looked], [], claims=0)) == []
    second = await harness.deliver(5)
    assert given(await lanes.turn([looked], [], claims=0)) == second[:3]


async def test_recovered_deliveries_have_slots_of_their_own(harness: LaneHarness) -> None:
    await harness.endpoint()
    recovered = await harness.deliver(4, recovered=True)
    live = await harness.deliver(4)
    lanes = harness.lanes()
    turn = await lanes.turn([], [], claims=1)
    more = [
        await lanes.turn([report(turn, want=want, recovered=recovered)], [], claims=0)
        for want, recovered in ((2, 0), (1, 3))
    ]
    assert [given(each) for each in more] == [live[:2], [*recovered[:3], live[0]]]
    assert [head.recovered for head in more[1].heads] == [True] * 3 + [False]


async def test_an_open_breaker_keeps_the_lane_from_everybody_but_one_probe(harness: LaneHarness) -> None:
    id = await harness.endpoint()
    await harness.deliver(2)
    lanes = harness.lanes()
    turn = await lanes.turn([], [], claims=1)
    await lanes.turn([report(turn, lane=OPEN)], [failed(turn.heads[0])], claims=5)
    await harness.deliver()
    assert (await harness.row(id)).ready_at == OPEN.open_until
    assert (await lanes.turn([], [], claims=5)).claimed == 0
    await harness.hurry()
    assert len((await lanes.turn([], [], claims=5)).heads) == 1


async def test_a_receiver_that_asked_for_it_is_left_alone(harness: LaneHarness) -> None:
    id = await harness.endpoint()
    await harness.deliver(2)
    lanes, quiet = harness.lanes(), Lane(quiet_until=NOW + timedelta(hours=1))
    turn = await lanes.turn([], [], claims=1)
    await lanes.turn([report(turn, lane=quiet)], [failed(turn.heads[0])], claims=0)
    await harness.deliver()
    assert (await harness.row(id)).ready_at == quiet.quiet_until
    assert (await lanes.turn([], [], claims=5)).claimed == 0


async def test_a_lane_that_is_gone_is_ready_no_more_until_its_url_is_another(harness: LaneHarness) -> None:
    id = await harness.endpoint()
    await harness.deliver(2)
    lanes = harness.lanes()
    turn = await lanes.turn([], [], claims=1)
    await lanes.turn([report(turn, lane=Lane(gone=True))], [failed(turn.heads[0])], claims=0)
    await harness.deliver()
    assert (await harness.row(id)).ready_at == NEVER
    await harness.change(id, url="https://example.org/new")
    again = await lanes.turn([], [], claims=5)
    assert [state for _, state in again.served] == [NEW]
    assert len(again.heads) == 2


async def test_a_new_url_is_a_fresh_start_for_its_lane(harness: LaneHarness) -> None:
    id = await harness.endpoint()
    await harness.deliver(2)
    lanes = harness.lanes()
    turn = await lanes.turn([], [], claims=1)
    one, other = turn.heads
    await harness.change(id, url="https://example.org/new")
    turned = await lanes.turn([report(turn, known=[other.sequence], lane=OPEN)], [failed(one)], claims=0)
    [(endpoint, lane)] = turned.served
    assert (endpoint.url, lane) == ("https://example.org/new", NEW)


async def test_what_a_lane_learnt_counts_though_its_endpoint_was_edited_meanwhile(harness: LaneHarness) -> None:
    id = await harness.endpoint()
    await harness.deliver(2)
    lanes = harness.lanes()
    turn = await lanes.turn([], [], claims=1)
    one, other = turn.heads
    await harness.change(id)
    gone = Lane(failing_since=turn.moment, failures_in_a_row=1, gone=True)
    turned = await lanes.turn([report(turn, known=[other.sequence], lane=gone)], [failed(one)], claims=0)
    assert [state for _, state in turned.served] == [gone]
    assert (await harness.row(id)).state == gone


async def test_nothing_is_given_for_a_disabled_endpoint_and_its_worker_learns_of_it(harness: LaneHarness) -> None:
    id = await harness.endpoint()
    await harness.deliver(3)
    lanes = harness.lanes()
    turn = await lanes.turn([], [], claims=1)
    await harness.change(id, disabled=True)
    turned = await lanes.turn([report(turn, want=5)], [], claims=0)
    assert ([endpoint.status for endpoint, _ in turned.served], given(turned)) == (["disabled"], [])
    assert (await harness.row(id)).ready_at == NEVER
    await harness.change(id, disabled=False)
    assert len((await lanes.turn([], [], claims=1)).heads) == 3


async def test_lanes_of_an_answer_that_was_lost_are_leased_again_by_the_same_worker(harness: LaneHarness) -> None:
    known, unknown = await harness.endpoint(), await harness.endpoint()
    await harness.deliver(20)  # more than a lane is given at first
    lanes = harness.lanes()
    await lanes.turn([], [], claims=5)
    assert (await lanes.turn([], [], claims=5)).claimed == 0
    again = await lanes.turn([], [], claims=5, leased=[known])
    assert [endpoint.id for endpoint, _ in again.served] == [unknown]


async def test_only_responsive_lanes_are_leased_when_that_is_asked(harness: LaneHarness) -> None:
    await harness.endpoint()
    await harness.deliver()
    lanes, responsive = harness.lanes(), Lane(window_attempts=1, window_started_at=NOW)
    turn = await lanes.turn([], [], claims=1)
    await lanes.turn([report(turn, lane=responsive)], [took(turn.heads[0])], claims=0)
    await harness.endpoint()
    await harness.deliver()
    only = await lanes.turn([], [], claims=5, responsive=True)
    assert [endpoint.id for endpoint, _ in only.served] == [turn.served[0][0].id]


async def two_accounts(harness: LaneHarness, first: int) -> tuple[list[str], str]:
    """Ready lanes, so many of account `a`, and after those one of account `b`."""
    ids = [await harness.endpoint() for _ in range(first)]
    await harness.hand_to("a", *ids)
    await harness.deliver()
    last = await harness.endpoint()
    await harness.hand_to("b", last)
    await harness.change(last, disabled=True)
    await harness.change(last, disabled=False)
    return ids, last


def leased(turn: Turn) -> list[str]:
    return sorted(endpoint.id for endpoint, _ in turn.served)


async def test_an_endpoint_comes_with_the_share_of_its_account(harness: LaneHarness) -> None:
    await two_accounts(harness, 1)
    await harness.deliver()
    turn = await harness.lanes().turn([], [], claims=5)
    assert sorted(endpoint.share for endpoint, _ in turn.served) == ["a", "b"]


async def test_no_lane_is_leased_of_an_account_that_has_its_share(harness: LaneHarness) -> None:
    _, other = await two_accounts(harness, 2)
    await harness.deliver()
    assert leased(await harness.lanes().turn([], [], claims=1, full=["a"])) == [other]


async def test_of_a_crowded_account_only_responsive_lanes_are_leased(harness: LaneHarness) -> None:
    _, other = await two_accounts(harness, 2)
    await harness.deliver()
    assert leased(await harness.lanes().turn([], [], claims=5, crowded=["a"])) == [other]


async def test_an_account_with_many_lanes_ready_does_not_keep_others_from_being_leased(harness: LaneHarness) -> None:
    ids, other = await two_accounts(harness, 6)
    await harness.deliver()
    turn = await harness.lanes().turn([], [], claims=2)
    assert turn.claimed == 2
    assert other in leased(turn)
    assert len(set(ids).intersection(leased(turn))) == 2


async def test_what_is_handed_over_with_lanes_just_leased_has_room(harness: LaneHarness) -> None:
    for _ in range(2):
        await harness.endpoint()
    await harness.deliver(5)
    turn = await harness.lanes().turn([], [], claims=2, room=6)
    assert len(turn.heads) == 4, "two of each lane, and a third of the room is for what is recovered"


async def test_a_head_has_the_number_of_endpoints_that_still_wait_for_the_notice(harness: LaneHarness) -> None:
    await harness.endpoint()
    await harness.endpoint()
    await harness.deliver()
    lanes = harness.lanes()
    turn = await lanes.turn([], [], claims=1)
    assert [head.pending for head in turn.heads] == [2]
    await lanes.turn([report(turn)], [took(turn.heads[0])], claims=0)
    assert [head.pending for head in (await lanes.turn([], [], claims=1)).heads] == [1]
