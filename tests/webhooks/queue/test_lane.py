"""What a lane learns from its attempts."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhooks.outcome import OWN_FAULTS, SHARED_FAULTS, Fault, Outcome
from webhooks.queue import lane
from webhooks.queue.lane import CONCURRENCY_MAX, NEW, OPEN_S_MAX, OPEN_S_MAX_SHARED, OPEN_S_MIN, Lane

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


OVERLOAD = Outcome(status=503, duration_ms=5)


@pytest.mark.parametrize("overload", [OVERLOAD, SILENCE, Outcome(status=429, duration_ms=5)])
def test_after_an_overload_it_grows_step_by_step_a_round_of_successes_each(overload: Outcome) -> None:
    halved = after(overload, start=after(*[OK] * 3))
    assert halved.concurrency == 16
    assert [after(*[OK] * n, start=halved).concurrency for n in (15, 16, 32, 33)] == [16, 17, 17, 18]
    recovered = after(*[OK] * sum(range(16, 32)), start=halved)
    assert (recovered.concurrency, recovered.step_in) == (CONCURRENCY_MAX, 0)


def test_any_failure_halves_it_while_it_recovers() -> None:
    recovering = after(OVERLOAD, ERROR, start=after(*[OK] * 3))
    assert recovering.concurrency == 8
    assert [after(*[OK] * n, start=recovering).concurrency for n in (7, 8)] == [8, 9]


def test_a_lane_is_left_alone_as_long_as_its_receiver_asked() -> None:
    quarter = NOON + timedelta(minutes=15)
    quiet = lane.record(NEW, OVERLOAD, NOON, quarter)
    assert lane.capacity(quiet, quarter - timedelta(seconds=1)) == 0
    assert lane.capacity(quiet, quarter) == quiet.concurrency == 2
    assert lane.ready_at(quiet, NOON, NOON) == quarter
    shorter = lane.record(quiet, OVERLOAD, NOON, NOON + timedelta(minutes=1))
    assert shorter.quiet_until == quarter, "the longest wish counts"
    assert after(OK, start=quiet).quiet_until == quarter, "what was in flight ends nothing"
    assert after(OK, start=quiet, at=quarter).quiet_until is None


def test_a_breaker_that_opens_lets_its_probe_wait_for_what_was_asked() -> None:
    opened = lane.record(after(*[SILENCE] * 4), SILENCE, NOON, NOON + timedelta(minutes=15))
    assert lane.capacity(opened, NOON + timedelta(seconds=30)) == 0
    assert lane.ready_at(opened, NOON, NOON) == NOON + timedelta(minutes=15)
    assert lane.capacity(opened, NOON + timedelta(minutes=15)) == 1


def test_a_lane_that_is_gone_is_never_ready_again() -> None:
    gone = after(Outcome(status=410, duration_ms=5), OK, start=after(OK))
    assert lane.capacity(gone, NOON) == 0
    assert lane.ready_at(gone, NOON, NOON) is None
    assert gone.gone


def test_failures_are_counted_from_the_first_since_the_last_success() -> None:
    later = NOON + timedelta(minutes=1)
    failing = after(*[SILENCE] * 7, start=after(ERROR, start=after(OK)), at=later)
    assert is_open(failing, later)
    assert (failing.failing_since, failing.failures_in_a_row) == (NOON, 8)
    for healed in (after(OK, start=failing, at=later), after(OK, start=failing, at=later + timedelta(minutes=1))):
        assert (healed.failing_since, healed.failures_in_a_row) == (None, 0)


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


def test_what_was_on_its_way_at_the_opening_leaves_the_breaker_as_it_is() -> None:
    opened = after(*[SILENCE] * 5)
    later = after(OK, ERROR, SILENCE, start=opened, at=NOON + timedelta(seconds=15))
    assert replace(later, failing_since=NOON, failures_in_a_row=5) == opened


@pytest.mark.parametrize("fault", sorted(OWN_FAULTS))
def test_faults_of_our_own_open_the_breaker_too_and_count_as_failing(fault: Fault) -> None:
    own = Outcome(fault=fault, duration_ms=0)
    refused = after(*[own] * 4)
    assert (refused.open_until, refused.failing_since, refused.failures_in_a_row) == (None, NOON, 4)
    opened = after(own, start=refused)
    assert (opened.open_until, opened.failures_in_a_row) == (NOON + timedelta(seconds=OPEN_S_MIN), 5)
    later, probes = NOON, 0
    while later < NOON + timedelta(hours=5):
        assert opened.open_until is not None
        later = opened.open_until
        opened, probes = after(own, start=opened, at=later), probes + 1
    longest = OPEN_S_MAX_SHARED if fault in SHARED_FAULTS else OPEN_S_MAX
    assert opened.open_s == longest
    assert probes <= 5 * 3600 / longest + 6
    healed = after(OK, start=opened, at=later + timedelta(hours=1))
    assert (healed.open_until, healed.failing_since, healed.failures_in_a_row) == (None, None, 0)


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
    healed = after(*[OK] * sum(range(CONCURRENCY_MAX)), start=after(*history), at=later)
    assert lane.capacity(healed, later) == CONCURRENCY_MAX
