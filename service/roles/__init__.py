"""The roles of a process (api, relay, worker; `serve` runs them all): startup, supervision and graceful shutdown.

Processes can be started in any order: without Postgres or RabbitMQ a process starts, logs what is missing, and
continues once it is available. SIGTERM and SIGINT stop it: it accepts no new work and finishes the work in progress.
"""

import asyncio
import gc
import os
import signal
import socket
import sys
from contextlib import suppress
from functools import partial

import structlog
from aiohttp import web

from events.audit_log import AuditLog
from events.database_tls import context_for
from events.database_url import InvalidDatabaseUrl, parse
from events.follow import Wakeup
from events.history import History
from events.outage import DatabaseUnavailable, failing
from events.sealed_tree import SealedTree
from events.supervision import DATABASE_ERRORS
from service import (
    broker,
    checkpoint_key,
    data_directory,
    egress,
    limits,
    listening,
    memory,
    suitability,
)
from service.commands import keys
from service.dev import development_key, postgres
from service.dev.cluster import PostgresFailed
from service.dev.hosts import HostCheck
from service.dev.inbox import Inbox
from service.dev.postgres import EmbeddedPostgres
from service.dev.welcome import welcome
from service.health import Health
from service.history import StreamHistory
from service.http import docs
from service.http.app import routes
from service.http.auth import Authenticator
from service.http.pipeline import Pipeline
from service.http.protocol import ApiRunner
from service.http.tlog import TileServer
from service.jobs import partitions, retention, scheduler
from service.roles import delivery, sealing
from service.settings import Misconfigured, Settings
from service.wiring import Core, build
from webhooks.endpoints.status import Statuses
from webhooks.feed.feed import Feed
from webhooks.feed.notices import Notices
from webhooks.queue.deliveries import Deliveries

log = structlog.get_logger("service")

EXAMPLE_KEY = "YOUR_SECRET_KEY"  # in examples, where there is no well-known one

EXPOSED = (
    "whoever reaches this address can use the well-known key sk_test_rollbook: set ROLLBOOK_HOST=127.0.0.1, or "
    "ROLLBOOK_ENV=production"
)
GARBAGE_THRESHOLD = 50_000  # objects; at the default 700 a request in ten pays for a collection


async def run(settings: Settings, roles: frozenset[str]) -> None:
    """Run `roles` until a signal stops them. Raises Misconfigured before anything is started."""
    if roles == {"relay"} and settings.amqp_url is None:
        raise Misconfigured("AMQP_URL: the relay publishes to RabbitMQ and needs to know where it is")
    _require_database_files(settings)
    if roles & {"relay", "worker"}:
        broker.url(settings)  # its files are needed later, and missed now
        checkpoint_key.require(settings)
    await _require_free_ports(settings, roles)
    if settings.exposed:
        log.warning("development.exposed", host=settings.host, meaning=EXPOSED)
    if "worker" in roles:
        egress.secured(settings)  # its files are needed later, and missed now
    memory.configure()
    gc.freeze()  # what is loaded by now stays: no use looking through it again and again
    gc.set_threshold(GARBAGE_THRESHOLD)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    embedded = EmbeddedPostgres()
    try:
        dsn = await database_url(settings, embedded)
        await play(settings, dsn, roles, stop, embedded)
    finally:
        await asyncio.to_thread(embedded.stop)


def _require_database_files(settings: Settings) -> None:
    """Check the files of TLS to PostgreSQL. Raises Misconfigured."""
    if settings.database_url is not None:
        try:
            context_for(settings.database_url.get_secret_value())
        except InvalidDatabaseUrl as error:
            raise Misconfigured(f"DATABASE_URL: {error}") from None


async def database_url(settings: Settings, embedded: EmbeddedPostgres) -> str:
    """The database that was configured; without one, the embedded server's, started if it does not run."""
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    directory = data_directory.prepare(settings.data_dir)
    if not postgres.is_made(directory):
        print(f"Making a database in {directory} ...", file=sys.stderr, flush=True)
    return await asyncio.to_thread(embedded.start, directory)


