"""What a lane learns from its attempts."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhooks import lane
from webhooks.delivery import OWN_FAULTS, Fault, Outcome
from webhooks.lane import CONCURRENCY_MAX, NEW, OPEN_S_MAX, OPEN_S_MIN, Lane

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
OK = Outcome(status=200, duration_ms=5)
ERROR = Outcome(status=500, duration_ms=5)
SILENCE = Outcome(fault="timeout", duration_ms=15_000)
REFUSED = Outcome(fault="connect", duration_ms=1)


def after(*outcomes: Outcome, start: Lane = NEW, at: datetime = NOON) -> Lane:
    state = start
    for outcome in outcomes:
        state = lane.record(state, outcome, at)
    return state


def is_open(state: Lane, at: datetime = NOON) -> bool:
    return lane.capacity(state, at) == 0


def test_a_new_lane_starts_with_four_at_once() -> None:
    assert lane.capacity(NEW, NOON) == 4


def test_each_success_doubles_what_may_be_on_its_way_up_to_32() -> None:
    assert [after(*[OK] * n).concurrency for n in range(5)] == [4, 8, 16, 32, 32]


def test_each_failure_halves_it_down_to_one() -> None:
    assert [after(*[ERROR] * n).concurrency for n in range(4)] == [4, 2, 1, 1]


def test_five_in_a_row_out_of_reach_open_the_breaker() -> None:
    assert not is_open(after(SILENCE, REFUSED, SILENCE, REFUSED))
    assert is_open(after(SILENCE, REFUSED, SILENCE, REFUSED, SILENCE))


@pytest.mark.parametrize("answer", [OK, ERROR])
def test_any_answer_breaks_the_row(answer: Outcome) -> None:
    assert not is_open(after(*[SILENCE] * 4, answer, *[SILENCE] * 4))


def test_seven_failures_of_ten_open_the_breaker() -> None:
    assert not is_open(after(*[OK] * 4, *[ERROR] * 6))
    assert is_open(after(*[OK] * 3, *[ERROR] * 7))


def test_a_success_never_opens_the_breaker() -> None:
    assert not is_open(after(*[ERROR] * 7, OK, OK, OK))


def test_fewer_than_ten_attempts_prove_nothing() -> None:
    assert not is_open(after(*[ERROR] * 9))


def test_failures_of_an_older_window_are_forgotten() -> None:
    worn = after(*[ERROR] * 9)
    assert not is_open(after(ERROR, start=worn, at=NOON + timedelta(minutes=5)))
    assert is_open(after(ERROR, start=worn, at=NOON + timedelta(minutes=4, seconds=59)))


def test_an_open_breaker_lets_nothing_through_then_one_probe() -> None:
    opened = after(*[SILENCE] * 5)
    assert lane.capacity(opened, NOON + timedelta(seconds=29)) == 0
    assert lane.capacity(opened, NOON + timedelta(seconds=30)) == 1


def test_a_probe_that_succeeds_closes_the_breaker_and_starts_slowly() -> None:
    healed = after(OK, start=after(*[SILENCE] * 5), at=NOON + timedelta(seconds=30))
    assert healed == NEW


def test_each_probe_that_fails_doubles_the_wait_up_to_fifteen_minutes() -> None:
    state, now, waits = after(*[SILENCE] * 5), NOON, []
    for _ in range(7):
        assert state.open_until is not None
        waits.append((state.open_until - now).total_seconds())
        now = state.open_until
        state = lane.record(state, SILENCE, now)
    assert waits == [30, 60, 120, 240, 480, 900, 900]


def test_what_was_on_its_way_at_the_opening_changes_nothing() -> None:
    opened = after(*[SILENCE] * 5)
    assert after(OK, ERROR, SILENCE, start=opened, at=NOON + timedelta(seconds=15)) == opened


@pytest.mark.parametrize("fault", sorted(OWN_FAULTS))
def test_faults_of_our_own_leave_the_lane_alone(fault: Fault) -> None:
    own = Outcome(fault=fault, duration_ms=0)
    worn, opened = after(*[SILENCE] * 4), after(*[SILENCE] * 5)
    assert after(*[own] * 20, start=worn) == worn
    assert after(own, start=opened, at=NOON + timedelta(minutes=1)) == opened


def test_a_lane_with_nothing_to_do_is_never_ready() -> None:
    assert lane.ready_at(NEW, None, NOON) is None


def test_a_lane_is_ready_when_its_next_delivery_is_due() -> None:
    due = NOON + timedelta(seconds=5)
    assert lane.ready_at(NEW, due, NOON) == due


def test_a_lane_long_overdue_queues_behind_those_that_wait() -> None:
    assert lane.ready_at(NEW, NOON - timedelta(hours=1), NOON) == NOON


def test_an_open_lane_is_ready_when_its_breaker_lets_a_probe_through() -> None:
    opened = after(*[SILENCE] * 5)
    assert lane.ready_at(opened, NOON, NOON) == NOON + timedelta(seconds=30)
    assert lane.ready_at(opened, NOON + timedelta(minutes=2), NOON) == NOON + timedelta(minutes=2)


outcomes = st.sampled_from([OK, ERROR, SILENCE, REFUSED, Outcome(fault="address_refused", duration_ms=0)])


@given(st.lists(st.tuples(outcomes, st.integers(0, 600)), max_size=200))
def test_no_history_takes_a_lane_out_of_bounds(history: list[tuple[Outcome, int]]) -> None:
    state, now = NEW, NOON
    for outcome, elapsed_s in history:
        now += timedelta(seconds=elapsed_s)
        if lane.capacity(state, now):
            state = lane.record(state, outcome, now)
        assert 1 <= state.concurrency <= CONCURRENCY_MAX
        assert 0 <= state.window_failures <= state.window_attempts
        if state.open_until is not None:
            assert state.open_until <= now + timedelta(seconds=OPEN_S_MAX)
            assert OPEN_S_MIN <= state.open_s <= OPEN_S_MAX


@given(st.lists(outcomes, max_size=60))
def test_a_lane_always_heals_once_its_endpoint_answers(history: list[Outcome]) -> None:
    later = NOON + timedelta(seconds=OPEN_S_MAX)
    healed = after(*[OK] * 6, start=after(*history), at=later)
    assert lane.capacity(healed, later) == CONCURRENCY_MAX
