"""The roles relay and worker: publishing to RabbitMQ and delivery of webhooks, wired from settings."""

import asyncio
from collections.abc import Callable

from events.follow import Wakeup
from events.supervision import LocalWaker
from projections.runner import Runner
from projections.search.rows import SearchProjection
from service import egress
from service.health import Health
from service.metrics import BacklogCollector
from service.wiring import Core
from webhooks.broker import subscribers
from webhooks.broker.amqp import Topology
from webhooks.broker.consumer import Consumer
from webhooks.broker.relay import Relay
from webhooks.broker.subscribers import WithSubscribers
from webhooks.dispatch.worker import Worker
from webhooks.endpoints.monitor import FailureMonitor
from webhooks.queue.fanout import FanOut
from webhooks.queue.lag import LagMonitor
from webhooks.queue.reconciler import Reconciler
from webhooks.queue.store import Lanes


def topology(core: Core) -> Topology:
    """The topology that is declared on the broker."""
    return Topology(exchange=core.settings.exchange, fanout_queue=core.settings.fanout_queue)


async def relay(core: Core, health: Health, stop: asyncio.Event) -> None:
    """Publish events to RabbitMQ until `stop` is set."""
    assert core.settings.amqp_url is not None, "there is no relay without a broker"
    wakeup = Wakeup(core.dsn, "rollbook_log")
    amqp_url = core.settings.amqp_url.get_secret_value()
    declared = WithSubscribers(
        exchange=core.settings.exchange,
        fanout_queue=core.settings.fanout_queue,
        amqp_url=amqp_url,
        find=lambda: subscribers.known(core.pool),
    )
    relaying = Relay(core.dsn, amqp_url, declared, wakeup, lease_s=core.settings.relay_lease_s)
    health.brokers["relay"] = lambda: relaying.state
    callbacks = core.metrics.callbacks
    callbacks.gauge(
        "webhooks_relay_active", "1 while this process is the leader among the relays.", lambda: relaying.active
    )
    callbacks.counter("webhooks_relay_published", "Events that this process published.", lambda: relaying.published)
    callbacks.counter(
        "webhooks_relay_unconfirmed", "Messages that the broker did not confirm in time.", lambda: relaying.unconfirmed
    )
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(wakeup.run(stop))
        tasks.create_task(relaying.run(stop))


async def worker(
    core: Core, health: Health, stop: asyncio.Event, *, checkpoint: Callable[[], str | None] = lambda: None
) -> None:
    """Fan out and deliver until `stop` is set, then drain: attempts in flight are finished."""
    settings, callbacks = core.settings, core.metrics.callbacks
    appended = Wakeup(core.dsn, "rollbook_log")
    made = Wakeup(core.dsn, "rollbook_lanes")
    gone, marked = LocalWaker(), LocalWaker()
    fan_out = FanOut(core.dsn)
    reconciler = Reconciler(
        fan_out,
        appended,
        delay_s=settings.reconcile_after_s if settings.amqp_url else 0.0,
        made=made.poke,
        marked=marked if settings.amqp_url else None,
    )
    delivering = Worker(
        Lanes(core.dsn, lease_s=settings.webhook_lease_s),
        egress.sender(settings),
        core.master_keys,
        made,
        in_flight_max=settings.webhook_in_flight_max,
        host_max=settings.webhook_host_in_flight_max,
        drain_s=settings.drain_s,
        gone=gone.poke,
        checkpoint=checkpoint,
    )
    monitor = FailureMonitor(core.pool, core.executor, core.clock, gone)
    _register_metrics(core, fan_out, delivering)
    callbacks.counter(
        "webhooks_endpoint_notifications", "Notifications to owners about a failing endpoint.", lambda: monitor.notified
    )
    callbacks.counter(
        "webhooks_endpoints_disabled", "Failing endpoints that this process disabled.", lambda: monitor.disabled
    )
    lag_monitor = LagMonitor(core.pool, every_s=settings.look_every_s)
    callbacks.include(BacklogCollector(lag_monitor, broker=settings.amqp_url is not None))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(appended.run(stop))
        tasks.create_task(made.run(stop))
        tasks.create_task(reconciler.run(stop))
        tasks.create_task(delivering.run(stop))
        tasks.create_task(monitor.run(stop))
        tasks.create_task(lag_monitor.run(stop))
        tasks.create_task(_follow_for_search(core, stop))
        if settings.amqp_url is not None:
            from_queue = FanOut(core.dsn, fan_out.metrics)
            consumer = Consumer(
                settings.amqp_url.get_secret_value(), topology(core), from_queue.fan_out, marked=marked.poke
            )
            health.brokers["consumer"] = lambda: consumer.state
            callbacks.counter("webhooks_consumed", "Events received from the fan-out queue.", lambda: consumer.consumed)
            tasks.create_task(consumer.run(stop))


async def _follow_for_search(core: Core, stop: asyncio.Event) -> None:
    """Run the search projection."""
    runner, appended = Runner(core.pool, SearchProjection()), Wakeup(core.dsn, "rollbook_log")
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(appended.run(stop))
        tasks.create_task(runner.run(appended, stop))


def _register_metrics(core: Core, fan_out: FanOut, delivering: Worker) -> None:
    callbacks, fanned, delivered = core.metrics.callbacks, fan_out.metrics, delivering.metrics
    core.metrics.of_worker(delivered)
    callbacks.counter("webhooks_fanned_out", "Events fanned out.", lambda: fanned.notices)
    callbacks.counter(
        "webhooks_reconciled",
        "Events fanned out by reconciliation, because no message announced them in time.",
        lambda: fanned.found,
    )
    callbacks.counter("webhooks_deliveries_made", "Deliveries created by fan-out.", lambda: fanned.deliveries)
    callbacks.gauge("webhooks_lanes_leased", "Lanes that this worker has a lease on.", lambda: delivered.lanes)
    callbacks.counter("webhooks_lanes_lost", "Leases on lanes that this worker lost.", lambda: delivered.lost)
    callbacks.gauge("webhooks_in_flight", "Attempts in flight.", lambda: delivered.in_flight)
    callbacks.counter(
        "webhooks_worker_round_trips", "Round trips of this worker to the database.", lambda: delivered.turns
    )
    callbacks.counter("webhooks_worker_round_trip_seconds", "Their total duration.", lambda: delivered.turn_s)
