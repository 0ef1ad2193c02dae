"""Latency of requests and webhooks of the well-behaved tenants, phase by phase."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import orjson
from rich.table import Table

from tests.servers.receiver import Received

WINDOW_S = 10.0  # the worst of these is reported apart


class Timed(NamedTuple):
    """Something that began, in seconds of time.monotonic(), and how long it took."""

    began: float
    took_s: float

    @property
    def ended(self) -> float:
        """In seconds of time.monotonic()."""
        return self.began + self.took_s


class Figures(NamedTuple):
    """Of one kind in one phase, in seconds."""

    number: int
    p50_s: float
    p99_s: float
    worst_p99_s: float  # of a window


@dataclass
class Phases:
    """When each phase began, in order."""

    began: dict[str, float] = field(default_factory=dict)

    def figures(self, timed: Sequence[Timed]) -> Mapping[str, Figures]:
        """By phase, of those that ended in it: what makes them slow is of the phase that they had to wait in."""
        names, starts = list(self.began), [*self.began.values(), float("inf")]
        found = {}
        for name, start, end in zip(names, starts, starts[1:], strict=False):
            within = [each for each in timed if start <= each.ended < end]
            if within:
                found[name] = _figures(within, start)
        return found


def of_webhooks(created: Mapping[str, float], received: Sequence[Received]) -> list[Timed]:
    """From the answer to a create to the first arrival of its `customer.created`; `created` says when, by customer."""
    first: dict[str, float] = {}
    for request in received:
        event = orjson.loads(request.body)
        customer = event["data"]["object"]["id"]
        if event["type"] == "customer.created" and customer in created:
            first.setdefault(customer, request.at)
    return [Timed(created[customer], max(at - created[customer], 0.0)) for customer, at in first.items()]


def table(api: Mapping[str, Figures], webhooks: Mapping[str, Figures]) -> Table:
    """Both, by phase."""
    drawn = Table(title="Latency of the well-behaved tenants, in milliseconds", title_justify="left")
    drawn.add_column("while", no_wrap=True)
    drawn.add_column("of", no_wrap=True)
    for name in ("count", "p50", "p99", f"worst p99 of {WINDOW_S:g} s"):
        drawn.add_column(name, justify="right")
    for phase in api:
        for kind, by_phase in (("requests", api), ("webhooks", webhooks)):
            if phase in by_phase:
                number, *seconds = by_phase[phase]
                drawn.add_row(phase, kind, f"{number:,}", *(f"{1000 * each:,.0f}" for each in seconds))
    return drawn


def _figures(timed: Sequence[Timed], start: float) -> Figures:
    windows: dict[int, list[float]] = {}
    for each in timed:
        windows.setdefault(int((each.ended - start) / WINDOW_S), []).append(each.took_s)
    took = sorted(each.took_s for each in timed)
    return Figures(
        len(took),
        _quantile(took, 0.5),
        _quantile(took, 0.99),
        max(_quantile(sorted(w), 0.99) for w in windows.values()),
    )


def _quantile(ordered: Sequence[float], part: float) -> float:
    return ordered[min(int(part * len(ordered)), len(ordered) - 1)]
