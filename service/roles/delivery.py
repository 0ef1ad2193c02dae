"""The roles relay and worker: publishing to RabbitMQ and delivery of webhooks, wired from settings."""

import asyncio

from events.follow import Wakeup
from events.supervision import LocalWaker
from projections.runner import Runner
from projections.search.rows import SearchProjection
from service import egress
from service.health import Health
from service.metrics import OfBacklog
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
    readings = core.metrics.readings
    readings.add(
        "webhooks_relay_active", "1 while this process is the leader among the relays.", lambda: relaying.active
    )
    readings.count("webhooks_relay_published", "Events that this process published.", lambda: relaying.published)
    readings.count(
        "webhooks_relay_unconfirmed", "Messages that the broker did not confirm in time.", lambda: relaying.unconfirmed
    )
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(wakeup.run(stop))
        tasks.create_task(relaying.run(stop))


async def worker(core: Core, health: Health, stop: asyncio.Event) -> None:
    """Fan out and deliver until `stop` is set, then drain: attempts in flight are finished."""
    settings, readings = core.settings, core.metrics.readings
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
    )
    monitor = FailureMonitor(core.pool, core.executor, core.clock, gone)
    _register_metrics(core, fan_out, delivering)
    readings.count(
        "webhooks_endpoint_notifications", "Notifications to owners about a failing endpoint.", lambda: monitor.notified
    )
    readings.count(
        "webhooks_endpoints_disabled", "Failing endpoints that this process disabled.", lambda: monitor.disabled
    )
    lag_monitor = LagMonitor(core.pool, every_s=settings.look_every_s)
    readings.include(OfBacklog(lag_monitor, broker=settings.amqp_url is not None))
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
            readings.count("webhooks_consumed", "Events received from the fan-out queue.", lambda: consumer.consumed)
            tasks.create_task(consumer.run(stop))


async def _follow_for_search(core: Core, stop: asyncio.Event) -> None:
    """Run the search projection."""
    runner, appended = Runner(core.pool, SearchProjection()), Wakeup(core.dsn, "rollbook_log")
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(appended.run(stop))
        tasks.create_task(runner.run(appended, stop))


def _register_metrics(core: Core, fan_out: FanOut, delivering: Worker) -> None:
    readings, fanned, delivered = core.metrics.readings, fan_out.metrics, delivering.metrics
    core.metrics.of_worker(delivered)
    readings.count("webhooks_fanned_out", "Events fanned out.", lambda: fanned.notices)
    readings.count(
        "webhooks_reconciled",
        "Events fanned out by reconciliation, because no message announced them in time.",
        lambda: fanned.found,
    )
    readings.count("webhooks_deliveries_made", "Deliveries created by fan-out.", lambda: fanned.deliveries)
    readings.add("webhooks_lanes_leased", "Lanes that this worker has a lease on.", lambda: delivered.lanes)
    readings.count("webhooks_lanes_lost", "Leases on lanes that this worker lost.", lambda: delivered.lost)
    readings.add("webhooks_in_flight", "Attempts in flight.", lambda: delivered.in_flight)
    readings.count(
        "webhooks_worker_round_trips", "Round trips of this worker to the database.", lambda: delivered.turns
    )
    readings.count("webhooks_worker_round_trip_seconds", "Their total duration.", lambda: delivered.turn_s)
