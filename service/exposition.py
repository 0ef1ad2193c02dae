"""Prometheus' text exposition format, rendered incrementally: a scrape costs what has changed since the last one.

prometheus-client's own renderer takes some microseconds a line, in the event loop; with a histogram for each route that
is as much time as dozens of requests take.
"""

import asyncio
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate
from math import inf

from prometheus_client.core import Metric
from prometheus_client.samples import Sample

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
REST = 9  # times as long as a scrape took


class Scrapes:
    """Renders `/metrics` once for all concurrent scrapes, and then pauses nine times as long as it took: at most a
    tenth of the time of the loop. A scrape never gets a rendering that is older than its request. `/metrics` needs no
    key, so scrapes must be cheap.
    """

    def __init__(self, render: Callable[[], bytes]) -> None:
        self._render = render
        self._rests_until = 0.0  # of the loop's time
        self._next: asyncio.Task[bytes] | None = None

    async def text(self) -> bytes:
        """Every metric as it is now, or a moment later."""
        if self._next is None:
            self._next = asyncio.create_task(self._scrape())
        return await asyncio.shield(self._next)

    async def _scrape(self) -> bytes:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(max(0.0, self._rests_until - loop.time()))
        self._next = None
        began = loop.time()
        try:
            return self._render()
        finally:
            self._rests_until = loop.time() + REST * (loop.time() - began)


class RequestCounts:
    """Requests by route and status, and their times: plain counts, put into lines when somebody asks.

    A meter of prometheus-client's own costs a lock for every step, and every request takes three.
    """

    def __init__(self, bounds_s: Sequence[float]) -> None:
        self._bounds_s = bounds_s
        self._routes: dict[str, _Route] = {}

    def of(self, route: str) -> Callable[[int, float], None]:
        """A meter for one route: call it with the status and the seconds of each answer."""
        if route not in self._routes:
            self._routes[route] = _Route(route, self._bounds_s)
        return self._routes[route].answered

    def lines(self) -> Iterator[str]:
        """The counts so far; routes that were never asked for are left out."""
        asked = [route for route in self._routes.values() if route.statuses]
        for route in asked:
            route.render()
        yield _heading("service_requests_total", "counter", "Requests answered.")
        yield from (route.requests for route in asked)
        yield _heading("service_request_seconds", "histogram", "Time to answer a request.")
        yield from (route.seconds for route in asked)


class _Route:
    """The counts of one route, and their lines as they were rendered last."""

    def __init__(self, name: str, bounds_s: Sequence[float]) -> None:
        self.statuses: Counter[int] = Counter()
        self.requests = ""
        self.seconds = ""
        self._bounds_s = bounds_s
        self._buckets = [0] * (len(bounds_s) + 1)
        self._total_s = 0.0
        self._changed = False
        label = f'route="{_escaped(name)}"'
        self._label = label
        plain = label.replace("%", "%%")
        buckets = [
            f'service_request_seconds_bucket{{le="{_number(bound)}",{plain}}} %d.0\n' for bound in (*bounds_s, inf)
        ]
        rest = f"service_request_seconds_count{{{plain}}} %d.0\nservice_request_seconds_sum{{{plain}}} %r\n"
        self._template = "".join(buckets) + rest

    def answered(self, status: int, elapsed_s: float) -> None:
        self.statuses[status] += 1
        self._buckets[bisect_left(self._bounds_s, elapsed_s)] += 1
        self._total_s += elapsed_s
        self._changed = True

    def render(self) -> None:
        if not self._changed:
            return
        self._changed = False
        self.requests = "".join(
            [
                f'service_requests_total{{{self._label},status="{status}"}} {count}.0\n'
                for status, count in sorted(self.statuses.items())
            ]
        )
        cumulated = list(accumulate(self._buckets))
        self.seconds = self._template % (*cumulated, cumulated[-1], self._total_s)


class EndpointAttempts:
    """Attempts by endpoint and outcome; the lines of an endpoint are kept until it has another attempt."""

    def __init__(self, by_endpoint: Callable[[], Iterable[tuple[str, Counter[str]]]]) -> None:
        self._by_endpoint = by_endpoint
        self._rendered: dict[str, tuple[Counter[str], int, str]] = {}  # what was counted, how much, and its lines

    def lines(self) -> Iterator[str]:
        """The counts so far of the endpoints that are counted apart."""
        before, self._rendered = self._rendered, {}
        yield _heading(
            "webhooks_endpoint_attempts_total",
            "counter",
            "Attempts by endpoint and outcome, of endpoints with an attempt within the last hour.",
        )
        for endpoint, outcomes in self._by_endpoint():
            attempts = sum(outcomes.values())
            known = before.get(endpoint)
            if known is None or known[0] is not outcomes or known[1] != attempts:
                known = (outcomes, attempts, _outcome_lines(endpoint, outcomes))
            self._rendered[endpoint] = known
            yield known[2]


def _outcome_lines(endpoint: str, outcomes: Counter[str]) -> str:
    label = f'endpoint="{_escaped(endpoint)}"'
    return "".join(
        [
            f'webhooks_endpoint_attempts_total{{{label},outcome="{outcome}"}} {count}.0\n'
            for outcome, count in sorted(outcomes.items())
        ]
    )


class Families:
    """Lines of families that are collected whenever somebody asks; lines of the same labels are kept."""

    def __init__(self) -> None:
        self._labels: dict[tuple[str, tuple[tuple[str, str], ...]], str] = {}

    def lines(self, families: Iterable[Metric]) -> Iterator[str]:
        """The samples of `families`, without the times at which counters were made."""
        before, self._labels = self._labels, {}
        for family in families:
            total = "_total" if family.type == "counter" else ""
            yield _heading(family.name + total, family.type, family.documentation)
            for sample in family.samples:
                if not sample.name.endswith("_created"):
                    key = (sample.name, tuple(sample.labels.items()))
                    prefix = self._labels[key] = before.get(key) or _prefix(sample)
                    yield f"{prefix}{_number(sample.value)}\n"


def _heading(name: str, type: str, meaning: str) -> str:
    meaning = meaning.replace("\\", r"\\").replace("\n", r"\n")
    return f"# HELP {name} {meaning}\n# TYPE {name} {type}\n"


def _prefix(sample: Sample) -> str:
    labels = ",".join(f'{name}="{_escaped(value)}"' for name, value in sorted(sample.labels.items()))
    return f"{sample.name}{{{labels}}} " if labels else f"{sample.name} "


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _number(value: float) -> str:
    value = float(value)
    return "+Inf" if value == inf else "-Inf" if value == -inf else repr(value)
