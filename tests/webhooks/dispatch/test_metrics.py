"""What is counted of attempts, and of how many endpoints at most."""

import pytest

from tests.events.times import NOON
from webhooks.dispatch import metrics
from webhooks.dispatch.metrics import ENDPOINTS_MAX, IDLE_S_MAX, OTHERS, DeliveryMetrics
from webhooks.outcome import Outcome
from webhooks.queue.retry import Delivered, GaveUp, RetryAt, Verdict

TAKEN = Outcome(status=200, duration_ms=20)
RETRY = RetryAt(NOON, 1)


@pytest.fixture
def told() -> DeliveryMetrics:
    return DeliveryMetrics(clock=lambda: 0.0)


def endpoints(told: DeliveryMetrics) -> dict[str, dict[str, int]]:
    return {id: dict(outcomes) for id, outcomes in told.by_endpoint()}


def test_attempts_are_counted_by_what_they_came_to_and_why(told: DeliveryMetrics) -> None:
    attempts: list[tuple[str, Outcome, Verdict]] = [
        ("we_1", TAKEN, Delivered()),
        ("we_1", Outcome(status=503, duration_ms=3), RETRY),
        ("we_1", Outcome(status=410, duration_ms=3), GaveUp()),
        ("we_2", Outcome(fault="timeout", duration_ms=15_000), RETRY),
        ("we_2", Outcome(status=200, fault="reset", duration_ms=3), RETRY),
        ("we_2", Outcome(fault="address_refused", duration_ms=0), RETRY),
    ]
    for id, outcome, verdict in attempts:
        told.attempted(id, outcome, verdict)
    assert told.outcomes == {"delivered": 1, "retry": 3, "gave_up": 1, "own_fault": 1}
    assert told.faults == {"status_5xx": 1, "status_4xx": 1, "timeout": 1, "reset": 1, "address_refused": 1}
    assert endpoints(told) == {
        "we_1": {"delivered": 1, "retry": 1, "gave_up": 1},
        "we_2": {"retry": 2, "own_fault": 1},
    }
    assert told.attempt_s == pytest.approx(15.029)
    at = dict(zip((*metrics.ATTEMPT_BOUNDS_S, None), told.buckets, strict=True))
    assert {bound: count for bound, count in at.items() if count} == {0.005: 4, 0.025: 1, 15.0: 1}


def test_an_endpoint_that_nothing_was_sent_to_for_an_hour_is_told_of_no_more() -> None:
    now = 0.0
    told = DeliveryMetrics(clock=lambda: now)
    told.attempted("we_1", TAKEN, Delivered())
    told.attempted("we_2", TAKEN, Delivered())
    now = IDLE_S_MAX
    told.attempted("we_1", TAKEN, Delivered())
    assert endpoints(told).keys() == {"we_1", "we_2"}
    now += 1
    assert endpoints(told) == {"we_1": {"delivered": 2}}
    assert told.outcomes == {"delivered": 3}


def test_no_more_endpoints_are_told_apart_than_the_limit() -> None:
    now = 0.0
    told = DeliveryMetrics(clock=lambda: now)
    for number in range(ENDPOINTS_MAX + 5):
        told.attempted(f"we_{number}", TAKEN, Delivered())
    told.attempted("we_0", TAKEN, Delivered())
    found = endpoints(told)
    assert len(found) == ENDPOINTS_MAX + 1
    assert (found["we_0"], found[OTHERS]) == ({"delivered": 2}, {"delivered": 5})
    now = IDLE_S_MAX + 1
    told.attempted("we_late", TAKEN, Delivered())
    assert endpoints(told) == {"we_late": {"delivered": 1}}, "room is made of those that are idle"
