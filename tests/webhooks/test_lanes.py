"""Turns: leases that exclude each other, and results that count once."""

from datetime import UTC, datetime, timedelta

from tests.webhooks.floor import Floor
from webhooks.delivery import Delivered, Outcome, RetryAt
from webhooks.lane import NEW, Lane
from webhooks.lanes import Head, Lanes, Report, Result, Turn, result

NOW = datetime.now(UTC)
OPEN = Lane(open_until=NOW + timedelta(hours=1), open_s=3600)


def report(turn: Turn, *, known: tuple[int, ...] = (), want: int = 0, lane: Lane = NEW, touched: bool = True) -> Report:
    """A report of the first lane of a turn."""
    told, _ = turn.served[0]
    return Report(told.id, told.version, touched, known, want, 0, lane)


def took(head: Head) -> Result:
    """The receiver took it."""
    return result(head, Outcome(status=200, duration_ms=3), Delivered(), NOW)


def failed(head: Head, wait_s: float = 5) -> Result:
    """The receiver did not."""
    verdict = RetryAt(NOW + timedelta(seconds=wait_s), head.attempts + 1)
    return result(head, Outcome(status=500, duration_ms=3), verdict, NOW)


async def test_a_lane_is_born_as_the_rules_say(house: Floor) -> None:
    id = await house.endpoint()
    row = await house.lane(id)
    assert Lane(**{name: row[name] for name in Lane.__slots__}) == NEW


async def test_a_leased_lane_is_nobody_elses(house: Floor) -> None:
    id = await house.endpoint()
    sequences = await house.notices(3)
    await house.catch_up()
    first, second = Lanes(house.dsn), Lanes(house.dsn)
    turn = await first.turn([], [], claims=5)
    assert turn.claimed == 1
    assert [head.sequence for head in turn.heads] == sequences
    assert {head.endpoint_id for head in turn.heads} == {id}
    assert (await second.turn([], [], claims=5)).claimed == 0
    await first.close()
    await second.close()


async def test_a_lane_whose_lease_ran_out_is_leased_again_and_its_old_worker_records_nothing(house: Floor) -> None:
    await house.endpoint()
    await house.notices()
    await house.catch_up()
    dead, alive = Lanes(house.dsn, lease_s=0), Lanes(house.dsn)
    old = await dead.turn([], [], claims=1)
    new = await alive.turn([], [], claims=1)
    assert [head.notice_id for head in new.heads] == [head.notice_id for head in old.heads]
    late = await dead.turn([report(old)], [took(old.heads[0])], claims=0)
    assert late.lost == [old.heads[0].endpoint_id]
    assert len(await house.deliveries()) == 1
    assert await house.attempts() == []
    await dead.close()
    await alive.close()


async def test_a_result_told_twice_is_recorded_once(house: Floor) -> None:
    await house.endpoint()
    await house.notices(2)
    await house.catch_up()
    lanes = Lanes(house.dsn)
    turn = await lanes.turn([], [], claims=1)
    one, other = turn.heads
    told = [took(one), failed(other)]
    for _ in range(2):
        await lanes.turn([report(turn, known=(other.sequence,))], told, claims=0)
    assert [row["outcome"] for row in await house.attempts()] == ["delivered", "retry"]
    assert [n for n, _ in await house.deliveries()] == [other.sequence]
    await lanes.close()


async def test_a_lane_is_let_go_until_its_next_delivery_is_due(house: Floor) -> None:
    id = await house.endpoint()
    await house.notices()
    await house.catch_up()
    lanes = Lanes(house.dsn)
    turn = await lanes.turn([], [], claims=1)
    done = await lanes.turn([report(turn)], [failed(turn.heads[0], wait_s=300)], claims=5)
    lane = await house.lane(id)
    assert (lane["lease"], lane["ready_at"]) == (None, done.moment + timedelta(seconds=300))
    await lanes.close()


async def test_a_lane_with_nothing_to_do_waits_for_fan_out(house: Floor) -> None:
    id = await house.endpoint()
    await house.notices()
    await house.catch_up()
    lanes = Lanes(house.dsn)
    turn = await lanes.turn([], [], claims=1)
    await lanes.turn([report(turn)], [took(turn.heads[0])], claims=5)
    assert await house.owner.fetchval("SELECT ready_at = 'infinity' FROM webhooks.lane WHERE endpoint_id = $1", id)
    [sequence] = await house.notices()
    await house.catch_up()
    again = await lanes.turn([], [], claims=5)
    assert [head.sequence for head in again.heads] == [sequence]
    await lanes.close()


