"""The delivery worker: leases lanes, sends the deliveries at their heads, and records the results in batches.

Attempts do not wait for the database. While one turn (webhooks/queue/store.py) is in flight, attempts end and others
start; the next turn records them all in one batch, so a busy lane costs a fraction of a statement for each delivery.
The queue of a lane is in webhooks/dispatch/leased_lane.py, how many deliveries are fetched ahead in prefetch.py, which
lane sends next in slots.py, and what one attempt sends in attempt.py.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol, cast

import asyncpg
import structlog

from events import trace
from events.clock import Clock, SystemClock
from events.errors import BrokenHistory
from events.keys import MasterKeys
from events.supervision import LocalWaker, Retries, Waker, beside, end, poke_when_stopped
from webhooks import explanation
from webhooks.dispatch import attempt, prefetch, workable
from webhooks.dispatch.leased_lane import LeasedLane
from webhooks.dispatch.metrics import DeliveryMetrics
from webhooks.dispatch.slots import Slot, Slots
from webhooks.dispatch.workable import Unworkable
from webhooks.endpoints import endpoint, set_aside
from webhooks.endpoints.set_aside import Reason
from webhooks.outcome import Outcome
from webhooks.post.sender import IN_FLIGHT_MAX, Sender
from webhooks.queue import lane
from webhooks.queue.lane import Lane
from webhooks.queue.retry import judge
from webhooks.queue.turn import ROOM_MAX, Endpoint, Head, Report, Result, Turn, result

log = structlog.get_logger("webhooks")

HOST_MAX = 128  # attempts in flight to one host
CLAIMS_MAX = 128  # lanes leased in one turn
RESULTS_MAX = 128  # results that start a turn at once; fewer wait for more, to be recorded in one batch,
LINGER_S = 0.01  # for at most this long
ENDS = ("delivered", "gave_up")
POLL_S = 1.0
RETRY_S = 0.5  # after a turn that failed while stopping
DRAIN_S = 20.0
LOGGED_MAX = 200  # characters of an error
# Errors that the data of a single lane can cause in the statement or in its answer.
INDIGESTIBLE = (
    asyncpg.DataError,
    asyncpg.CardinalityViolationError,
    asyncpg.IntegrityConstraintViolationError,
    ArithmeticError,
    LookupError,
    TypeError,
    ValueError,
)


class Leasing(NamedTuple):
    """Which lanes a turn may lease: how many, with how many deliveries, and which accounts are left out."""

    claims: int
    room: int
    full: Sequence[str]
    crowded: Sequence[str]


NO_LEASING = Leasing(0, 0, (), ())


class Turns(Protocol):
    """Leases lanes for one worker: see webhooks/queue/store.py. Turns do not overlap."""

    lease_s: float

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
        """Record results, and lease up to `claims` lanes with up to `room` deliveries.

        Accounts whose share is `full` are left out. Of `crowded` accounts only responsive lanes are leased; of every
        account if `responsive` is set. `leased` is given when the answer to the last turn was lost: all lanes that the
        worker knows it has leased.

        Raises LogUnavailable: the results may or may not be recorded.
        """
        ...

    async def set_aside(self, reasons: Mapping[str, str]) -> None:
        """Release lanes whose stored data is unusable and mark them as set aside, each with its reason.

        See webhooks/dispatch/workable.py. Raises LogUnavailable.
        """
        ...

    async def suspects(self, claims: int) -> Mapping[str, str]:
        """The lanes that may have made a turn with that many `claims` fail, and why. Raises LogUnavailable."""
        ...

    async def close(self) -> None:
        """Close the connection."""
        ...


class Worker:
    """Delivers until it is stopped; any number of workers share the lanes.

    `wakeup` notifies that lanes may be ready. `in_flight_max` bounds the attempts in flight, `host_max` those
    to one host; `drain_s` how long a stopping worker waits for them. `gone` is called once a 410 Gone is recorded.
    `checkpoint` gives size and root of the newest checkpoint of the log, which each attempt sends in a header.
    """

    def __init__(
        self,
        lanes: Turns,
        sender: Sender,
        master_keys: MasterKeys,
        wakeup: Waker,
        *,
        clock: Clock | None = None,
        in_flight_max: int = IN_FLIGHT_MAX,
        host_max: int = HOST_MAX,
        drain_s: float = DRAIN_S,
        metrics: DeliveryMetrics | None = None,
        jitter: Callable[[], float] = random.random,
        gone: Callable[[], None] | None = None,
        checkpoint: Callable[[], str | None] = lambda: None,
    ) -> None:
        self.metrics = metrics or DeliveryMetrics()
        self._lanes = lanes
        self._sender = sender
        self._master_keys = master_keys
        self._wakeup = wakeup
        self._clock = clock or SystemClock()
        self._drain_s = drain_s
        self._jitter = jitter
        self._gone = gone
        self._checkpoint = checkpoint
        self._leased: dict[str, LeasedLane] = {}
        self._slots = Slots(in_flight_max, host_max, self._capacity)
        self._aside: dict[str, Reason] = {}  # lanes to be set aside in the database
        self._results: list[Result] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._due = LocalWaker()  # poked when a turn is due
        self._unsure = False  # the answer to the last turn was lost
        self._searched: frozenset[str] | None = None  # accounts that were left out when no further lane was ready
        self._stop = asyncio.Event()
        self._retries = Retries(log, "worker")
        self._moment = self._clock.now()  # the database's time,
        self._moment_at = 0.0  # at this time of the loop

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until `stop` is set, then drain: finish the attempts in flight."""
        self._stop = stop
        async with self._sender:
            try:
                await beside(self._deliver(), self._listen(), poke_when_stopped(stop, self._due))
            finally:
                await end(*self._tasks)
                await self._lanes.close()

    async def _deliver(self) -> None:
        while not self._stop.is_set():
            await self._due.wait()
            await self._turn()
        await self._drain()

    async def _listen(self) -> None:
        while True:
            self._searched = None
            self._due.poke()
            await self._wakeup.wait(POLL_S)

    async def _drain(self) -> None:
        """Wait for attempts in flight, at most the drain time, and release every lane."""
        for leased in self._leased.values():
            leased.put_back()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._drain_s):
                while self._leased:
                    await self._turn()
                    if self._leased:
                        await self._due.wait()
        if self._leased:
            log.warning("worker.attempts_abandoned", in_flight=self._slots.in_flight)
            for leased in self._leased.values():
                leased.abandon()
            with suppress(TimeoutError):
                async with asyncio.timeout(RETRY_S * 4):
                    await self._turn()

    async def _turn(self) -> None:
        """Record results in the database and fetch the next deliveries; after any exception, wait before the next."""
        try:
            await self._take_turn()
        except Exception as error:
            await self._wait(error)

    async def _take_turn(self) -> None:
        await self._record_set_aside()
        now = asyncio.get_running_loop().time()
        rooms = prefetch.budget(self._slots, self._leased.values())
        full = frozenset(share for share in rooms.users() if not rooms.allows(share))
        # Part of the budget is kept for lanes leased by this turn: those leased already may ask for all of it.
        kept = max(rooms.left // 4, 1)
        rooms.withhold(kept)
        reports = []
        for leased in list(self._leased.values()):
            try:
                report = prefetch.report(
                    leased, self._slots, rooms, now, lease_s=self._lanes.lease_s, stopping=self._stop.is_set()
                )
            except Exception as error:
                self._set_aside(leased.endpoint.id, "internal", error)
                continue
            if report is not None:
                rooms.take(leased.endpoint.share, report.want + report.recovered)
                reports.append(report)
        rooms.restore(kept)
        room = rooms.room("")  # for an account that has nothing yet
        crowded = self._slots.crowded_shares()
        claims = self._claims(room, full | crowded)
        results, self._results = self._results, []
        if not reports and claims == 0:
            return
        try:
            claimed = await self._exchange(reports, results, Leasing(claims, room, list(full), list(crowded)))
        except Exception:
            self._results = results + self._results
            for report in reports:
                if report.touched and (reported := self._leased.get(report.endpoint_id)) is not None:
                    reported.touch()
            raise
        except asyncio.CancelledError:
            self._results = results + self._results  # the last turn records them again
            self._unsure = True
            raise
        self._retries.worked()
        if self._gone is not None and any(report.lane.gone for report in reports):
            self._gone()
        if self._aside or (claims and claimed == claims):
            self._due.poke()  # there may be more
        elif claims and (full or crowded):
            self._searched = full | crowded

    async def _wait(self, error: Exception) -> None:
        """Wait before the next turn; whether the results were recorded is unknown."""
        self._unsure = True
        if self._stop.is_set():
            await asyncio.sleep(RETRY_S)
        else:
            await self._retries.failed(error, self._stop)
        self._due.poke()

    async def _exchange(self, reports: list[Report], results: list[Result], leasing: Leasing) -> int:
        """Take a turn and apply its answer; gives how many lanes were leased.

        If the statement fails on the data of a lane, the batch is bisected until that lane is alone, and set aside.
        """
        began = asyncio.get_running_loop().time()
        try:
            turn = await self._lanes.turn(
                reports,
                results,
                claims=leasing.claims,
                room=leasing.room,
                full=leasing.full,
                crowded=leasing.crowded,
                responsive=self._slots.crowded,
                leased=list(self._leased) if self._unsure else None,
            )
        except INDIGESTIBLE as error:
            self._unsure = True
            log.warning("worker.batch_split", error=type(error).__name__, lanes=len(reports), claims=leasing.claims)
            if not reports:
                for id, reason in (await self._lanes.suspects(leasing.claims)).items():
                    self._set_aside(id, cast(Reason, reason), error)
                return 0
            if len(reports) == 1 and not leasing.claims:
                self._set_aside(reports[0].endpoint_id, "statement_failed", error)
                return 0
            half = len(reports) if leasing.claims else (len(reports) + 1) // 2
            for part in filter(None, (reports[:half], reports[half:])):
                ids = {report.endpoint_id for report in part}
                await self._exchange(part, [each for each in results if each.endpoint_id in ids], NO_LEASING)
            await self._record_set_aside()
            return await self._exchange([], [], leasing) if leasing.claims else 0
        self._unsure = False
        self._moment, self._moment_at = turn.moment, asyncio.get_running_loop().time()
        self.metrics.turns += 1
        self.metrics.turn_s += self._moment_at - began
        self._follow(turn, reports)
        return turn.claimed

    def _set_aside(self, id: str, reason: Reason, error: Exception) -> None:
        """Release a lane whose stored data is unusable, and mark it as set aside in the database."""
        leased = self._leased.pop(id, None)
        if leased is not None:
            leased.let_go()
        if id in self._aside:
            return
        self._aside[id] = reason
        self.metrics.set_aside[reason] += 1
        log.error(
            "endpoint.set_aside",
            endpoint=id,
            reason=reason,
            means=set_aside.WORDS[reason],
            error=str(error)[:LOGGED_MAX] if isinstance(error, Unworkable) else type(error).__name__,
        )
        self._due.poke()

    def _unrecorded(self, id: str) -> bool:
        return any(result.endpoint_id == id for result in self._results)

    async def _record_set_aside(self) -> None:
        """Mark lanes as set aside in the database. Raises LogUnavailable; then a later turn does it."""
        if self._aside:
            aside = dict(self._aside)
            await self._lanes.set_aside(aside)
            for id in aside:
                del self._aside[id]

    def _claims(self, room: int, left_out: frozenset[str]) -> int:
        """How many lanes to lease now, with room for that many deliveries.

        With accounts left out, the search scans all their ready lanes. So after a search that found too few it is
        repeated only when a lane may have become ready, or when fewer accounts are left out.
        """
        if self._stop.is_set() or room == 0 or (self._searched is not None and left_out >= self._searched):
            return 0
        return min(CLAIMS_MAX, max(room // 2, 1))

    def _follow(self, turn: Turn, reports: list[Report]) -> None:
        """Apply the answer to a turn."""
        for id in turn.lost:
            if id in self._leased:
                self._lose(self._leased[id])
        for current, state in turn.served:
            if current.id in self._aside:
                continue
            try:
                self._serve(current, state)
            except Unworkable as error:
                leased = self._leased.get(current.id)
                if leased is not None and (
                    leased.in_flight or leased.recovered_in_flight or self._unrecorded(current.id)
                ):
                    leased.set_aside(error)  # once that is recorded
                else:
                    self._set_aside(current.id, error.reason, error)
            except Exception as error:
                self._set_aside(current.id, "internal", error)
        heads = []
        for head in turn.heads:
            leased = self._leased.get(head.endpoint_id)
            if leased is not None and leased.aside is None and leased.take(head, self._moment_at):
                heads.append(head)
        taken = Counter(head.endpoint_id for head in heads)
        recovered = Counter(head.endpoint_id for head in heads if head.recovered)
        for report in reports:
            leased = self._leased.get(report.endpoint_id)
            if leased is None:
                continue
            live = taken[report.endpoint_id] - recovered[report.endpoint_id]
            leased.answered(
                self._moment_at if report.touched else None,
                more=live >= report.want,
                more_recovered=recovered[report.endpoint_id] >= report.recovered > 0,
            )
        let_go = {report.endpoint_id for report in reports if report.touched and not report.known}
        let_go |= {current.id for current, _ in turn.served}.difference(report.endpoint_id for report in reports)
        for id in let_go.difference(taken, turn.lost, self._aside):
            leased = self._leased.pop(id)
            leased.let_go()
            if isinstance(leased.aside, Unworkable):
                self._set_aside(id, leased.aside.reason, leased.aside)
        for id in taken:
            self._slots.queue(self._leased[id])
        self.metrics.lanes = len(self._leased)
        self._start()

    def _serve(self, current: Endpoint, state: Lane) -> None:
        """Start a lane that was just leased, or update one whose endpoint has changed."""
        leased = self._leased.get(current.id)
        if leased is None:
            self.metrics.leased += 1
            leased = self._leased[current.id] = LeasedLane(
                endpoint=current, lane=state, reported_at=self._moment_at, more=True
            )
        else:
            leased.refresh(current, state)
        leased.address(workable.host(current, state))
        self._hold_back(leased)
        leased.sign_with(self._secrets(current))
        self._slots.queue(leased)  # it may be allowed to send again

    def _secrets(self, current: Endpoint) -> tuple[tuple[str, int | None], ...]:
        """The signing secrets, each with its expiry (Unix seconds). Raises Unworkable."""
        stream = endpoint.stream(current.id)
        try:
            secrets = [self._master_keys.unseal(sealed, stream).decode() for sealed in current.secrets]
            until = current.secrets_until or [None] * len(secrets)
            signing = tuple(zip(secrets, until, strict=True))
        except (BrokenHistory, ValueError) as error:
            raise Unworkable("secret_unreadable", error) from None
        if current.status == "enabled":
            workable.check_secrets(secrets)
        return signing

    def _lose(self, leased: LeasedLane) -> None:
        """Drop a lane that another worker has leased: results of its attempts in flight are ignored."""
        leased.let_go()
        del self._leased[leased.endpoint.id]
        self.metrics.lost += 1
        log.warning("lane.lost", endpoint=leased.endpoint.id, in_flight=len(leased.in_flight))

    def _start(self) -> None:
        """Start an attempt for each free slot, while lanes are queued."""
        while (first := self._next()) is not None:
            task = asyncio.create_task(self._carry(first))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self.metrics.in_flight = self._slots.in_flight

    def _next(self) -> Slot | None:
        """A slot for the next delivery; counts it against the rate limit of its lane, if there is one."""
        slot = self._slots.next()
        if slot is not None and (rate_limit := slot.leased.endpoint.rate_limit) is not None:
            leased = slot.leased
            leased.pace(rate_limit, self._now())
            self._hold_back(leased)
        return slot

    def _hold_back(self, leased: LeasedLane) -> None:
        """Hold attempts of a lane back until its rate limit allows the next."""
        wait_s = leased.hold_back(self._now())
        if wait_s is not None:
            asyncio.get_running_loop().call_later(wait_s, self._go_on, leased)

    def _go_on(self, leased: LeasedLane) -> None:
        leased.timer_ended()
        if not leased.ours:
            return
        self._hold_back(leased)
        if not leased.paced:
            self._slots.queue(leased)
            self._start()

    async def _carry(self, first: Slot) -> None:
        """Make one attempt after another, as long as a lane is queued for a slot."""
        slot: Slot | None = first
        while slot is not None:
            leased, head, url = slot.leased, slot.head, slot.leased.endpoint.url
            try:
                outcome = await attempt.post(self._sender, self._clock, leased, head, self._checkpoint())
            finally:
                leased.landed(head)
                self._slots.free(slot)
            if leased.ours:
                try:
                    self._ended(leased, head, outcome, url)
                except Exception as error:
                    self._set_aside(head.endpoint_id, "internal", error)
            slot = self._next()
            self._start()

    def _ended(self, leased: LeasedLane, head: Head, outcome: Outcome, url: str) -> None:
        """Judge an attempt and queue its result; the lane is updated unless its URL has changed since."""
        now = self._now()
        verdict = judge(outcome, head.attempts + 1, now, self._jitter(), leased.lane.failing_since)
        leased.record(outcome, head.attempts + 1, now, url)
        hold = head.key is not None and leased.endpoint.on_exhaustion == "hold"
        recorded = result(head, outcome, verdict, now, hold=hold)
        leased.settle(head, ended=recorded.outcome in ENDS)
        self._results.append(recorded)
        self.metrics.attempted(head.endpoint_id, outcome, verdict)
        log.info(
            "delivery.attempted",
            endpoint=head.endpoint_id,
            event_id=head.notice_id,
            trace=head.traceparent and trace.id_of(head.traceparent),
            attempt=recorded.attempt,
            outcome=recorded.outcome,
            status=outcome.status,
            fault=outcome.code or outcome.fault,
            reason=None if outcome.delivered else explanation.words(outcome.code or outcome.fault, outcome.status),
            elapsed_ms=outcome.duration_ms,
            retry_in_s=recorded.wait_s,
        )
        if leased.lane.open_until is not None or self._capacity(leased) == 0:
            leased.forget()
        self._slots.queue(leased)
        self._schedule_turn(leased)

    def _schedule_turn(self, leased: LeasedLane) -> None:
        """Schedule a turn: soon, or at once when a lane has nothing left to send."""
        slots = self._slots
        dry = not leased.waiting and not slots.waited_for
        dry = dry and (
            leased.more or (leased.more_recovered and not leased.recovered and not slots.waited_for_by_recovered)
        )
        if dry or slots.in_flight == 0 or len(self._results) >= RESULTS_MAX:
            self._due.poke()
        elif len(self._results) == 1:
            asyncio.get_running_loop().call_later(LINGER_S, self._due.poke)

    def _capacity(self, leased: LeasedLane) -> int:
        if leased.aside is not None:
            return 0
        state, most = leased.lane, leased.endpoint.in_flight_max
        if state.open_until is None and state.quiet_until is None and not state.gone:
            return state.concurrency if most is None else min(state.concurrency, most)
        return min(lane.capacity(state, self._now()), most or IN_FLIGHT_MAX)

    def _now(self) -> datetime:
        """The database's time, extrapolated since the last turn: all workers share that clock."""
        return self._moment + timedelta(seconds=asyncio.get_running_loop().time() - self._moment_at)
