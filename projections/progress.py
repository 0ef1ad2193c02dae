"""Progress of a long operation: numbers only; the command line draws the bar."""

import time
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Progress:
    """So many of so many events are done, at so many a second."""

    done: int
    total: int
    rate: float

    @property
    def left_s(self) -> float:
        """Seconds that the rest takes at this rate."""
        left = self.total - self.done
        return left / self.rate if self.rate else float("inf") if left else 0.0


@dataclass(slots=True)
class Meter:
    """Turns a growing count into Progress."""

    total: int
    _started: float = field(default_factory=time.monotonic)

    def at(self, done: int) -> Progress:
        """The progress when `done` are done."""
        elapsed_s = time.monotonic() - self._started
        return Progress(done, self.total, done / elapsed_s if elapsed_s > 0 else 0.0)
