"""Metrics of fan-out: counts that the process exposes."""

from dataclasses import dataclass


@dataclass(slots=True)
class FanOutMetrics:
    """Counts of fan-out, by broker consumers and by the reconciler."""

    notices: int = 0  # that this process fanned out, from messages or as the reconciler
    deliveries: int = 0
    batches: int = 0
    found: int = 0  # notices that the reconciler fanned out because no consumer had
    swept: int = 0
    recovered: int = 0  # deliveries made or canceled after a pause, or by request
