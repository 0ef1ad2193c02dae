"""What is due is done: at its time, by one of many, and again until it succeeds."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from events.clock import FrozenClock
from events.customer import CUSTOMER, UpdateCustomer
from events.database import load_sql
from events.errors import Missing
from events.follow import Wakeup
from events.unit_of_work import UnitOfWork
from projections.due import NEXT, Due, DueWork
from service.jobs import scheduler, system
from service.jobs.handlers import Handler
from service.jobs.scheduler import PAUSE_S_MAX, Scheduler, pause_s
from service.wiring import Core
from tests.plans import explain
from tests.service.serving import ACCOUNT, Api, Launch, Serve
from tests.waiting import until

PATH = "/v1/test_helpers/test_clocks"
NOW = 1_700_000_000
FROZEN = 1_577_836_800
DAY = 86_400
NEVER = 2**63 - 1
INSERT = """
INSERT INTO projections.due (kind, id, task, subject, account, livemode, due_at, test_clock, try_at)
VALUES ('customer', $1, $2, $3, $4, false, $5, $6, projections.try_at($4, false, $6, $5))
"""


@dataclass
class SchedulerHarness:
    """One application whose clock the test moves, its schedulers, and what they did."""

    api: Api
    clock: FrozenClock
    owner: asyncpg.Connection
    done: list[Due] = field(default_factory=list)
    schedulers: list[Scheduler] = field(default_factory=list)

    async def note(self, core: Core, due: Due) -> None:
        """A handler that notes what it was handed."""
        self.done.append(due)

    async def due(self, subject: str, due_at: int, *, task: str = "note", id: str = "cus_1", clock: Any = None) -> None:
        """Have something due."""
        await self.owner.execute(INSERT, id, task, subject, ACCOUNT, due_at, clock)

    async def left(self) -> list[tuple[Any, ...]]:
        """What is due of customers, in order: subject, tries, when it is tried."""
        rows = await self.owner.fetch(
            "SELECT subject, tries, try_at FROM projections.due WHERE kind = 'customer' ORDER BY due_at, subject"
        )
        return [tuple(row) for row in rows]

    async def nothing_left(self) -> bool:
        return await self.left() == []

    @property
    def subjects(self) -> list[str]:
        return [due.subject for due in self.done]

    @asynccontextmanager
    async def scheduling(self, count: int = 1, **handlers: Handler) -> AsyncIterator[None]:
        """One scheduler or several, at work meanwhile."""
        known = {"note": self.note, **{name.replace("_", "."): handler for name, handler in handlers.items()}}
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            for _ in range(count):
                wakeup = Wakeup(self.api.core.dsn, "rollbook_due")
                made = Scheduler(self.api.core, wakeup, handlers=known, lease_s=60, poll_s=0.02)
                self.schedulers.append(made)
                tasks.create_task(wakeup.run(stop))
                tasks.create_task(made.run(stop))
            yield
            stop.set()

    async def test_clock(self) -> str:
        made: str = (await self.api.post(PATH, f"frozen_time={FROZEN}")).json["id"]
        return made

    async def advance(self, id: str, by: int) -> None:
        answer = await self.api.post(f"{PATH}/{id}/advance", f"frozen_time={FROZEN + by}")
        assert answer.status == 200, answer.body

    async def ready(self, id: str) -> bool:
        return bool((await self.api.get(f"{PATH}/{id}")).json["status"] == "ready")


@pytest.fixture
async def harness(serve: Serve, database: str) -> AsyncIterator[SchedulerHarness]:
    clock = FrozenClock(datetime.fromtimestamp(NOW, UTC))
    api = await serve(clock)
    owner = await asyncpg.connect(database)
    yield SchedulerHarness(api, clock, owner)
    await owner.close()


async def test_what_is_due_is_done_when_its_time_has_come_and_not_before(harness: SchedulerHarness) -> None:
    await harness.due("past", NOW - DAY)
    await harness.due("now", NOW)
    await harness.due("soon", NOW + 10)
    await harness.due("later", NOW + DAY)
    async with harness.scheduling():
        await until(lambda: sorted(harness.subjects) == ["now", "past"])
        harness.clock.advance(timedelta(seconds=10))
        await until(lambda: len(harness.done) == 3)
    assert harness.done[-1].subject == "soon"
    assert await harness.left() == [("later", 0, NOW + DAY)]
    assert harness.done[-1] == Due(ACCOUNT, False, "customer", "cus_1", "note", "soon", NOW + 10, None, 1)
    assert (harness.schedulers[0].executed, harness.schedulers[0].failed) == (3, 0)


async def test_what_a_commit_makes_due_wakes_who_keeps_time(serve: Serve) -> None:
    api = await serve()
    stop = asyncio.Event()
    wakeup = Wakeup(api.core.dsn, "rollbook_due")
    made = Scheduler(api.core, wakeup, poll_s=3600)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(wakeup.run(stop))
        tasks.create_task(made.run(stop))
        id = (await api.post(PATH, f"frozen_time={FROZEN}")).json["id"]
        await api.post(f"{PATH}/{id}/advance", f"frozen_time={FROZEN + 1}")

        async def ready() -> bool:
            return bool((await api.get(f"{PATH}/{id}")).json["status"] == "ready")

        await until(ready)
        stop.set()


async def test_many_share_the_work_and_none_is_done_twice(harness: SchedulerHarness) -> None:
    for number in range(300):
        await harness.due(f"piece {number}", NOW - number)
    async with harness.scheduling(3):
        await until(harness.nothing_left, timeout_s=30)
    assert sorted(harness.subjects) == sorted({f"piece {number}" for number in range(300)})
    assert sum(each.executed for each in harness.schedulers) == 300


async def test_what_fails_is_retried_with_a_growing_backoff_and_delays_nothing_else(harness: SchedulerHarness) -> None:
    tried: list[int] = []

    async def poison(core: Core, due: Due) -> None:
        tried.append(due.tries)
        raise RuntimeError("poison")

    await harness.due("poison", NOW - DAY, task="poison")
    for number in range(40):
        await harness.due(f"piece {number}", NOW)
    async with harness.scheduling(poison=poison):
        await until(lambda: len(harness.done) == 40 and tried == [1])

        async def put_off() -> bool:
            now, tries = int(harness.clock.now().timestamp()), len(tried)
            return await harness.left() == [("poison", tries, now + pause_s(tries))]

        for tries in (1, 2, 3):
            await until(put_off)
            harness.clock.advance(timedelta(seconds=pause_s(tries) - 1))
            assert len(tried) == tries, "not a second before its time"
            harness.clock.advance(timedelta(seconds=1))
        await until(lambda: tried == [1, 2, 3, 4])
        await until(put_off)
    assert harness.schedulers[0].failed == 4


async def test_what_fails_is_done_when_it_no_longer_fails(harness: SchedulerHarness) -> None:
    async def twice(core: Core, due: Due) -> None:
        if due.tries < 3:
            raise TimeoutError
        await harness.note(core, due)

    await harness.due("in the end", NOW, task="twice")
    async with harness.scheduling(twice=twice):

        async def moved() -> bool:
            harness.clock.advance(timedelta(seconds=1))
            return await harness.nothing_left()

        await until(moved)
    assert [(due.subject, due.tries) for due in harness.done] == [("in the end", 3)]


def test_pauses_double_up_to_an_hour() -> None:
    assert [pause_s(tries) for tries in (1, 2, 3, 11)] == [2, 4, 8, 2048]
    assert {pause_s(tries) for tries in (12, 40, 10_000)} == {PAUSE_S_MAX}


async def test_what_hangs_is_given_up_and_tried_again_later(
    harness: SchedulerHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler, "HANDLER_TIMEOUT_S", 0.05)

    async def hang(core: Core, due: Due) -> None:
        await asyncio.Event().wait()

    await harness.due("stuck", NOW, task="hang")
    async with harness.scheduling(hang=hang):

        async def put_off() -> bool:
            return await harness.left() == [("stuck", 1, NOW + pause_s(1))]

        await until(put_off)


async def test_what_nobody_here_can_do_waits_for_somebody_who_can(harness: SchedulerHarness) -> None:
    await harness.due("new", NOW, task="unheard.of")
    async with harness.scheduling():
        await until(lambda: harness.schedulers[0].failed == 1)
    harness.clock.advance(timedelta(seconds=pause_s(1)))
    async with harness.scheduling(unheard_of=harness.note):
        await until(lambda: harness.subjects == ["new"])


async def test_what_is_about_something_that_is_no_more_is_done(harness: SchedulerHarness) -> None:
    async def missing(core: Core, due: Due) -> None:
        raise Missing("customer", due.id)

    await harness.due("gone", NOW, task="missing")
    async with harness.scheduling(missing=missing):
        await until(harness.nothing_left)
    assert harness.schedulers[0].failed == 0


async def test_what_a_killed_one_had_begun_is_begun_again_when_its_lease_is_over(harness: SchedulerHarness) -> None:
    await harness.due("begun", NOW)
    work = DueWork(harness.api.core.pool)
    [begun] = await work.take(NOW, NOW + 60, 10)
    await harness.due("other", NOW)
    async with harness.scheduling():

        async def only_begun() -> bool:
            return await harness.left() == [("begun", 1, NOW + 60)]

        await until(only_begun)
        harness.clock.advance(timedelta(seconds=59))
        assert harness.subjects == ["other"]
        harness.clock.advance(timedelta(seconds=1))
        await until(lambda: harness.subjects == ["other", "begun"])
        await until(harness.nothing_left)
    await work.finish(begun)
    assert not await work.keep(begun, NOW + 600), "what comes too late changes nothing"


async def test_what_is_made_due_anew_meanwhile_stays(harness: SchedulerHarness) -> None:
    async def renew(core: Core, due: Due) -> None:
        await harness.owner.execute("UPDATE projections.due SET due_at = $1, try_at = $1, tries = 0", NOW + DAY)
        await harness.note(core, due)

    await harness.due("again", NOW, task="renew")
    async with harness.scheduling(renew=renew):
        await until(lambda: harness.subjects == ["again"])
    assert await harness.left() == [("again", 0, NOW + DAY)]


async def test_a_clock_that_moves_takes_along_what_is_due_in_its_order_and_no_more(harness: SchedulerHarness) -> None:
    id = await harness.test_clock()
    for day in (3, 1, 9, 2, 5):
        await harness.due(f"day {day}", FROZEN + day * DAY, clock=id)
    await harness.due("elsewhere", FROZEN + DAY, clock=await harness.test_clock())
    async with harness.scheduling(2):
        await harness.advance(id, 5 * DAY)
        await until(lambda: harness.ready(id))
    assert harness.subjects == ["day 1", "day 2", "day 3", "day 5"]
    assert [due.due_at for due in harness.done] == [FROZEN + day * DAY for day in (1, 2, 3, 5)]
    assert await harness.left() == [("elsewhere", 0, NEVER), ("day 9", 0, NEVER)]


async def test_what_comes_of_something_due_has_its_turn_before_what_is_due_after_it(harness: SchedulerHarness) -> None:
    id = await harness.test_clock()

    async def more(core: Core, due: Due) -> None:
        await harness.note(core, due)
        await harness.due("consequence", FROZEN + 2 * DAY, clock=id)

    await harness.due("cause", FROZEN + DAY, task="more", clock=id)
    await harness.due("end", FROZEN + 3 * DAY, clock=id)
    async with harness.scheduling(more=more):
        await harness.advance(id, 3 * DAY)
        await until(lambda: harness.ready(id))
    assert harness.subjects == ["cause", "consequence", "end"]


async def test_a_clock_arrives_without_what_fails_and_that_is_tried_again(harness: SchedulerHarness) -> None:
    id = await harness.test_clock()

    async def once(core: Core, due: Due) -> None:
        if due.tries < 2:
            raise RuntimeError("not yet")
        await harness.note(core, due)

    await harness.due("poison", FROZEN + DAY, task="once", clock=id)
    await harness.due("piece", FROZEN + 2 * DAY, clock=id)
    async with harness.scheduling(once=once):
        await harness.advance(id, 2 * DAY)
        await until(lambda: harness.ready(id))
        assert harness.subjects == ["piece"]
        harness.clock.advance(timedelta(seconds=pause_s(1)))
        await until(lambda: harness.subjects == ["piece", "poison"])
    assert harness.done[-1].due_at == FROZEN + DAY, "late by the machine, and still of its own time"


async def test_what_is_due_by_a_clock_that_stands_there_already_is_done_at_once(harness: SchedulerHarness) -> None:
    id = await harness.test_clock()
    async with harness.scheduling():
        await harness.due("at once", FROZEN, clock=id)
        await until(lambda: harness.subjects == ["at once"])


async def test_the_work_of_a_customer_follows_it_under_its_clock(harness: SchedulerHarness) -> None:
    customer = (await harness.api.customer())["id"]
    await harness.due("past", FROZEN, id=customer)
    await harness.due("ahead", NOW + 10 * DAY, id=customer)
    await harness.due("elsewhere", NOW + 20 * DAY)
    id = (await harness.api.post(PATH, f"frozen_time={NOW + DAY}&customer={customer}")).json["id"]
    rows = await harness.owner.fetch(
        "SELECT test_clock, try_at FROM projections.due WHERE kind = 'customer' ORDER BY due_at"
    )
    assert [tuple(row) for row in rows] == [(id, 0), (id, NEVER), (None, NOW + 20 * DAY)]


async def test_a_clock_ends_after_thirty_days_and_its_customers_with_it(harness: SchedulerHarness) -> None:
    id = await harness.test_clock()
    customer = (await harness.api.customer(f"test_clock={id}"))["id"]
    stop = asyncio.Event()
    running = asyncio.create_task(scheduler.run(harness.api.core, stop))
    harness.clock.advance(timedelta(days=30) - timedelta(seconds=1))
    assert (await harness.api.get(f"{PATH}/{id}")).status == 200
    harness.clock.advance(timedelta(seconds=1))
    await harness.api.post(PATH, f"frozen_time={FROZEN}")  # wakes who keeps time

    async def gone() -> bool:
        return (await harness.api.get(f"{PATH}/{id}")).status == 404

    await until(gone)
    assert (await harness.api.get(f"/v1/customers/{customer}")).json["deleted"] is True
    stop.set()
    await running


async def test_what_a_handler_decides_again_is_decided_once(harness: SchedulerHarness) -> None:
    """Two processes carry out the same piece at the same time, as when one is slower than its lease."""
    customer = (await harness.api.customer())["id"]
    both = asyncio.Barrier(2)

    async def mark(core: Core, due: Due) -> None:
        await both.wait()

        async def act(unit: UnitOfWork) -> None:
            await unit.load(CUSTOMER, due.id)
            unit.do(CUSTOMER, due.id, UpdateCustomer(id=due.id, patch={"description": "marked"}))

        await core.executor.transact(act, system.origin_of(core, due), serialized_on=(CUSTOMER.stream(due.id),))

    due = Due(ACCOUNT, False, "customer", customer, "mark", "x", NOW, None, 1)
    await asyncio.gather(mark(harness.api.core, due), mark(harness.api.core, due))
    events = (await harness.api.get("/v1/events?type=customer.updated")).json["data"]
    assert len(events) == 1
    assert events[0]["request"] is None


async def test_what_is_next_is_found_by_an_index_however_much_there_is(harness: SchedulerHarness) -> None:
    await harness.owner.execute(
        """
        INSERT INTO projections.due (kind, id, task, subject, account, livemode, due_at, test_clock, try_at)
        SELECT 'customer', 'cus_' || n, 'note', n::text, 'acct_tests', false, 1700000000 + n,
            CASE WHEN n % 100 = 0 THEN 'clock_' || n % 7 END, 1700000000 + n
        FROM generate_series(1, 20000) AS n;
        """
    )
    await harness.owner.execute("ANALYZE projections.due")
    work = DueWork(harness.api.core.pool)
    plan = await explain(harness.owner, NEXT)
    assert ("due_next" in plan.indexes, plan.touched) == (True, 1), plan
    plan = await explain(
        harness.owner, load_sql("projections", "next_due_of_clock"), "acct_tests", False, "clock_3", 1_700_020_000, NOW
    )
    assert "due_of_clock" in plan.indexes
    assert plan.touched <= 2, plan
    await harness.owner.execute("SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off")
    plan = await explain(harness.owner, load_sql("projections", "take_due"), NOW + 10_000, NOW + 10_060, 32)
    assert {"due_next", "due_pkey"} <= plan.indexes
    assert plan.touched <= 3 * 32 + 3, plan
    assert await work.waiting(NOW + 20_000, 100) == 100


async def test_a_worker_killed_in_the_middle_leaves_nothing_lost_and_nothing_done_twice(
    api: Api, launch: Launch, database: str
) -> None:
    clocks = [(await api.post(PATH, f"frozen_time={FROZEN}")).json["id"] for _ in range(90)]

    async def published(type: str) -> list[str]:
        connection = await asyncpg.connect(database)
        try:
            rows = await connection.fetch("SELECT object_id FROM projections.notice WHERE type = $1", type)
        finally:
            await connection.close()
        return [row["object_id"] for row in rows]

    async def some_ready() -> bool:
        return bool(await published("test_helpers.test_clock.ready"))

    async def all_ready() -> bool:
        return len(await published("test_helpers.test_clock.ready")) >= len(clocks)

    variables = {"ROLLBOOK_JOB_LEASE_S": "1", "ROLLBOOK_OPERATIONS_PORT": "0"}
    worker = await launch("worker", **variables)

    async def advance(id: str) -> None:
        assert (await api.post(f"{PATH}/{id}/advance", f"frozen_time={FROZEN + 1}")).status == 200

    await asyncio.gather(*map(advance, clocks[:60]))
    await until(some_ready)
    await worker.kill9()
    await asyncio.gather(*map(advance, clocks[60:]))
    assert not await all_ready()
    await launch("worker", **variables)
    await launch("worker", **variables)
    await until(all_ready, timeout_s=30)
    assert sorted(await published("test_helpers.test_clock.ready")) == sorted(clocks), "each once"
    shown = (await api.get(f"{PATH}?limit=100")).json["data"]
    assert {clock["status"] for clock in shown} == {"ready"}
    assert {clock["frozen_time"] for clock in shown} == {FROZEN + 1}
