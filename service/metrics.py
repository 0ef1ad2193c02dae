"""Prometheus metrics of a process, for `/metrics`."""

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from itertools import accumulate

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from events.sealer import Sealer
from events.supervision import FAILURES
from service.exposition import EndpointAttempts, Families, RequestCounts
from webhooks.dispatch.metrics import ATTEMPT_BOUNDS_S, ATTEMPT_OUTCOMES, OWN_FAULT, DeliveryMetrics
from webhooks.queue.lag import COUNTED_MAX, LagMonitor

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
ITEMS = (1, 2, 4, 8, 16, 32, 64, 128)


class CallbackCollector(Collector):
    """Gauges and counters that other packages keep as plain attributes, read by callbacks at each scrape."""

    def __init__(self) -> None:
        self._gauges: dict[str, tuple[str, Callable[[], float]]] = {}
        self._counts: dict[str, tuple[str, Callable[[], float]]] = {}
        self._further: dict[type[Collector], Collector] = {}

    def gauge(self, name: str, meaning: str, read: Callable[[], float]) -> None:
        """Export the number that `read` gives as a gauge."""
        self._gauges[name] = (meaning, read)

    def counter(self, name: str, meaning: str, read: Callable[[], float]) -> None:
        """Export the number that `read` gives, which only grows, as a counter; `_total` is added to its name."""
        self._counts[name] = (meaning, read)

    def include(self, collector: Collector) -> None:
        """Register `collector`, replacing an earlier one of its type."""
        self._further[type(collector)] = collector

    def collect(self) -> Iterator[Metric]:
        """The numbers as they are now."""
        for name, (meaning, read) in self._gauges.items():
            yield GaugeMetricFamily(name, meaning, read())
        for name, (meaning, read) in self._counts.items():
            yield CounterMetricFamily(name, meaning, read())
        for collector in self._further.values():
            yield from collector.collect()


