"""Loops of the roles relay and worker: an unexpected exception in any of them is logged and counted, and all go on."""

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from structlog.testing import capture_logs

from events import availability, follow
from events.availability import Availability
from events.sealer import Sealer
from events.supervision import FAILURES, Retries
from projections.due import DueWork
from projections.runner import Runner
from service.jobs import partitions, retention
from service.metrics import LoopCollector
from service.roles import play
from tests.service.serving import settings_for
from tests.waiting import until
from webhooks.broker import relay
from webhooks.broker.consumer import SEQUENCE_HEADER, Consumer
from webhooks.endpoints.monitor import FailureMonitor
from webhooks.queue.fanout import FanOut
from webhooks.queue.lag import LagMonitor
from webhooks.queue.store import Lanes


class Step(NamedTuple):
    """What a loop calls again and again; its first `before` calls are made by others, or before the loop runs."""

    owner: Any
    name: str
    before: int = 0


STEPS = {
    "availability": Step(Availability, "found", 1),
    "consumer": Step(FanOut, "fan_out"),
    "failure_monitor": Step(FailureMonitor, "look"),
    "lag_monitor": Step(LagMonitor, "look"),
    "listening": Step(follow, "connect"),
    "partitions": Step(partitions, "maintain", 1),
    "projection": Step(Runner, "advance"),
    "reconciler": Step(FanOut, "catch_up"),
    "relay": Step(relay, "session"),
    "retention": Step(retention, "erase_deleted"),
    "scheduler": Step(DueWork, "take"),
    "sealer": Step(Sealer, "catch_up"),
    "worker": Step(Lanes, "turn"),
}


class Message:
    """A message of the fan-out queue, without a broker."""

    def __init__(self) -> None:
        self.message_id = self.routing_key = ""
        self.headers = {SEQUENCE_HEADER: 1}

    async def ack(self, *, multiple: bool) -> None:
        """Nobody waits for it."""


async def consume(consumer: Any, stop: asyncio.Event) -> None:
    """Consume one message, then none."""
    await consumer._handle([Message()], stop)
    await stop.wait()


async def test_an_unexpected_exception_ends_no_loop(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: Counter[str] = Counter()

    def failing_once(loop: str, step: Step) -> Callable[..., Any]:
        original = getattr(step.owner, step.name)

        def call(*arguments: Any, **named: Any) -> Any:
            calls[loop] += 1
            if calls[loop] == step.before + 1:
                raise RuntimeError(f"a fault of ours in {loop}")
            return original(*arguments, **named)

        return call

    for loop, step in STEPS.items():
        monkeypatch.setattr(step.owner, step.name, failing_once(loop, step))
    monkeypatch.setattr(Consumer, "_consume", consume)
    monkeypatch.setattr(availability, "LOOK_EVERY_S", 0.05)
    looping, begin = set[str](), Retries.__init__

    def noting(self: Retries, log: Any, name: str, **fields: Any) -> None:
        looping.add(name)
        begin(self, log, name, **fields)

    monkeypatch.setattr(Retries, "__init__", noting)
    settings = settings_for(tmp_path, amqp_url="amqp://127.0.0.1:1", erase_deleted_after_days=1)
    failed_before, stop = Counter(FAILURES), asyncio.Event()
    with capture_logs() as logs:
        playing = asyncio.create_task(play(settings, database, frozenset({"relay", "worker"}), stop))
        await until(lambda: playing.done() or all(calls[loop] > step.before + 1 for loop, step in STEPS.items()), 30)
        stop.set()
        async with asyncio.timeout(30):
            await playing
    assert looping == set(STEPS), "each loop has its fault here"
    assert FAILURES - failed_before == Counter(STEPS.keys())
    for loop in STEPS:
        (line,) = (line for line in logs if line["event"] == f"{loop}.failed")
        assert str(line["exc_info"]) == f"a fault of ours in {loop}"
    (family,) = LoopCollector().collect()
    assert {sample.labels["loop"] for sample in family.samples} >= set(STEPS)
