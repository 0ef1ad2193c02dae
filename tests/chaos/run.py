"""One run: the deployment is started, things break under load, everything is mended, and the reckoning is made."""

import asyncio
import io
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, redirect_stdout, suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from random import Random

from rich.console import Console

from service import subscribers
from service.cli.output import Output
from service.wiring import build
from tests.chaos import breakage, latency, receivers, tally, tenants
from tests.chaos.fault_injector import LEASE_S, TYPES, VARIABLES, FaultInjector
from tests.chaos.latency import Figures, Phases
from tests.chaos.load import Load
from tests.chaos.queues import Subscriber
from tests.chaos.receivers import Receivers
from tests.chaos.tally import Observations, Verdict
from tests.faults.deployment import ACCOUNT, Deployment
from tests.servers.postgres import PrivatePostgres
from tests.servers.rabbitmq import PrivateRabbit
from tests.service.serving import settings_for
from tests.waiting import until

Say = Callable[[str], None]

WARM_UP = 10  # customers, before anything breaks
WARM_UP_S = 60.0
ALONE, BESIDE, BREAKING = "alone", "beside hostile tenants", "and all breaks"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run is made of; `seconds` is how long things break, unless so many `breakages` are over before."""

    seed: int
    seconds: float
    names: Sequence[str] = ("api-1", "api-2", "relay-1", "relay-2", "worker-1", "worker-2")
    faults: Sequence[str] = tuple(breakage.ALL)
    breakages: int | None = None
    hands: int = 2  # that break things at once
    pause_s: tuple[float, float] = (0.5, 3.0)  # of a hand, shortest and longest
    rate: float = 50.0  # requests a second
    postgres: Mapping[str, str] = field(default_factory=dict)  # its settings
    alone_s: float = 15.0  # before hostile tenants come,
    beside_s: float = 25.0  # and with them before anything breaks
    mended_s: float = 240.0  # that everything may take to arrive once nothing breaks any more


@dataclass(kw_only=True)
class Report:
    """How a run went."""

    broken: Counter[str] = field(default_factory=Counter)  # how often, by what it is called
    bad_receivers: dict[str, int] = field(default_factory=dict)  # tries of each
    did: Counter[str] = field(default_factory=Counter)  # the hostile tenant, by what it is called
    api: Mapping[str, Figures] = field(default_factory=dict)  # of the well-behaved, by phase
    webhooks: Mapping[str, Figures] = field(default_factory=dict)
    load_s: float = 0.0
    mended_s: float = 0.0
    verdict: Verdict


async def run(plan: Plan, directory: Path, say: Say) -> Report:
    """Run it in a directory of its own, where the processes' output stays. Every process is gone at the end."""
    random = Random(plan.seed)
    async with AsyncExitStack() as opened:
        deployment = await opened.enter_async_context(_deployment(plan, directory))
        receiving = await opened.enter_async_context(receivers.receiving())
        say("starting " + ", ".join(("PostgreSQL", "RabbitMQ", *plan.names)))
        await deployment.open(plan.names)
        reads, stuck = (Subscriber(name, deployment.amqp_url) for name in ("reads", "stuck"))
        injector = FaultInjector(deployment, plan.names, reads, stuck, random)
        await _open(injector, receiving)
        hostile = await opened.enter_async_context(tenants.hostile(deployment))
        phases, attacking = Phases(), asyncio.create_task(asyncio.sleep(0))
        load, stop = Load(deployment, plan.rate), asyncio.Event()
        reading = [asyncio.create_task(reads.run())]
        working = asyncio.create_task(load.run(stop))
        report = Report(verdict=Verdict(lines=[], wrong=[]))
        began = time.monotonic()
        try:
            await until(lambda: _fine(working) and len(load.created) >= WARM_UP, timeout_s=WARM_UP_S)
            await until(lambda: bool(receiving.good.received(receivers.GOOD[0])), timeout_s=WARM_UP_S)
            phases.began[ALONE] = time.monotonic()
            await asyncio.sleep(plan.alone_s)
            say("hostile tenants begin")
            phases.began[BESIDE] = time.monotonic()
            attacking = asyncio.create_task(hostile.run())
            await asyncio.wait([attacking], timeout=plan.beside_s)
            assert _fine(attacking)
            phases.began[BREAKING] = time.monotonic()
            await _break(plan, injector, working, report, say)
            attacking.cancel()
            stop.set()
            await asyncio.wait_for(working, plan.mended_s)
            report.load_s = time.monotonic() - began
            say(f"{len(load.created)} customers were acknowledged; waiting for what is in flight")
            mending = time.monotonic()
            await _replay(injector, say)
            reading.append(asyncio.create_task(stuck.run()))
            await _arrived(injector, receiving, plan.mended_s)
            report.mended_s = time.monotonic() - mending
            report.bad_receivers = receiving.tried()
            wrong = await injector.stop()
            await _let_go(injector)
        finally:
            for task in (attacking, working, *reading):
                task.cancel()
            await asyncio.gather(attacking, working, *reading, return_exceptions=True)
        report.did = hostile.did
        report.api = phases.figures(load.timed)
        report.webhooks = phases.figures(
            latency.of_webhooks(load.created_at, receiving.good.received(receivers.GOOD[0]))
        )
        observed = Observations(
            created=load.created,
            changed=load.changed,
            stored=await tally.read(deployment.dsn),
            subscribers=injector.subscribers,
            receipts={receiving.good.url(path): receiving.receipts(path) for path in receivers.GOOD},
            led_astray=receiving.led_astray(),
            wrong=[*injector.ended, *wrong],
        )
        report.verdict = tally.judge(observed)
        return report


