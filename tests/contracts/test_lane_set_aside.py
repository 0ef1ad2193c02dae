"""The contract of lanes: lanes that are set aside because their stored data is unusable."""

import pytest

from tests.contracts.lanes import LaneHarness, report, took


async def test_a_lane_that_is_set_aside_is_let_go_and_keeps_what_waits(harness: LaneHarness) -> None:
    id, lanes = await harness.endpoint(), harness.lanes()
    [sequence] = await harness.deliver()
    turn = await lanes.turn([], [], claims=1)
    assert [head.sequence for head in turn.heads] == [sequence]
    waits = []
    for _ in range(8):
        await lanes.set_aside({id: "url_unreadable"})
        row = await harness.row(id)
        assert (row.set_aside, row.lease) == ("url_unreadable", None)
        waits.append(row.state.open_s)
        assert not (await lanes.turn([], [], claims=1)).served
        await harness.hurry()
        again = await lanes.turn([], [], claims=1)
        assert [head.sequence for head in again.heads] == [sequence]
        assert (await harness.row(id)).set_aside == "url_unreadable", "nobody knows yet that it is better"
    assert waits == [60, 120, 240, 480, 960, 1920, 3600, 3600]
    state = (await harness.row(id)).state
    assert (state.failures_in_a_row, state.failing_since is not None) == (8, True)
    assert await harness.pending() == [sequence]


async def test_a_lane_is_set_aside_no_longer_once_its_worker_reports_it(harness: LaneHarness) -> None:
    id, lanes = await harness.endpoint(), harness.lanes()
    await harness.deliver()
    await lanes.turn([], [], claims=1)
    await lanes.set_aside({id: "secret_unreadable"})
    await harness.hurry()
    turn = await lanes.turn([], [], claims=1)
    await lanes.turn([report(turn)], [took(turn.heads[0])], claims=0)
    assert (await harness.row(id)).set_aside is None
    assert await harness.pending() == []


@pytest.mark.parametrize("edit", ["url", "rules", "nothing much"])
async def test_whatever_its_owner_edits_brings_a_lane_back(harness: LaneHarness, edit: str) -> None:
    id, lanes = await harness.endpoint(), harness.lanes()
    [sequence] = await harness.deliver()
    await lanes.turn([], [], claims=1)
    await lanes.set_aside({id: "rules_invalid"})
    match edit:
        case "url":
            await harness.change(id, url="https://example.com/other")
        case "rules":
            await harness.rule(id, rate_limit=7)
        case _:
            await harness.change(id)
    row = await harness.row(id)
    assert (row.set_aside, row.state.open_until) == (None, None)
    turn = await lanes.turn([], [], claims=1)
    assert [head.sequence for head in turn.heads] == [sequence]


async def test_only_who_has_a_lane_sets_it_aside(harness: LaneHarness) -> None:
    id, lanes, others = await harness.endpoint(), harness.lanes(), harness.lanes()
    await harness.deliver()
    await lanes.turn([], [], claims=1)
    await others.set_aside({id: "internal"})
    assert (await harness.row(id)).set_aside is None
    assert not (await lanes.turn([], [], claims=1)).lost
