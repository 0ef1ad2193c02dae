"""Progress of a long operation: numbers only; the command line draws the bar."""

import time
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Progress:
    """So many of so many events are done, at so many a second."""

    done: int
    total: int
    rate: float


@dataclass(slots=True)
class Meter:
    """Turns a growing count into Progress."""

    total: int
    _started: float = field(default_factory=time.monotonic)

    def at(self, done: int) -> Progress:
        """The progress when `done` are done."""
        elapsed_s = time.monotonic() - self._started
        return Progress(done, self.total, done / elapsed_s if elapsed_s > 0 else 0.0)