class AttemptCollector(Collector):
    """What a worker's attempts came to; those by endpoint are EndpointAttempts."""

    def __init__(self, metrics: DeliveryMetrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[CounterMetricFamily | HistogramMetricFamily]:
        """The counts so far, in Prometheus' families."""
        metrics = self._metrics
        attempts = CounterMetricFamily("webhooks_attempts", "Attempts, by outcome.", labels=("outcome",))
        for outcome in (*ATTEMPT_OUTCOMES.values(), OWN_FAULT):
            attempts.add_metric((outcome,), metrics.outcomes[outcome])
        yield attempts
        faults = CounterMetricFamily("webhooks_attempt_faults", "Failed attempts, by reason.", labels=("fault",))
        for fault, count in sorted(metrics.faults.items()):
            faults.add_metric((fault,), count)
        yield faults
        aside = CounterMetricFamily(
            "webhooks_lanes_set_aside",
            "Lanes set aside because their stored data is unusable, by reason.",
            labels=("reason",),
        )
        for reason, count in sorted(metrics.set_aside.items()):
            aside.add_metric((reason,), count)
        yield aside
        seconds = HistogramMetricFamily("webhooks_attempt_seconds", "Duration of an attempt.")
        seconds.add_metric((), _cumulated(ATTEMPT_BOUNDS_S, metrics.buckets), metrics.attempt_s)
        yield seconds


class BacklogCollector(Collector):
    """Backlog and lag over all processes, as last sampled; no samples while the database is unavailable."""

    def __init__(self, lag_monitor: LagMonitor, *, broker: bool) -> None:
        self._lag_monitor = lag_monitor
        self._broker = broker

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The numbers, in Prometheus' families."""
        seen = self._lag_monitor.seen
        if seen is None:
            return
        if self._broker:
            yield GaugeMetricFamily("webhooks_relay_lag_events", "Events not published yet.", seen.relay_notices)
            yield _seconds("webhooks_relay_lag_seconds", "Age of the oldest of them.", seen.relay_lag)
        yield GaugeMetricFamily(
            "webhooks_fan_out_lag_events", "Events above the watermark of fan-out.", seen.fan_out_notices
        )
        yield _seconds("webhooks_fan_out_lag_seconds", "Age of the oldest of them.", seen.fan_out_lag)
        yield GaugeMetricFamily(
            "projections_search_lag_events", "Events not indexed for search yet.", seen.search_events
        )
        yield _seconds("projections_search_lag_seconds", "Age of the oldest of them.", seen.search_lag)
        yield GaugeMetricFamily("projections_parked", "Streams that a read model cannot take in.", seen.parked)
        yield _seconds("service_jobs_overdue_seconds", "How long the oldest scheduled task is overdue.", seen.due_lag)
        yield GaugeMetricFamily(
            "webhooks_deliveries_pending", f"Pending deliveries, counted up to {COUNTED_MAX}.", seen.pending
        )
        yield GaugeMetricFamily(
            "webhooks_deliveries_held", "Deliveries that block their sequence until the owner decides.", seen.held
        )
        yield _seconds(
            "webhooks_deliveries_overdue_seconds",
            "How long the oldest delivery is overdue, without suspended endpoints.",
            seen.overdue,
        )
        yield _labelled(
            "webhooks_lanes",
            "Lanes (queues of an endpoint), by state.",
            "state",
            idle=seen.idle,
            scheduled=seen.scheduled,
            ready=seen.ready,
            leased=seen.leased,
        )
        yield _labelled(
            "webhooks_breakers",
            "Circuit breakers of endpoints, by state.",
            "state",
            closed=seen.closed,
            open=seen.open,
            half_open=seen.half_open,
        )
        yield _labelled(
            "webhooks_lanes_suspended",
            "Endpoints without deliveries: the receiver sent Retry-After or 410 Gone, they are disabled, or their "
            "lane is set aside because its stored data is unusable.",
            "reason",
            retry_after=seen.quiet,
            gone=seen.gone,
            set_aside=seen.set_aside,
            disabled=seen.paused,
        )


class LoopCollector(Collector):
    """Unexpected exceptions in the loops of this process."""

    def collect(self) -> Iterator[CounterMetricFamily]:
        """The counts so far, in Prometheus' families."""
        failures = CounterMetricFamily(
            "events_loop_failures", "Unexpected exceptions in the loops of this process.", labels=("loop",)
        )
        for name, count in sorted(FAILURES.items()):
            failures.add_metric((name,), count)
        yield failures


class SealerCollector(Collector):
    """How far the Merkle tree and the checkpoints are behind the log; no lag while the database is unavailable."""

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        """The numbers, in Prometheus' families."""
        sealer = self._sealer
        yield CounterMetricFamily("events_sealed", "Events that this process put into the Merkle tree.", sealer.sealed)
        yield CounterMetricFamily(
            "events_checkpoints_signed", "Checkpoints that this process signed.", sealer.checkpoints
        )
        yield GaugeMetricFamily(
            "events_sealer_refuses",
            "1 while history is not as it was sealed, and nothing is signed.",
            bool(sealer.fault),
        )
        lag = sealer.lag
        if lag is None:
            return
        yield GaugeMetricFamily("events_sealer_lag_events", "Events that are not in the Merkle tree yet.", lag.unsealed)
        yield _seconds("events_sealer_lag_seconds", "Age of the oldest of them.", lag.unsealed_for)
        yield GaugeMetricFamily("events_checkpoint_lag_events", "Events that no checkpoint covers yet.", lag.unsigned)
        yield _seconds("events_checkpoint_lag_seconds", "Age of the oldest of them.", lag.unsigned_for)


class Metrics:
    """The metrics of a process, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = RequestCounts(SECONDS)
        self._families = Families()
        self._endpoint_attempts: EndpointAttempts | None = None
        self.callbacks = CallbackCollector()
        self.registry.register(self.callbacks)
        self.callbacks.include(LoopCollector())
        self.broken_history = Counter(
            "events_broken_history",
            "Requests that read stored history that differs from what was written.",
            registry=self.registry,
        )
        self.append_batch = Histogram(
            "events_append_batch_items", "Items of a batch that was appended.", buckets=ITEMS, registry=self.registry
        )
        self.append_s = Histogram(
            "events_append_seconds", "Time to append a batch.", buckets=SECONDS, registry=self.registry
        )
        self.log_position = Gauge("events_log_position", "The log's last position.", registry=self.registry)

    def of_worker(self, metrics: DeliveryMetrics) -> None:
        """Register the attempt metrics of a worker, replacing those of an earlier one."""
        self.callbacks.include(AttemptCollector(metrics))
        self._endpoint_attempts = EndpointAttempts(metrics.by_endpoint)

    def render(self) -> bytes:
        """Every metric, in Prometheus' text form."""
        by_endpoint = () if self._endpoint_attempts is None else self._endpoint_attempts.lines()
        families = self._families.lines(self.registry.collect())
        return "".join([*self.requests.lines(), *by_endpoint, *families]).encode()

    def appended(self, items: int, elapsed_s: float, position: int | None) -> None:
        """Record one batch: its items, how long it took, and the last position it gave, if any."""
        self.append_batch.observe(items)
        self.append_s.observe(elapsed_s)
        if position is not None:
            self.log_position.set(position)


def _cumulated(bounds: Sequence[float], counts: Sequence[int]) -> list[tuple[str, float]]:
    """The buckets of a histogram as Prometheus has them: each with all that is below its bound."""
    return list(zip((*map(str, bounds), "+Inf"), map(float, accumulate(counts)), strict=True))


def _seconds(name: str, meaning: str, time: timedelta | None) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, meaning, max(time.total_seconds(), 0.0) if time is not None else 0.0)


def _labelled(name: str, meaning: str, label: str, **values: float) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, meaning, labels=(label,))
    for value, number in values.items():
        family.add_metric((value,), number)
    return family
