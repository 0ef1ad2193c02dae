"""Time that passes in an instant: a loop that jumps to its next timer whenever nothing is ready.

No file, socket or thread is waited for, so what runs here is the same each time, to the step.
"""

import asyncio
import selectors
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

Result = TypeVar("Result")

BEGINNING = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Stuck(Exception):
    """Nothing is ready, and no timer is set: what runs would wait for ever."""


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop whose time starts at 0 and passes only while nothing is to be done."""

    def __init__(self) -> None:
        self._timers = _Timers()
        super().__init__(self._timers)

    def time(self) -> float:
        """Seconds since the beginning."""
        return self._timers.elapsed_s

    def pass_time(self, seconds: float) -> None:
        """Let what runs now take so long."""
        self._timers.elapsed_s += seconds


class _Timers(selectors.SelectSelector):
    """What a loop asks to wait until its next timer: it is that late at once."""

    def __init__(self) -> None:
        super().__init__()
        self.elapsed_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise Stuck
        self.elapsed_s += max(timeout, 0.0)
        return []


class VirtualClock:
    """The time of the loop that runs, as a Clock."""

    def now(self) -> datetime:
        """The present moment, aware, in UTC."""
        return BEGINNING + timedelta(seconds=asyncio.get_running_loop().time())


def run(main: Coroutine[Any, Any, Result]) -> Result:
    """What `main` gives, run to its end in virtual time."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)
