"""The contract of lanes: the delivery rules of an endpoint, its rate limit and its limit of attempts in flight."""

from datetime import timedelta

from tests.contracts.lanes import NOW, OPEN, LaneHarness, given, report, took
from webhooks.queue.lane import Lane
from webhooks.queue.memory import NEVER


async def test_a_worker_gets_the_rules_of_an_endpoint_and_their_changes(harness: LaneHarness) -> None:
    id = await harness.endpoint("strict", on_exhaustion="hold", rate_limit=5, in_flight_max=2)
    [sequence] = await harness.deliver()
    lanes = harness.lanes()
    turn = await lanes.turn([], [], claims=1)
    [(endpoint, _)] = turn.served
    assert (endpoint.on_exhaustion, endpoint.rate_limit, endpoint.in_flight_max) == ("hold", 5, 2)
    await harness.rule(id, on_exhaustion="skip", rate_limit=None)
    [(again, state)] = (await lanes.turn([report(turn, known=[sequence], lane=OPEN)], [], claims=0)).served
    assert (again.on_exhaustion, again.rate_limit, again.in_flight_max) == ("skip", None, 2)
    assert state == OPEN, "what the lane learnt counts still"


async def test_of_a_lane_just_leased_no_more_is_given_than_twice_what_may_be_on_its_way(harness: LaneHarness) -> None:
    await harness.endpoint(in_flight_max=1)
    live = await harness.deliver(4)
    recovered = await harness.deliver(4, recovered=True)
    assert given(await harness.lanes().turn([], [], claims=1)) == [*live[:2], *recovered[:1]]


async def test_a_lane_whose_rate_is_limited_is_ready_when_the_next_attempt_may_begin(harness: LaneHarness) -> None:
    id = await harness.endpoint(rate_limit=1)
    await harness.deliver(2)
    lanes, paced = harness.lanes(), Lane(paced_until=NOW + timedelta(hours=1))
    turn = await lanes.turn([], [], claims=1)
    await lanes.turn([report(turn, lane=paced)], [took(turn.heads[0])], claims=5)
    assert (await harness.row(id)).ready_at == paced.paced_until
    await harness.deliver()
    assert (await harness.row(id)).ready_at == paced.paced_until
    assert (await lanes.turn([], [], claims=5)).claimed == 0


async def test_a_lane_with_nothing_to_do_is_woken_when_the_next_attempt_may_begin(harness: LaneHarness) -> None:
    id = await harness.endpoint(rate_limit=1)
    await harness.deliver()
    lanes, paced = harness.lanes(), Lane(paced_until=NOW + timedelta(hours=1))
    turn = await lanes.turn([], [], claims=1)
    await lanes.turn([report(turn, lane=paced)], [took(turn.heads[0])], claims=5)
    assert (await harness.row(id)).ready_at == NEVER
    await harness.deliver()
    assert (await harness.row(id)).ready_at == paced.paced_until


async def test_a_fresh_start_leaves_a_lane_its_pace(harness: LaneHarness) -> None:
    id = await harness.endpoint(rate_limit=1)
    await harness.deliver(2)
    lanes, paced = harness.lanes(), Lane(paced_until=NOW + timedelta(hours=1))
    turn = await lanes.turn([], [], claims=1)
    one, other = turn.heads
    await harness.change(id, url="https://example.org/new")
    [(_, state)] = (await lanes.turn([report(turn, known=[other.sequence], lane=paced)], [took(one)], claims=0)).served
    assert state == paced
    await harness.change(id, disabled=True)
    await harness.change(id, disabled=False)
    assert (await harness.row(id)).state == paced
    assert (await harness.row(id)).ready_at == paced.paced_until
