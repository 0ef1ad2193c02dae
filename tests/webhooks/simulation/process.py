"""A simulated process: its workers, with a fake bell, a fake connection to the database and a fake sender."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import inf
from random import Random
from typing import TYPE_CHECKING, Self

from events.errors import LogUnavailable
from events.keys import MasterKeys
from tests.virtual_time import VirtualClock
from tests.webhooks.simulation.witness import Watched
from webhooks.dispatch.worker import POLL_S, Worker
from webhooks.outcome import Outcome
from webhooks.post.sender import NO_HEADERS, Sender
from webhooks.post.ssrf import Policy
from webhooks.queue.memory import MemoryLanes
from webhooks.queue.turn import ROOM_MAX, Report, Result, Turn

if TYPE_CHECKING:
    from tests.webhooks.simulation.schedule import Schedule

MASTER_KEYS = MasterKeys(bytes(32))


class Bell:
    """A Wakeup that leaves out the polls that would find nothing, so that days of waiting pass at once."""

    def __init__(self, dice: Random, ready_in_s: Callable[[], float]) -> None:
        self._dice = dice
        self._ready_in_s = ready_in_s  # 0 when a poll would find something
        self._rung = asyncio.Event()
        self._poll: asyncio.TimerHandle | None = None
        self._timeout_s = POLL_S

    def poke(self) -> None:
        self._rung.set()

    async def wait(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        if self._ready_in_s() == 0:
            self._poll_in(timeout_s)
        else:
            self.review()
        try:
            await self._rung.wait()
        finally:
            if self._poll is not None:
                self._poll.cancel()
                self._poll = None
        self._rung.clear()

    def review(self) -> None:
        """Something changed: have the next poll be at the first that will find something."""
        now, ready_in_s = asyncio.get_running_loop().time(), self._ready_in_s()
        if self._rung.is_set() or ready_in_s == inf:
            return
        if self._poll is None or self._poll.when() > now + ready_in_s + self._timeout_s:
            self._poll_in(ready_in_s + self._dice.uniform(0, self._timeout_s))

    def _poll_in(self, delay_s: float) -> None:
        if self._poll is not None:
            self._poll.cancel()
        self._poll = asyncio.get_running_loop().call_later(delay_s, self._rung.set)


class Wire:
    """A worker's way to the database, which may be slow, and lose what is said on it."""

    def __init__(self, schedule: "Schedule", lanes: MemoryLanes, watched: Watched) -> None:
        self.lease_s = lanes.lease_s
        self._schedule = schedule
        self._lanes = lanes
        self._watched = watched

    async def turn(
        self,
        reports: Sequence[Report],
        results: Sequence[Result],
        *,
        claims: int,
        room: int = ROOM_MAX,
        full: Sequence[str] = (),
        crowded: Sequence[str] = (),
        responsive: bool = False,
        leased: Sequence[str] | None = None,
    ) -> Turn:
        schedule, watched = self._schedule, self._watched
        schedule.witness.asked(watched, reports)
        sent, answered = schedule.fate()
        if not sent:
            await asyncio.sleep(schedule.delay_s())
            raise LogUnavailable("never sent")
        # What is sent is done, whatever becomes of who sent it.
        done: asyncio.Future[Turn] = asyncio.get_running_loop().create_future()

        def commit() -> None:
            leases = {id: row.lease for id, row in schedule.database.lanes.items()}
            turn = schedule.database.turn(
                self._lanes.worker, self.lease_s, reports, results, leased, claims, responsive, room, full, crowded
            )
            schedule.witness.committed(watched, leases, reports)
            schedule.changed()
            if not done.done():
                done.set_result(turn)

        handle = asyncio.get_running_loop().call_later(schedule.delay_s(), commit)
        try:
            turn = await done
            await asyncio.sleep(schedule.delay_s())
        except asyncio.CancelledError:
            if schedule.dice.random() < 0.5:
                handle.cancel()
            raise
        if not answered:
            schedule.witness.disturb(schedule.now_s() + 5)
            raise LogUnavailable("never answered")
        schedule.witness.answered(watched, reports, turn)
        return turn

    async def set_aside(self, reasons: Mapping[str, str]) -> None:
        schedule, watched = self._schedule, self._watched
        schedule.witness.set_aside(watched, reasons)
        sent, answered = schedule.fate()
        await asyncio.sleep(schedule.delay_s())
        if sent:
            await self._lanes.set_aside(reasons)
            schedule.changed()
        if not (sent and answered):
            raise LogUnavailable("not known to be done")

    async def suspects(self, claims: int) -> Mapping[str, str]:
        return await self._lanes.suspects(claims)

    async def close(self) -> None:
        await self._lanes.close()