@asynccontextmanager
async def _deployment(plan: Plan, directory: Path) -> AsyncIterator[Deployment]:
    postgres, rabbit = PrivatePostgres(directory / "postgres", plan.postgres), PrivateRabbit(directory / "rabbit")
    deployment = Deployment(postgres, rabbit, directory, variables=VARIABLES)
    try:
        yield deployment
    finally:
        deployment.close()
        rabbit.stop()
        await asyncio.to_thread(postgres.stop)


async def _open(injector: FaultInjector, receiving: Receivers) -> None:
    """Register receivers and subscribers before there are events."""
    deployment = injector.deployment
    core = await build(settings_for(deployment.directory, amqp_url=deployment.amqp_url), deployment.dsn)
    try:
        for subscriber in injector.subscribers:
            with redirect_stdout(io.StringIO()) as said:
                output = Output(console=Console(file=said))
                await subscribers.add(core, output, name=subscriber.name, types=(TYPES,), account=ACCOUNT, mode="*")
    finally:
        await core.close()
    await asyncio.gather(*map(deployment.register, receiving.urls))
    await injector.queues_back()


async def _break(plan: Plan, injector: FaultInjector, working: "asyncio.Task[None]", report: Report, say: Say) -> None:
    """Let every hand break things until the time is over; what was begun by then is brought to its end."""
    drawn = islice(breakage.deck(injector.random, list(plan.faults)), plan.breakages)
    until_s = time.monotonic() + plan.seconds

    async def hand() -> None:
        for name in _in_time(drawn, until_s):
            assert _fine(working)
            began = time.monotonic()
            await breakage.ALL[name](injector)
            report.broken[name] += 1
            say(f"{name}, {time.monotonic() - began:.1f} s")
            await asyncio.sleep(injector.random.uniform(*plan.pause_s))

    async with asyncio.TaskGroup() as hands:
        for _ in range(plan.hands):
            hands.create_task(hand())


def _in_time(drawn: Iterator[str], until_s: float) -> Iterator[str]:
    while time.monotonic() < until_s:
        try:
            yield next(drawn)
        except StopIteration:
            return


def _fine(working: "asyncio.Task[None]") -> bool:
    """True as long as the load did not fail, which is raised."""
    if working.done():
        working.result()
    return True


async def _replay(injector: FaultInjector, say: Say) -> None:
    """Do as an operator does for subscribers whose queues were lost: bring them what was in those."""
    for subscriber in injector.subscribers:
        if subscriber.gaps:
            start = subscriber.gaps[0].above
            say(f"replaying to {subscriber.name}, whose queue was lost, from {start}")
            await injector.rollbook("subscribers", "replay", subscriber.name, "--from", str(start))


async def _arrived(injector: FaultInjector, receiving: Receivers, within_s: float) -> None:
    """Wait until everything has arrived, or until the limit; the summary then counts what is missing."""
    rows = await injector.ask(f"SELECT id, type FROM projections.notice WHERE account = '{ACCOUNT}'")
    notices = {row["id"] for row in rows}
    of_customers = {row["id"] for row in rows if row["type"].startswith("customer.")}

    async def settled() -> bool:
        if not all(subscriber.got.keys() >= of_customers for subscriber in injector.subscribers):
            return False
        if not all(receiving.receipts(path).keys() >= notices for path in receivers.GOOD):
            return False
        ((relayed, fanned_out, pending),) = await injector.ask(
            "SELECT (SELECT sequence FROM webhooks.relay_cursor) = h.sequence, "
            "(SELECT sequence FROM webhooks.watermark) = h.sequence, EXISTS (SELECT FROM webhooks.delivery d "
            "JOIN webhooks.endpoint e ON e.id = d.endpoint_id "
            f"WHERE e.url LIKE '{receiving.good.url('/')}%') FROM projections.notice_head h"
        )
        return relayed and fanned_out and not pending

    with suppress(AssertionError):
        await until(settled, timeout_s=within_s)


async def _let_go(injector: FaultInjector) -> None:
    """Wait as long as what is killed may keep its sessions and leases; one that is left then is left for ever."""

    async def nothing_leased() -> bool:
        ((leased,),) = await injector.ask(
            "SELECT EXISTS (SELECT FROM webhooks.lane WHERE leased_until > now()) "
            "OR EXISTS (SELECT FROM pg_stat_activity WHERE application_name LIKE 'rollbook%')"
        )
        return not leased

    with suppress(AssertionError):
        await until(nothing_leased, timeout_s=LEASE_S + 1)
