"""The text format of /metrics: what a Prometheus reads in it, and what it costs."""

import asyncio
from collections import Counter as Counters

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.parser import text_string_to_metric_families

from service.exposition import EndpointAttempts, Families, RequestCounts, Scrapes
from service.metrics import Metrics
from tests.virtual_time import VirtualTimeLoop, run


def samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_requests_are_counted_by_route_and_status_in_cumulated_buckets() -> None:
    counts = RequestCounts((0.1, 1))
    answered, _ = counts.of("customers.create"), counts.of("never.asked")
    for status, elapsed_s in ((200, 0.05), (200, 0.5), (400, 5.0)):
        answered(status, elapsed_s)
    said = samples("".join(counts.lines()))
    route = ("route", "customers.create")

    def value(name: str, *labels: tuple[str, str]) -> float:
        return said[f"service_request{name}", frozenset({route, *labels})]

    assert value("s_total", ("status", "200")) == 2
    assert value("s_total", ("status", "400")) == 1
    assert [value("_seconds_bucket", ("le", le)) for le in ("0.1", "1.0", "+Inf")] == [1, 2, 3]
    assert value("_seconds_count") == 3
    assert value("_seconds_sum") == 5.55
    assert not any("never.asked" in str(labels) for _, labels in said)
    answered(400, 0.5)
    said = samples("".join(counts.lines()))
    assert value("s_total", ("status", "400")) == 2, "what changed since the last time is rendered again"
    assert value("_seconds_count") == 4


async def test_who_ask_together_are_rendered_for_once_and_nobody_gets_what_was_rendered_before_it_asked() -> None:
    rendered = 0

    def render() -> bytes:
        nonlocal rendered
        rendered += 1
        return b"%d" % rendered

    scrapes = Scrapes(render)
    assert await asyncio.gather(*(scrapes.text() for _ in range(100))) == [b"1"] * 100
    assert await scrapes.text() == b"2"


def test_rendering_takes_a_tenth_of_the_time_at_most() -> None:
    began: list[float] = []

    async def scrape_thrice() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)

        def render() -> bytes:
            began.append(loop.time())
            loop.pass_time(1)
            return b""

        scrapes = Scrapes(render)
        for _ in range(3):
            await scrapes.text()

    run(scrape_thrice())
    assert began == [0, 10, 20]


def test_other_families_read_as_prometheus_client_writes_them() -> None:
    registry = CollectorRegistry()
    strange = 'a "quoted" \\ back\nslash % {brace}'
    Counter("house_fires", "Fires,\nall \\ of them.", ["kind"], registry=registry).labels(strange).inc(2)
    Gauge("house_level", "Level.", registry=registry).set(float("inf"))
    Histogram("house_seconds", "Seconds.", buckets=(1, 2), registry=registry).observe(1.5)
    families = Families()
    text = "".join(families.lines(registry.collect()))
    assert samples(text) == {
        ("house_fires_total", frozenset({("kind", strange)})): 2,
        ("house_level", frozenset()): float("inf"),
        ("house_seconds_bucket", frozenset({("le", "1.0")})): 0,
        ("house_seconds_bucket", frozenset({("le", "2.0")})): 1,
        ("house_seconds_bucket", frozenset({("le", "+Inf")})): 1,
        ("house_seconds_count", frozenset()): 1,
        ("house_seconds_sum", frozenset()): 1.5,
    }
    assert "# TYPE house_fires_total counter" in text
    assert "".join(families.lines(registry.collect())) == text


def test_a_scrape_renders_only_the_routes_that_were_asked_since_the_last_one() -> None:
    metrics = Metrics()
    routes = [metrics.requests.of(f"route.{number}") for number in range(90)]
    for answered in routes:
        answered(200, 0.01)
    metrics.render()
    kept = {id(route.seconds) for route in metrics.requests._routes.values()}
    routes[7](200, 0.01)
    metrics.render()
    assert sum(id(route.seconds) not in kept for route in metrics.requests._routes.values()) == 1


def test_attempts_of_an_endpoint_are_rendered_again_when_there_was_one() -> None:
    known = {"we_1": Counters({"retry": 1, "delivered": 2}), "we_2": Counters({"delivered": 1})}
    attempts = EndpointAttempts(known.items)

    def value(endpoint: str, outcome: str) -> float | None:
        said = samples("".join(attempts.lines()))
        return said.get(("webhooks_endpoint_attempts_total", frozenset({("endpoint", endpoint), ("outcome", outcome)})))

    assert (value("we_1", "delivered"), value("we_1", "retry"), value("we_2", "delivered")) == (2, 1, 1)
    known["we_1"]["delivered"] += 1
    assert (value("we_1", "delivered"), value("we_1", "retry"), value("we_2", "delivered")) == (3, 1, 1)
    known["we_2"] = Counters({"retry": 1})  # forgotten, and taken up again
    assert (value("we_2", "delivered"), value("we_2", "retry")) == (None, 1)
    del known["we_1"]
    assert (value("we_1", "delivered"), value("we_2", "retry")) == (None, 1)
