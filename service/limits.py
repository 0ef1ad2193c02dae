"""Limits of a process (rate, concurrency, connections, memory), wired from settings, and their metrics."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from service import memory
from service.http.limits.admission import Admission, Bounds
from service.http.limits.connections import Connections, open_max, raise_file_limit
from service.settings import Settings
from service.wiring import Core


def admission(core: Core) -> Admission:
    """Admission control with the limits of the settings."""
    settings = core.settings
    bounds = Bounds(
        in_flight_max=settings.in_flight_max,
        account_in_flight_max=settings.account_in_flight_max,
        key_in_flight_max=settings.key_in_flight_max,
        live_rate_max=settings.live_rate_max,
        test_rate_max=settings.test_rate_max,
        search_rate_max=settings.search_rate_max,
        bytes_max=settings.bytes_in_flight_max,
        account_bytes_max=settings.account_bytes_in_flight_max,
        key_bytes_max=settings.key_bytes_in_flight_max,
        append_wait_max_s=settings.append_wait_max_s,
        timeout_s=settings.request_timeout_s,
    )
    return Admission(bounds, core.commit.wait_s, memory.trim)


def connections(settings: Settings, admission: Admission, *, webhooks: bool) -> Connections:
    """How many connections a process has, beside `webhooks` if it sends them, and how slow they may be.

    Raises its limit of open files.
    """
    others = settings.webhook_in_flight_max if webhooks else 0
    return Connections(
        open_max=open_max(settings.connections_max, raise_file_limit(), others),
        header_timeout_s=settings.header_timeout_s,
        write_timeout_s=settings.write_timeout_s,
        shed=admission.count,
    )


class ShedMetrics(Collector):
    """Metrics of requests in flight and of requests that were shed."""

    def __init__(self, admission: Admission, connections: Connections) -> None:
        self._admission = admission
        self._connections = connections

    def collect(self) -> Iterator[Metric]:
        """The numbers as they are now."""
        admission, connections = self._admission, self._connections
        yield GaugeMetricFamily("service_requests_in_flight", "Requests in flight.", admission.in_flight)
        yield GaugeMetricFamily(
            "service_requests_arriving", "Requests whose bodies are waited for.", len(admission.arriving)
        )
        yield GaugeMetricFamily("service_connections", "Open connections.", connections.open)
        yield GaugeMetricFamily(
            "service_bytes_in_flight", "Bytes of large bodies and answers in memory for clients.", admission.bytes
        )
        rejected = CounterMetricFamily(
            "service_rejected",
            "Requests and connections that were shed, by the limit that was reached.",
            labels=("reason",),
        )
        for reason, count in sorted(admission.shed.items()):
            rejected.add_metric((reason,), count)
        yield rejected
        yield CounterMetricFamily(
            "service_requests_timed_out", "Requests that were canceled at their time limit.", admission.timed_out
        )
        yield CounterMetricFamily(
            "service_answers_cut_off", "Connections closed whose response was not read in time.", connections.cut_off
        )
