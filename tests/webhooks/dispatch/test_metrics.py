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
def counts() -> DeliveryMetrics:
    return DeliveryMetrics(clock=lambda: 0.0)


def endpoints(counts: DeliveryMetrics) -> dict[str, dict[str, int]]:
    return {id: dict(outcomes) for id, outcomes in counts.by_endpoint()}


def test_attempts_are_counted_by_what_they_came_to_and_why(counts: DeliveryMetrics) -> None:
    attempts: list[tuple[str, Outcome, Verdict]] = [
        ("we_1", TAKEN, Delivered()),
        ("we_1", Outcome(status=503, duration_ms=3), RETRY),
        ("we_1", Outcome(status=410, duration_ms=3), GaveUp()),
        ("we_2", Outcome(fault="timeout", duration_ms=15_000), RETRY),
        ("we_2", Outcome(status=200, fault="reset", duration_ms=3), RETRY),
        ("we_2", Outcome(fault="address_refused", duration_ms=0), RETRY),
    ]
    for id, outcome, verdict in attempts:
        counts.attempted(id, outcome, verdict)
    assert counts.outcomes == {"delivered": 1, "retry": 3, "gave_up": 1, "own_fault": 1}
    assert counts.faults == {"status_5xx": 1, "status_4xx": 1, "timeout": 1, "reset": 1, "address_refused": 1}
    assert endpoints(counts) == {
        "we_1": {"delivered": 1, "retry": 1, "gave_up": 1},
        "we_2": {"retry": 2, "own_fault": 1},
    }
    assert counts.attempt_s == pytest.approx(15.029)
    at = dict(zip((*metrics.ATTEMPT_BOUNDS_S, None), counts.buckets, strict=True))
    assert {bound: count for bound, count in at.items() if count} == {0.005: 4, 0.025: 1, 15.0: 1}


def test_an_endpoint_that_nothing_was_sent_to_for_an_hour_is_exported_no_more() -> None:
    now = 0.0
    counts = DeliveryMetrics(clock=lambda: now)
    counts.attempted("we_1", TAKEN, Delivered())
    counts.attempted("we_2", TAKEN, Delivered())
    now = IDLE_S_MAX
    counts.attempted("we_1", TAKEN, Delivered())
    assert endpoints(counts).keys() == {"we_1", "we_2"}
    now += 1
    assert endpoints(counts) == {"we_1": {"delivered": 2}}
    assert counts.outcomes == {"delivered": 3}


def test_no_more_endpoints_are_counted_separately_than_the_limit() -> None:
    now = 0.0
    counts = DeliveryMetrics(clock=lambda: now)
    for number in range(ENDPOINTS_MAX + 5):
        counts.attempted(f"we_{number}", TAKEN, Delivered())
    counts.attempted("we_0", TAKEN, Delivered())
    found = endpoints(counts)
    assert len(found) == ENDPOINTS_MAX + 1
    assert (found["we_0"], found[OTHERS]) == ({"delivered": 2}, {"delivered": 5})
    now = IDLE_S_MAX + 1
    counts.attempted("we_late", TAKEN, Delivered())
    assert endpoints(counts) == {"we_late": {"delivered": 1}}, "room is made of those that are idle"