class Post(Sender):
    """Sends to made-up receivers."""

    def __init__(self, schedule: "Schedule", watched: Watched) -> None:
        super().__init__(Policy(production=False))
        self._schedule = schedule
        self._watched = watched

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def post(
        self,
        url: str,
        body: bytes,
        secrets: Iterable[str],
        *,
        id: str,
        timestamp: int,
        headers: Mapping[str, str] = NO_HEADERS,
    ) -> Outcome:
        schedule = self._schedule
        attempt = schedule.witness.began(self._watched, schedule.owner[url], url, int(id.removeprefix("evt_")))
        delay_s, outcome = schedule.receivers[url].answer(schedule.dice, schedule.now_s())
        if attempt is None:
            await asyncio.sleep(delay_s)
            return Outcome(fault="internal", duration_ms=0)
        reported = Outcome(
            duration_ms=round(delay_s * 1000),
            status=outcome.status,
            fault=outcome.fault,
            retry_after=outcome.retry_after,
            excerpt=str(attempt.number).encode(),
        )
        try:
            await asyncio.sleep(delay_s)
        except asyncio.CancelledError:
            schedule.witness.ended(attempt, None)
            raise
        schedule.witness.ended(attempt, reported)
        return reported


class Process:
    """One worker after the other, as one process would run them."""

    def __init__(self, schedule: "Schedule", in_flight_max: int, lease_s: float, host_max: int = 128) -> None:
        self._schedule = schedule
        self.in_flight_max = in_flight_max
        self.host_max = host_max
        self._lease_s = lease_s
        self._drain_s = schedule.dice.choice((20.0, 20.0, 20.0, 1.0, 0.0))
        self.bell: Bell | None = None
        self._watched: Watched | None = None
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to work, unless at it."""
        if self._task is not None:
            return
        schedule = self._schedule
        lanes = MemoryLanes(schedule.database, lease_s=self._lease_s)
        watched = self._watched = Watched(lanes.worker, self.in_flight_max, self.host_max)
        schedule.witness.hire(watched)
        schedule.witness.disturb(schedule.now_s() + 5)
        bell = self.bell = Bell(schedule.dice, lambda: 0.0 if worker.metrics.lanes else schedule.ready_in_s())
        self._stop = asyncio.Event()
        worker = Worker(
            Wire(schedule, lanes, watched),
            Post(schedule, watched),
            MASTER_KEYS,
            bell,
            clock=VirtualClock(),
            in_flight_max=self.in_flight_max,
            host_max=self.host_max,
            drain_s=self._drain_s,
            jitter=schedule.dice.random,
        )
        self._task = asyncio.create_task(worker.run(self._stop))

    def kill(self) -> None:
        """End at once: another gets what it leased when its leases run out."""
        if self._task is not None:
            assert self._watched is not None, "it works"
            self._watched.dead = True
            self._task.cancel()
            self._task = self.bell = None
            self._schedule.witness.disturb(self._schedule.now_s() + self._lease_s + 5)

    def stop(self) -> None:
        """Stop in order."""
        if self._task is not None:
            assert self._watched is not None, "it works"
            self._watched.stopping = True
            self._stop.set()
            self._schedule.leaving.append(self._task)
            self._task = self.bell = None
            self._schedule.witness.disturb(self._schedule.now_s() + self._drain_s + 10)