async def play(
    settings: Settings,
    dsn: str,
    roles: frozenset[str],
    stop: asyncio.Event,
    embedded: EmbeddedPostgres | None = None,
) -> None:
    """Play `roles` over a database until `stop` is set. Raises Misconfigured for one that can never be used."""
    core = await build(settings, dsn)
    core.log.refused = suitability.UNCHECKED
    health = Health(core)
    for warning in parse(dsn).warnings:
        log.warning("database.url", warning=f"DATABASE_URL: {warning}")
    core.availability.begin()
    if embedded is not None and settings.database_url is None:
        core.availability.revive = lambda: _revived(embedded)
    try:
        runner = await serve_http(core, health, api="api" in roles, webhooks="worker" in roles)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_until(stop, runner))
            if "api" in roles and settings.operations_port is not None:
                tasks.create_task(_until(stop, await serve_http(core, health, api=False, webhooks="worker" in roles)))
            hopeless = await _prepare(core, health, stop)
            if hopeless is not None:
                stop.set()
            if health.prepared:
                if runner.addresses and not settings.production:
                    print(welcome(listening.url(settings.host, runner.addresses[0][1])), flush=True)
                tasks.create_task(core.availability.watch(stop))
                tasks.create_task(core.invalidation.run(stop))
                tasks.create_task(partitions.run(core.pool, core.clock, stop))
                if "relay" in roles and settings.amqp_url is not None:
                    tasks.create_task(delivery.relay(core, health, stop))
                if roles & {"relay", "worker"}:
                    sealer = sealing.prepared(core, health)
                    tasks.create_task(sealing.run(core, sealer, stop))
                    if "worker" in roles:
                        newest = partial(sealing.newest, sealer)
                        tasks.create_task(delivery.worker(core, health, stop, checkpoint=newest))
                if "worker" in roles:
                    tasks.create_task(scheduler.run(core, stop))
                    if settings.erase_deleted_after_days is not None:
                        tasks.create_task(retention.run(core, settings.erase_deleted_after_days, stop))
            await stop.wait()
            log.info("service.stopping", roles=sorted(roles))
    finally:
        await core.close()
    log.info("service.stopped")
    if hopeless is not None:
        raise Misconfigured(hopeless.advised)


async def serve_http(core: Core, health: Health, *, api: bool, webhooks: bool = False) -> web.AppRunner:
    """Listen for the API, with the operators' routes unless they have a port of their own; or for those alone.

    `webhooks` says whether this process sends them, too, and so needs open files for them.
    """
    settings = core.settings
    application = web.Application(client_max_size=settings.body_bytes_max)
    if not api or settings.operations_port is None:
        application.add_routes(health.routes())
    admission = limits.admission(core)
    connections = limits.connections(settings, admission, webhooks=webhooks)
    if api:
        core.metrics.callbacks.include(limits.ShedMetrics(admission, connections))
        application.on_startup.append(admission.open)
        application.on_cleanup.append(admission.close)
        feed = Feed(
            core.pool,
            Wakeup(core.dsn, "rollbook_log"),
            waiting_max=settings.feed_waiting_max,
            account_waiting_max=settings.feed_account_waiting_max,
            key_waiting_max=settings.feed_key_waiting_max,
            bytes_enough=settings.page_bytes_max,
        )
        application.on_startup.append(feed.open)
        application.on_shutdown.append(feed.close)
        core.metrics.callbacks.gauge(
            "service_feed_waiting", "Long polls of the feed that wait for events.", lambda: feed.waiting
        )
        well_known = frozenset({keys.DEVELOPMENT_KEY})
        history = StreamHistory(History(core.pool), core.codec, core.master_keys)
        core.invalidation.add(history.erase)
        pipeline = Pipeline(
            executor=core.executor,
            log=core.log,
            reader=core.reader,
            authenticator=Authenticator(
                core.reader.principal,
                clock=core.clock,
                master_keys=core.master_keys,
                trust_s=settings.key_cache_s,
                refused=well_known if settings.production else frozenset(),
                local=well_known,
            ),
            clock=core.clock,
            notices=Notices(core.pool, core.clock, page_bytes_max=settings.page_bytes_max),
            deliveries=Deliveries(core.pool),
            statuses=Statuses(core.pool, core.clock),
            feed=feed,
            policy=egress.policy(settings),
            metrics=core.metrics,
            finder=core.finder,
            master_keys=core.master_keys,
            admission=admission,
            audit_log=AuditLog(core.pool, bytes_enough=settings.page_bytes_max),
            log_types=core.codec.types.keys(),
            tree=SealedTree(core.pool),
            history=history,
            default_version=settings.api_version,
            tax_countries=settings.collecting,
        )
        if not settings.production:
            inbox = Inbox()
            application.add_routes(inbox.routes())
            application.on_shutdown.append(inbox.close)
            application.middlewares.append(HostCheck(settings.host).middleware)
        application.add_routes([docs.asyncapi(settings.exchange)])
        if settings.tiles_open:
            application.add_routes(TileServer(SealedTree(core.pool)).routes())
        example_key = EXAMPLE_KEY if settings.production else keys.DEVELOPMENT_KEY
        application.add_routes(routes(pipeline, example_key=example_key))
    runner = ApiRunner(
        application,
        connections=connections,
        unreadable=core.metrics.requests.of("unreadable"),
        access_log=None,
        keepalive_timeout=settings.keepalive_s,
        shutdown_timeout=settings.drain_s,
    )
    await runner.setup()
    port = settings.port if api else settings.operations_port
    if port is not None:
        try:
            await listening.start(runner, settings.host, port)
        except OSError as error:
            await runner.cleanup()
            raise _cannot_listen(settings.host, port, error, api=api) from None
        log.info("service.listening", url=listening.url(settings.host, runner.addresses[0][1]), api=api)
    return runner


