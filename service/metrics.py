"""What `/metrics` tells, in Prometheus' text form."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
ITEMS = (1, 2, 4, 8, 16, 32, 64, 128)


class Metrics:
    """Every meter of a process, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter("service_requests", "Requests answered.", ("route", "status"), registry=self.registry)
        self._request_s = Histogram(
            "service_request_seconds", "Time to answer a request.", ("route",), buckets=SECONDS, registry=self.registry
        )
        self.broken_history = Counter(
            "events_broken_history", "Requests that met history that is not what was written.", registry=self.registry
        )
        self.append_batch = Histogram(
            "events_append_batch_items", "Items stored together.", buckets=ITEMS, registry=self.registry
        )
        self.append_s = Histogram(
            "events_append_seconds", "Time to store a batch.", buckets=SECONDS, registry=self.registry
        )
        self.log_position = Gauge("events_log_position", "The log's last position.", registry=self.registry)

    def appended(self, items: int, elapsed_s: float, position: int | None) -> None:
        """Meter one batch: its items, how long it took, and the last position it gave, if any."""
        self.append_batch.observe(items)
        self.append_s.observe(elapsed_s)
        if position is not None:
            self.log_position.set(position)

    def requests_of(self, route: str) -> Callable[[int, float], None]:
        """A meter for one route: call it with the status and the seconds of each answer."""
        by_status: dict[int, Counter] = {}
        seconds = self._request_s.labels(route)

        def answered(status: int, elapsed_s: float) -> None:
            counter = by_status.get(status)
            if counter is None:
                counter = by_status[status] = self._requests.labels(route, str(status))
            counter.inc()
            seconds.observe(elapsed_s)

        return answered