async def test_new_deliveries_reach_a_lane_while_it_is_held(house: Floor) -> None:
    await house.endpoint()
    [first] = await house.notices()
    await house.catch_up()
    lanes = Lanes(house.dsn)
    turn = await lanes.turn([], [], claims=1)
    looked = report(turn, known=(first,), want=3, touched=False)
    assert (await lanes.turn([looked], [], claims=0)).heads == []
    second = await house.notices(5)
    await house.catch_up()
    more = await lanes.turn([looked], [], claims=0)
    assert [head.sequence for head in more.heads] == second[:3]
    await lanes.close()


async def test_an_open_breaker_keeps_the_lane_from_everybody(house: Floor) -> None:
    id = await house.endpoint()
    await house.notices(2)
    await house.catch_up()
    lanes = Lanes(house.dsn)
    turn = await lanes.turn([], [], claims=1)
    await lanes.turn([report(turn, lane=OPEN)], [failed(turn.heads[0])], claims=5)
    await house.notices()
    await house.catch_up()
    assert (await house.lane(id))["ready_at"] == OPEN.open_until
    assert (await lanes.turn([], [], claims=5)).claimed == 0
    await house.hurry()
    probe = await lanes.turn([], [], claims=5)
    assert len(probe.heads) == 1, "one probe decides"
    await lanes.close()


async def test_a_new_url_is_a_fresh_start_for_its_lane(house: Floor) -> None:
    id = await house.endpoint()
    await house.notices(2)
    await house.catch_up()
    lanes = Lanes(house.dsn)
    turn = await lanes.turn([], [], claims=1)
    one, other = turn.heads
    await house.edit(id, url="https://example.org/new")
    told = await lanes.turn([report(turn, known=(other.sequence,), lane=OPEN)], [failed(one)], claims=0)
    [(endpoint, lane)] = told.served
    assert (endpoint.url, lane) == ("https://example.org/new", NEW)
    await lanes.close()


async def test_what_a_lane_learnt_counts_though_its_endpoint_was_edited_meanwhile(house: Floor) -> None:
    id = await house.endpoint()
    await house.notices(2)
    await house.catch_up()
    lanes = Lanes(house.dsn)
    turn = await lanes.turn([], [], claims=1)
    one, other = turn.heads
    await house.edit(id, description="edited")
    gone = Lane(failing_since=turn.moment, failures_in_a_row=1, gone=True)
    told = await lanes.turn([report(turn, known=(other.sequence,), lane=gone)], [failed(one)], claims=0)
    assert [state for _, state in told.served] == [gone]
    row = await house.lane(id)
    assert Lane(**{name: row[name] for name in Lane.__slots__}) == gone
    await lanes.close()


async def test_lanes_of_an_answer_that_was_lost_are_leased_again_by_the_same_worker(house: Floor) -> None:
    known, unknown = await house.endpoint(), await house.endpoint()
    await house.notices(20)  # more than a lane is given at first
    await house.catch_up()
    lanes = Lanes(house.dsn)
    await lanes.turn([], [], claims=5)
    assert (await lanes.turn([], [], claims=5)).claimed == 0
    again = await lanes.turn([], [], claims=5, held=[known])
    assert [endpoint.id for endpoint, _ in again.served] == [unknown]
    await lanes.close()


async def test_only_proven_lanes_are_leased_when_that_is_asked(house: Floor) -> None:
    proven, _ = await house.endpoint(), await house.endpoint()
    await house.notices()
    await house.catch_up()
    await house.owner.execute("UPDATE webhooks.lane SET window_attempts = 1 WHERE endpoint_id = $1", proven)
    lanes = Lanes(house.dsn)
    turn = await lanes.turn([], [], claims=5, proven=True)
    assert [endpoint.id for endpoint, _ in turn.served] == [proven]
    await lanes.close()


async def test_turns_look_nothing_up_but_by_index(house: Floor) -> None:
    for _ in range(3):
        await house.endpoint()
    await house.notices(20)
    await house.catch_up()
    lanes = Lanes(house.dsn)
    turn = await lanes.turn([], [], claims=1)
    for _ in range(3):
        turn = await lanes.turn([report(turn, want=5)], [took(head) for head in turn.heads], claims=1)
    await lanes.close()
    ask = """
        SELECT relname, seq_scan FROM pg_stat_user_tables
        WHERE schemaname = 'webhooks' AND relname IN ('delivery', 'lane', 'endpoint') AND seq_scan > 0
    """
    assert list(await house.owner.fetch(ask)) == []
