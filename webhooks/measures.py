"""What this floor counts; whoever exposes it reads the attributes."""

from dataclasses import dataclass


@dataclass(slots=True)
class DeliveryMeasures:
    """A worker's counts since it started, and how things stand right now."""

    turns: int = 0  # round trips to the database
    turn_s: float = 0.0  # and the seconds they took, all together
    leased: int = 0
    lost: int = 0  # lanes that others leased from us
    delivered: int = 0
    retried: int = 0
    gave_up: int = 0
    own_faults: int = 0  # attempts that failed on our side, and are due again
    attempt_s: float = 0.0  # seconds of all attempts together
    lanes: int = 0  # held now
    in_flight: int = 0  # attempts on their way now


@dataclass(slots=True)
class FanOutMeasures:
    """Counts of fanning out, whether from the queue or from the log."""

    notices: int = 0  # that this process was asked to fan out, or found that nobody had
    deliveries: int = 0
    batches: int = 0
    found: int = 0  # by the reconciler: nobody had fanned them out in time
    lag: int = 0  # notices above the floor at the last look
    swept: int = 0
    recovered: int = 0  # deliveries made or canceled because of a pause, or as was asked
