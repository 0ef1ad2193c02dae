"""What becomes of a delivery, as given, when, then."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from webhooks.outcome import OWN_FAULTS, Fault, Outcome
from webhooks.queue.retry import ATTEMPTS_MAX, Delivered, GaveUp, RetryAt, Verdict, judge, quiet_until, retry_at

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Attempt:
    """A delivery at its `number`th attempt, waiting for what it comes to."""

    number: int

    def when(self, outcome: Outcome, jitter: float = 0.0) -> "Judged":
        return Judged(judge(outcome, self.number, NOON, jitter))


@dataclass(frozen=True)
class Judged:
    verdict: Verdict

    def then(self, expected: Verdict) -> None:
        assert self.verdict == expected


def given(attempt: int) -> Attempt:
    return Attempt(attempt)


def answered(status: int, retry_after: str | None = None) -> Outcome:
    return Outcome(status=status, retry_after=retry_after, duration_ms=12)


def failed(fault: Fault, status: int | None = None) -> Outcome:
    return Outcome(fault=fault, status=status, duration_ms=12)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_delivers(status: int) -> None:
    given(attempt=1).when(answered(status)).then(Delivered())


@pytest.mark.parametrize("status", [301, 302, 307, 400, 404, 413, 500, 501])
def test_any_other_status_is_tried_again(status: int) -> None:
    given(attempt=1).when(answered(status)).then(RetryAt(NOON + timedelta(seconds=5), attempts=1))


@pytest.mark.parametrize("overload", [answered(429), answered(502), answered(503), answered(504), failed("timeout")])
def test_a_receiver_with_too_much_to_do_is_given_a_minute_at_least(overload: Outcome) -> None:
    given(attempt=1).when(overload).then(RetryAt(NOON + timedelta(seconds=60), attempts=1))
    given(attempt=1).when(overload, jitter=0.5).then(RetryAt(NOON + timedelta(seconds=66), attempts=1))
    given(attempt=3).when(overload).then(RetryAt(NOON + timedelta(minutes=5), attempts=3))
    given(attempt=ATTEMPTS_MAX).when(overload).then(GaveUp())


def test_a_receiver_that_is_gone_ends_the_delivery_at_once() -> None:
    given(attempt=1).when(answered(410)).then(GaveUp())
    given(attempt=1).when(failed("reset", status=410)).then(RetryAt(NOON + timedelta(seconds=5), attempts=1))


@pytest.mark.parametrize("asked", ["900", " 900 ", "Sun, 01 Mar 2026 12:15:00 GMT", "Sunday, 01-Mar-26 12:15:00 GMT"])
def test_a_receiver_is_left_alone_as_long_as_it_asks(asked: str) -> None:
    until = NOON + timedelta(minutes=15)
    given(attempt=1).when(answered(503, asked)).then(RetryAt(until, attempts=1))
    given(attempt=1).when(answered(500, asked)).then(RetryAt(until, attempts=1))
    assert quiet_until(answered(503, asked), 1, NOON) == until


@pytest.mark.parametrize("asked", ["86400", "9" * 64, "Tue, 01 Mar 2050 12:00:00 GMT"])
def test_but_no_longer_than_the_schedule_and_two_hours(asked: str) -> None:
    given(attempt=4).when(answered(429, asked)).then(RetryAt(NOON + timedelta(hours=2, minutes=30), attempts=4))
    given(attempt=ATTEMPTS_MAX).when(answered(429, asked)).then(GaveUp())
    assert quiet_until(answered(429, asked), ATTEMPTS_MAX, NOON) == NOON + timedelta(hours=2)


def test_what_it_asks_never_brings_a_try_forward() -> None:
    given(attempt=5).when(answered(503, "1")).then(RetryAt(NOON + timedelta(hours=2), attempts=5))
    assert quiet_until(answered(503, "1"), 5, NOON) == NOON + timedelta(seconds=1)


@pytest.mark.parametrize(
    "asked", ["", "0", "-5", "soon", "1.5", "\u0663", "Sun, 01 Mar 2026 11:00:00 GMT", "Sun, 99 Mar 2026 11:00:00 GMT"]
)
def test_what_asks_for_nothing_changes_nothing(asked: str) -> None:
    assert quiet_until(answered(500, asked), 1, NOON) is None
    given(attempt=1).when(answered(500, asked)).then(RetryAt(NOON + timedelta(seconds=5), attempts=1))


def test_a_receiver_that_took_it_asks_for_nothing() -> None:
    assert quiet_until(answered(200, "900"), 1, NOON) is None


@pytest.mark.parametrize("fault", sorted(set(get_args(Fault)) - OWN_FAULTS - {"timeout"}))
def test_a_fault_of_the_receiver_takes_a_try(fault: Fault) -> None:
    given(attempt=2).when(failed(fault)).then(RetryAt(NOON + timedelta(seconds=30), attempts=2))


def test_an_answer_that_broke_off_does_not_deliver_whatever_its_status() -> None:
    given(attempt=1).when(failed("reset", status=200)).then(RetryAt(NOON + timedelta(seconds=5), attempts=1))


@pytest.mark.parametrize("attempt", [1, 5, ATTEMPTS_MAX])
@pytest.mark.parametrize("fault", sorted(OWN_FAULTS))
def test_a_fault_of_our_own_takes_none_of_the_tries(attempt: int, fault: Fault) -> None:
    given(attempt).when(failed(fault)).then(RetryAt(NOON + timedelta(minutes=1), attempts=attempt - 1))


@pytest.mark.parametrize(
    ("lasts", "wait"),
    [
        (timedelta(0), timedelta(minutes=1)),
        (timedelta(seconds=59), timedelta(minutes=1)),
        (timedelta(minutes=7), timedelta(minutes=7)),
        (timedelta(days=2), timedelta(hours=1)),
    ],
)
def test_after_a_fault_of_our_own_the_wait_grows_with_how_long_the_endpoint_has_failed(
    lasts: timedelta, wait: timedelta
) -> None:
    refused = Outcome(fault="address_refused", duration_ms=0)
    assert judge(refused, 3, NOON, 0, NOON - lasts) == RetryAt(NOON + wait, attempts=2)


def test_after_eleven_tries_it_is_given_up() -> None:
    given(attempt=10).when(answered(500)).then(RetryAt(NOON + timedelta(hours=24), attempts=10))
    given(attempt=11).when(answered(500)).then(GaveUp())


def test_the_eleventh_try_can_still_deliver() -> None:
    given(attempt=11).when(answered(200)).then(Delivered())


def test_waits_are_the_published_ones() -> None:
    waits = [(at - NOON).total_seconds() for n in range(1, 11) if (at := retry_at(n, NOON, 0.0)) is not None]
    minute, hour = 60, 3600
    assert waits == [
        5, 30, 5 * minute, 30 * minute, 2 * hour, 5 * hour, 10 * hour, 14 * hour, 20 * hour, 24 * hour,
    ]  # fmt: skip
    assert sum(waits) > timedelta(days=3).total_seconds()


@for_all(st.text(max_size=64))
def test_no_wish_is_beyond_us(asked: str) -> None:
    at = quiet_until(answered(503, asked), 1, NOON)
    assert at is None or NOON < at <= NOON + timedelta(hours=2, seconds=5)


@for_all(attempt=st.integers(1, 10), jitter=st.floats(0, 1, exclude_max=True))
def test_jitter_only_lengthens_a_wait_and_by_at_most_a_fifth(attempt: int, jitter: float) -> None:
    plain, jittered = retry_at(attempt, NOON, 0.0), retry_at(attempt, NOON, jitter)
    assert plain is not None
    assert jittered is not None
    assert plain - NOON <= jittered - NOON <= (plain - NOON) * 1.2
