"""Metrics of a worker: counts and gauges that the process exposes."""

from bisect import bisect_left
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from time import monotonic

from webhooks.outcome import Outcome
from webhooks.queue.retry import Delivered, GaveUp, RetryAt, Verdict

ATTEMPT_BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 30.0)
ENDPOINTS_MAX = 1_000  # counted apart; further ones are counted together
OTHERS = "others"
IDLE_S_MAX = 3600.0  # an endpoint without attempts for so long is dropped from the metrics
ATTEMPT_OUTCOMES = {Delivered: "delivered", RetryAt: "retry", GaveUp: "gave_up"}
OWN_FAULT = "own_fault"


@dataclass(slots=True)
class DeliveryMetrics:
    """Counters of a worker since it started, and its current gauges."""

    turns: int = 0  # round trips to the database
    turn_s: float = 0.0  # their total duration in seconds
    leased: int = 0
    lost: int = 0  # lanes whose lease expired and was taken by another worker
    set_aside: Counter[str] = field(default_factory=Counter)  # lanes set aside, by reason
    lanes: int = 0  # leased now
    in_flight: int = 0  # attempts in flight now
    outcomes: Counter[str] = field(default_factory=Counter)  # of attempts: delivered, retry, gave_up, own_fault
    faults: Counter[str] = field(default_factory=Counter)  # of those not delivered: a Fault, or status_5xx
    attempt_s: float = 0.0  # total duration of all attempts in seconds
    buckets: list[int] = field(default_factory=lambda: [0] * (len(ATTEMPT_BOUNDS_S) + 1))  # attempts, by duration
    clock: Callable[[], float] = monotonic
    _endpoints: OrderedDict[str, "_OfEndpoint"] = field(default_factory=OrderedDict)  # the longest idle first

    def attempted(self, endpoint_id: str, outcome: Outcome, verdict: Verdict) -> None:
        """Count one attempt."""
        name = OWN_FAULT if outcome.own_fault else ATTEMPT_OUTCOMES[type(verdict)]
        self.outcomes[name] += 1
        if not outcome.delivered:
            self.faults[outcome.fault or f"status_{(outcome.status or 0) // 100}xx"] += 1
        elapsed_s = outcome.duration_ms / 1000
        self.attempt_s += elapsed_s
        self.buckets[bisect_left(ATTEMPT_BOUNDS_S, elapsed_s)] += 1
        known = self._endpoints.get(endpoint_id)
        if known is None:
            endpoint_id, known = self._take_up(endpoint_id)
        self._endpoints.move_to_end(endpoint_id)
        known.outcomes[name] += 1
        known.at = self.clock()

    def by_endpoint(self) -> Iterator[tuple[str, Counter[str]]]:
        """The outcomes of attempts by endpoint, of those attempted in the last hour."""
        self._forget_idle()
        return ((id, known.outcomes) for id, known in self._endpoints.items())

    def _take_up(self, id: str) -> tuple[str, "_OfEndpoint"]:
        """Count another endpoint by itself, or together with the others when there are too many."""
        if len(self._endpoints) >= ENDPOINTS_MAX:
            self._forget_idle()
        if len(self._endpoints) >= ENDPOINTS_MAX:
            id = OTHERS
        return id, self._endpoints.setdefault(id, _OfEndpoint())

    def _forget_idle(self) -> None:
        while self._endpoints:
            id, known = next(iter(self._endpoints.items()))
            if self.clock() - known.at <= IDLE_S_MAX:
                return
            del self._endpoints[id]


@dataclass(slots=True)
class _OfEndpoint:
    outcomes: Counter[str] = field(default_factory=Counter)
    at: float = 0.0  # of its last attempt
