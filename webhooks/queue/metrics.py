"""Metrics of fan-out: counts that the process exposes."""

from dataclasses import dataclass


@dataclass(slots=True)
class FanOutMetrics:
    """Counts of fanning out, whether from the queue or from the log."""

    notices: int = 0  # that this process was asked to fan out, or found that nobody had
    deliveries: int = 0
    batches: int = 0
    found: int = 0  # by the reconciler: nobody had fanned them out in time
    swept: int = 0
    recovered: int = 0  # deliveries made or canceled because of a pause, or as was asked