async def _require_free_ports(settings: Settings, roles: frozenset[str]) -> None:
    """Raises Misconfigured for a port that is in use, before a database is made for a service that cannot start."""
    for port, api in ((settings.port if "api" in roles else None, True), (settings.operations_port, False)):
        if port is not None:
            try:
                await listening.require_free(settings.host, port)
            except OSError as error:
                raise _cannot_listen(settings.host, port, error, api=api) from None


def _cannot_listen(host: str, port: int, error: OSError, *, api: bool) -> Misconfigured:
    # An event loop puts a sentence in place of the system's words; of a name's look-up the words are right.
    reason = error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno or 0)
    variable = "ROLLBOOK_PORT" if api else "ROLLBOOK_OPERATIONS_PORT"
    return Misconfigured(f"cannot listen on {host} port {port}: {reason}; {variable} names another port")


async def _until(stop: asyncio.Event, runner: web.AppRunner) -> None:
    """Serve until `stop` is set, then drain: requests in flight are answered."""
    await stop.wait()
    await runner.cleanup()


async def _prepare(core: Core, health: Health, stop: asyncio.Event) -> DatabaseUnavailable | None:
    """Migrate the database once it is available; in production that is done by `rollbook migrate`. Returns the fault of
    a database if a retry cannot help.
    """
    while not stop.is_set():
        try:
            await suitability.prepare(core)
            if not core.settings.production:
                await development_key.ensure(core)
            with suppress(partitions.UpkeepFailed):  # of a part of it, and tried again every minute
                await partitions.maintain(core.pool, core.clock)
        except DATABASE_ERRORS as error:
            outage = failing(error, parse(core.dsn))
            if outage.hopeless:
                return outage
            await core.availability.lost(outage)
            await core.availability.pause(stop)
        else:
            health.prepared = True
            core.availability.found()
            log.info("service.ready")
            break
    return None


async def _revived(embedded: EmbeddedPostgres) -> bool:
    """Start the embedded server again where it has died; gives whether it was."""
    try:
        started = await asyncio.to_thread(embedded.revive)
    except PostgresFailed as error:
        # The lines after the first are of PostgreSQL's own log, which quotes statements and rows.
        log.error("postgres.not_restarted", error=str(error).partition("\n")[0].removesuffix(":"))
        return False
    if started:
        log.warning("postgres.restarted")
    return started
