"""What a row of the benchmarks finds: figures, each compared with a baseline and, where one was promised, a bound."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

Measure = Callable[[], Awaitable[float]]


class Unmeasurable(Exception):
    """A row cannot be measured here; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Bound:
    """The figure that was promised."""

    side: Literal["at least", "at most"]
    limit: float

    def kept(self, value: float) -> bool:
        """Whether `value` keeps the promise."""
        return value >= self.limit if self.side == "at least" else value <= self.limit

    def __str__(self) -> str:
        return f"{'≥' if self.side == 'at least' else '≤'} {self.limit:g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of the table.

    `baseline` and `subject` are medians, in `unit`. The figure itself is `value`: a ratio of the two, or the subject's
    milliseconds where the promise is made in those. `lowest` and `highest` are its extremes over the rounds.
    """

    row: str
    what: str
    unit: str
    baseline_is: str
    baseline: float
    subject: float
    value: float
    value_unit: Literal["ratio", "ms"] = "ratio"
    lowest: float
    highest: float
    bound: Bound | None = None
    note: str = ""

    @property
    def kept(self) -> bool | None:
        """Whether the promise is kept; None when none was made."""
        return None if self.bound is None else self.bound.kept(self.value)


@dataclass(frozen=True, slots=True)
class Missing:
    """A row that could not be measured, and why."""

    row: str
    why: str


@dataclass(frozen=True, slots=True)
class Rounds:
    """Readings of a baseline and a subject that took turns."""

    baselines: Sequence[float]
    subjects: Sequence[float]

    @property
    def ratios(self) -> list[float]:
        """Subject by baseline, a round each: noise that lasts longer than a round cancels."""
        return [subject / baseline for baseline, subject in zip(self.baselines, self.subjects, strict=True)]

    def figure(
        self, *, row: str, what: str, unit: str, baseline_is: str, bound: Bound | None = None, note: str = ""
    ) -> Figure:
        """The median of the ratios, and what it is made of."""
        return Figure(
            row=row,
            what=what,
            unit=unit,
            baseline_is=baseline_is,
            baseline=median(self.baselines),
            subject=median(self.subjects),
            value=median(self.ratios),
            lowest=min(self.ratios),
            highest=max(self.ratios),
            bound=bound,
            note=note,
        )


async def take_turns(baseline: Measure, subject: Measure, *, rounds: int, warm_up: bool = True) -> Rounds:
    """Measure one after the other, `rounds` times; with `warm_up` once more before, for nothing."""
    if warm_up:
        await baseline()
        await subject()
    pairs = [(await baseline(), await subject()) for _ in range(rounds)]
    return Rounds([pair[0] for pair in pairs], [pair[1] for pair in pairs])


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` (0 to 1) of `values` do not exceed; the nearest one that occurred."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))]
