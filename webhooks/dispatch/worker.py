"""A worker: leases lanes, sends what heads them, and records what came of it.

Attempts and the database go their own pace. While one turn (webhooks/queue/store.py) is in flight, attempts end and
others start; the next turn tells of all of them at once, so a busy lane costs a fraction of a statement for each
delivery. What waits of a lane is in webhooks/dispatch/leased_lane.py, whose turn it is in webhooks/dispatch/slots.py.
"""

import asyncio
import os
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
from events.supervision import DATABASE_ERRORS, Retries, Waker
from projections.notices import with_pending
from webhooks import explanation
from webhooks.dispatch import workable
from webhooks.dispatch.leased_lane import LeasedLane
from webhooks.dispatch.metrics import DeliveryMetrics
from webhooks.dispatch.shares import Shares
from webhooks.dispatch.slots import Slot, Slots
from webhooks.dispatch.workable import Unworkable
from webhooks.endpoints import endpoint, set_aside
from webhooks.endpoints.set_aside import Reason
from webhooks.feed import thin
from webhooks.outcome import Outcome
from webhooks.post.sender import IN_FLIGHT_MAX, Sender
from webhooks.queue import lane
from webhooks.queue.lane import Lane
from webhooks.queue.retry import judge
from webhooks.queue.turn import ROOM_MAX, Endpoint, Head, Report, Result, Turn, result

log = structlog.get_logger("webhooks")

HOST_MAX = 128  # attempts on their way to one host
CLAIMS_MAX = 128  # lanes leased in one turn
AHEAD = 4  # deliveries of a lane held, for each that may be on its way
ROOM_MIN = 16  # deliveries held, beside half as many again as may be in flight
RESULTS_MAX = 128  # results that are told at once; fewer of them wait for company
LINGER_S = 0.01  # but no longer than this
POSITION_HEADER = "Rollbook-Position"  # of the notice in the feed: what is missing shows by itself
VERSION_HEADER = "Rollbook-Version"  # of the customer, or whatever else it tells of, right after it
ENDS = ("delivered", "gave_up")
POLL_S = 1.0
FRESH_S = 1.0  # a delivery that waited longer is taken anew, for its endpoint may have changed
RETRY_S = 0.5  # after a turn that failed while stopping
DRAIN_S = 20.0
LOGGED_MAX = 200  # characters of an error
# What a statement cannot digest of its data, or we of its answer; anything else is not one lane's.
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
    """Which lanes a turn is to lease: how many, with room for so many deliveries, but for those of some accounts."""

    claims: int
    room: int
    full: Sequence[str]
    crowded: Sequence[str]


NO_LEASING = Leasing(0, 0, (), ())


class Turns(Protocol):
    """What leases lanes for one worker: see webhooks.lanes.Lanes. Turns do not overlap."""

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
        held: Sequence[str] | None = None,
    ) -> Turn:
        """Take a turn: lease up to `claims` lanes, with up to `room` deliveries, of no account whose share is `full`.

        Of accounts that are `crowded` only responsive lanes are leased; of all accounts, where `responsive` is set.
        `held`, when the answer to the last one was lost, are all the lanes the worker knows it holds.

        Raises LogUnavailable, when what was told may or may not be recorded.
        """
        ...

    async def set_aside(self, reasons: Mapping[str, str]) -> None:
        """Let lanes go that our own code cannot work with, each for its reason: see webhooks/dispatch/workable.py.

        Raises LogUnavailable.
        """
        ...

    async def suspects(self, claims: int) -> Mapping[str, str]:
        """Which lanes may have made a turn fail that was to lease so many, and why. Raises LogUnavailable."""
        ...

    async def close(self) -> None:
        """Let go of what turns need."""
        ...


class Worker:
    """Delivers, until told to stop; any number of workers share the lanes.

    `wakeup` tells that lanes may be ready. `in_flight_max` bounds the attempts on their way at once, `host_max` those
    to one host; `drain_s` how long a stopping worker waits for them. `gone` is called when it is recorded that a
    receiver is.
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
        self._held: dict[str, LeasedLane] = {}
        self._slots = Slots(in_flight_max, host_max, self._capacity)
        self._aside: dict[str, Reason] = {}  # lanes that are to be set aside
        self._results: list[Result] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._due = asyncio.Event()  # a turn is
        self._unsure = False  # the answer to the last turn was lost
        self._searched: frozenset[str] | None = None  # with these accounts left out, no further lane was ready
        self._stopping = False
        self._stop = asyncio.Event()
        self._retries = Retries(log, "worker")
        self._moment = self._clock.now()  # the database's time,
        self._moment_at = 0.0  # at this time of the loop

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until told to stop, then finish what is on its way."""
        self._stop = stop
        async with self._sender:
            listening = asyncio.create_task(self._listen())
            stopping = asyncio.create_task(self._stop_with(stop))
            try:
                while not self._stopping:
                    await self._due.wait()
                    await self._turn()
                await self._drain()
            finally:
                for task in (listening, stopping, *self._tasks):
                    task.cancel()
                await asyncio.gather(listening, stopping, *self._tasks, return_exceptions=True)
                await self._lanes.close()

    async def _listen(self) -> None:
        while True:
            self._searched = None
            self._due.set()
            await self._wakeup.wait(POLL_S)

    async def _stop_with(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._stopping = True
        self._due.set()

    async def _drain(self) -> None:
        """Wait for what is on its way, for a while, and let every lane go."""
        for held in self._held.values():
            held.put_back()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._drain_s):
                while self._held:
                    await self._turn()
                    if self._held:
                        await self._due.wait()
        if self._held:
            log.warning("worker.attempts_abandoned", in_flight=self._slots.in_flight)
            for held in self._held.values():
                held.abandon()
            with suppress(TimeoutError):
                async with asyncio.timeout(RETRY_S * 4):
                    await self._turn()

    async def _turn(self) -> None:
        """Tell the database what happened and learn what to do next."""
        self._due.clear()
        try:
            await self._tell_of_those_set_aside()
        except DATABASE_ERRORS as error:
            await self._wait(error)
            return
        now = asyncio.get_running_loop().time()
        rooms = self._rooms()
        full = frozenset(share for share in rooms.users() if not rooms.allows(share))
        # A part is for lanes that are leased now: those that are held ask for more than there may be.
        kept = max((rooms.capacity - rooms.used) // 4, 1)
        rooms.capacity -= kept
        reports = []
        for held in list(self._held.values()):
            try:
                report = self._report(held, now, rooms)
            except Exception as error:
                self._set_aside(held.endpoint.id, "internal", error)
                continue
            if report is not None:
                rooms.take(held.endpoint.share, report.want + report.recovered)
                reports.append(report)
        rooms.capacity += kept
        room = rooms.room("")  # for an account that has nothing yet
        crowded = self._slots.crowded_shares()
        claims = self._claims(room, full | crowded)
        results, self._results = self._results, []
        if not reports and claims == 0:
            return
        try:
            claimed = await self._exchange(reports, results, Leasing(claims, room, list(full), list(crowded)))
        except DATABASE_ERRORS as error:
            self._results = results + self._results
            for report in reports:
                if report.touched and (reported := self._held.get(report.endpoint_id)) is not None:
                    reported.touch()
            await self._wait(error)
            return
        except asyncio.CancelledError:
            self._results = results + self._results  # the last turn tells of them again
            self._unsure = True
            raise
        self._retries.worked()
        if self._gone is not None and any(report.lane.gone for report in reports):
            self._gone()
        if self._aside or (claims and claimed == claims):
            self._due.set()  # there may be more
        elif claims and (full or crowded):
            self._searched = full | crowded

    async def _wait(self, error: Exception) -> None:
        """Wait before the next turn; whether what was told is recorded is not known."""
        self._unsure = True
        if self._stopping:
            await asyncio.sleep(RETRY_S)
        else:
            await self._retries.failed(error, self._stop)
        self._due.set()

    async def _exchange(self, reports: list[Report], results: list[Result], leasing: Leasing) -> int:
        """Take a turn, and do as its answer says; gives how many lanes were leased.

        One whose statement cannot digest something of it is taken in halves until that is alone: its lane is set aside.
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
                held=list(self._held) if self._unsure else None,
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
            await self._tell_of_those_set_aside()
            return await self._exchange([], [], leasing) if leasing.claims else 0
        self._unsure = False
        self._moment, self._moment_at = turn.moment, asyncio.get_running_loop().time()
        self.metrics.turns += 1
        self.metrics.turn_s += self._moment_at - began
        self._follow(turn, reports)
        return turn.claimed

    def _set_aside(self, id: str, reason: Reason, error: Exception) -> None:
        """Have nothing more to do with a lane that our code cannot work with, and have the database say so."""
        held = self._held.pop(id, None)
        if held is not None:
            held.let_go()
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
        self._due.set()

    def _untold(self, id: str) -> bool:
        return any(result.endpoint_id == id for result in self._results)

    async def _tell_of_those_set_aside(self) -> None:
        """Raises LogUnavailable; then they are told of in a later turn."""
        if self._aside:
            aside = dict(self._aside)
            await self._lanes.set_aside(aside)
            for id in aside:
                del self._aside[id]

    def _rooms(self) -> Shares:
        """What is held by whom of the deliveries that may be: half as many again as may be in flight, and some."""
        rooms = Shares(self._slots.in_flight_max * 3 // 2 + ROOM_MIN)
        for held in self._held.values():
            if count := sum(held.held()) + len(held.in_flight) + len(held.recovered_in_flight):
                rooms.take(held.endpoint.share, count)
        return rooms

    def _claims(self, room: int, left_out: frozenset[str]) -> int:
        """How many lanes to lease now, with room for so many deliveries.

        To look for those of other accounts goes through all that are ready of accounts that may have no more. So it is
        done again when something may have become ready, or when fewer are left out.
        """
        if self._stopping or room == 0 or (self._searched is not None and left_out >= self._searched):
            return 0
        return min(CLAIMS_MAX, max(room // 2, 1))

    def _report(self, held: LeasedLane, now: float, rooms: Shares) -> Report | None:
        """What to say of a lane, if anything, with room for so many more deliveries."""
        if not held.empty and now - held.taken_at > FRESH_S:
            held.put_back()
        known = held.known
        slots, recovered_slots = self._slots.live(held), self._slots.recovered(held)
        busy = held.waiting or len(held.in_flight) >= slots
        touched = held.touched or not known or now - held.reported_at > self._lanes.lease_s / 3
        if not touched and (self._stopping or busy):
            return None
        want = recovered = 0
        if not self._stopping and held.aside is None:
            # And some more to wait, so that a slot that falls free is taken at once; of a breaker one probe.
            room = rooms.room(held.endpoint.share)
            ahead = AHEAD if held.lane.open_until is None else 1
            most = min(room, held.endpoint.rate_limit or room)
            live_waiting, recovered_waiting = held.held()
            want = max(0, min(ahead * slots - len(held.in_flight) - live_waiting, most))
            recovered = max(
                0, min(ahead * recovered_slots - len(held.recovered_in_flight) - recovered_waiting, most - want)
            )
        held.reported()
        return Report(held.endpoint.id, held.endpoint.version, touched, known, want, recovered, held.lane)

    def _follow(self, turn: Turn, reports: list[Report]) -> None:
        """Do as the answer to a turn says."""
        for id in turn.lost:
            if id in self._held:
                self._lose(self._held[id])
        for told, state in turn.served:
            if told.id in self._aside:
                continue
            try:
                self._serve(told, state)
            except Unworkable as error:
                held = self._held.get(told.id)
                if held is not None and (held.in_flight or held.recovered_in_flight or self._untold(told.id)):
                    held.set_aside(error)  # once that is recorded
                else:
                    self._set_aside(told.id, error.reason, error)
            except Exception as error:
                self._set_aside(told.id, "internal", error)
        heads = []
        for head in turn.heads:
            held = self._held.get(head.endpoint_id)
            if held is not None and held.aside is None and held.take(head, self._moment_at):
                heads.append(head)
        taken = Counter(head.endpoint_id for head in heads)
        recovered = Counter(head.endpoint_id for head in heads if head.recovered)
        for report in reports:
            held = self._held.get(report.endpoint_id)
            if held is None:
                continue
            live = taken[report.endpoint_id] - recovered[report.endpoint_id]
            held.answered(
                self._moment_at if report.touched else None,
                more=live >= report.want,
                more_recovered=recovered[report.endpoint_id] >= report.recovered > 0,
            )
        let_go = {report.endpoint_id for report in reports if report.touched and not report.known}
        let_go |= {told.id for told, _ in turn.served}.difference(report.endpoint_id for report in reports)
        for id in let_go.difference(taken, turn.lost, self._aside):
            held = self._held.pop(id)
            held.let_go()
            if isinstance(held.aside, Unworkable):
                self._set_aside(id, held.aside.reason, held.aside)
        for id in taken:
            self._slots.queue(self._held[id])
        self.metrics.lanes = len(self._held)
        self._start()

    def _serve(self, told: Endpoint, state: Lane) -> None:
        """Take up a lane that was just leased, or one whose endpoint has changed."""
        held = self._held.get(told.id)
        if held is None:
            self.metrics.leased += 1
            held = self._held[told.id] = LeasedLane(endpoint=told, lane=state, reported_at=self._moment_at, more=True)
        else:
            held.refresh(told, state)
        held.address(workable.host(told, state))
        self._hold_back(held)
        held.sign_with(self._secrets(told))
        self._slots.queue(held)  # it may have slots again

    def _secrets(self, told: Endpoint) -> tuple[tuple[str, int | None], ...]:
        """What its requests are signed with, each until when. Raises Unworkable."""
        stream = endpoint.stream(told.id)
        try:
            secrets = [self._master_keys.unseal(sealed, stream).decode() for sealed in told.secrets]
            until = told.secrets_until or [None] * len(secrets)
            signing = tuple(zip(secrets, until, strict=True))
        except (BrokenHistory, ValueError) as error:
            raise Unworkable("secret_unreadable", error) from None
        if told.status == "enabled":
            workable.check_secrets(secrets)
        return signing

    def _lose(self, held: LeasedLane) -> None:
        """Another worker has the lane: what is on its way there tells us nothing any more."""
        held.let_go()
        del self._held[held.endpoint.id]
        self.metrics.lost += 1
        log.warning("lane.lost", endpoint=held.endpoint.id, in_flight=len(held.in_flight))

    def _start(self) -> None:
        """Give the free slots to the lanes in line."""
        while (first := self._next()) is not None:
            task = asyncio.create_task(self._carry(first))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self.metrics.in_flight = self._slots.in_flight

    def _next(self) -> Slot | None:
        """A slot for the delivery whose turn it is; its lane waits before the next one where its rate is limited."""
        slot = self._slots.next()
        if slot is not None and (rate_limit := slot.leased.endpoint.rate_limit) is not None:
            held = slot.leased
            held.pace(rate_limit, self._now())
            self._hold_back(held)
        return slot

    def _hold_back(self, held: LeasedLane) -> None:
        """Let no attempt begin before the pace of the lane lets it."""
        wait_s = held.hold_back(self._now())
        if wait_s is not None:
            asyncio.get_running_loop().call_later(wait_s, self._go_on, held)

    def _go_on(self, held: LeasedLane) -> None:
        held.timer_ended()
        if not held.ours:
            return
        self._hold_back(held)
        if not held.paced:
            self._slots.queue(held)
            self._start()

    async def _carry(self, first: Slot) -> None:
        """Make one attempt after the other, as long as somebody stands in line."""
        slot: Slot | None = first
        while slot is not None:
            held, head, url = slot.leased, slot.head, slot.leased.endpoint.url
            try:
                outcome = await self._post(held, head)
            finally:
                held.landed(head)
                self._slots.free(slot)
            if held.ours:
                try:
                    self._ended(held, head, outcome, url)
                except Exception as error:
                    self._set_aside(head.endpoint_id, "internal", error)
            slot = self._next()
            self._start()

    async def _post(self, held: LeasedLane, head: Head) -> Outcome:
        if head.broken:
            return Outcome(fault="internal", duration_ms=0)
        timestamp = int(self._clock.now().timestamp())
        try:
            return await self._sender.post(
                held.endpoint.url,
                _body(head),
                [secret for secret, until in held.secrets if until is None or timestamp < until],
                id=head.notice_id,
                timestamp=timestamp,
                headers=_headers(head),
            )
        except Exception:
            log.exception("attempt.crashed", endpoint=head.endpoint_id, event_id=head.notice_id)
            return Outcome(fault="internal", duration_ms=0)

    def _ended(self, held: LeasedLane, head: Head, outcome: Outcome, url: str) -> None:
        """Judge an attempt, and have it told; the lane learns of it unless it went to another URL than it has now."""
        now = self._now()
        verdict = judge(outcome, head.attempts + 1, now, self._jitter(), held.lane.failing_since)
        held.record(outcome, head.attempts + 1, now, url)
        hold = head.key is not None and held.endpoint.on_exhaustion == "hold"
        told = result(head, outcome, verdict, now, hold=hold)
        held.settle(head, ended=told.outcome in ENDS)
        self._results.append(told)
        self.metrics.attempted(head.endpoint_id, outcome, verdict)
        log.info(
            "delivery.attempted",
            endpoint=head.endpoint_id,
            event_id=head.notice_id,
            trace=head.traceparent and trace.id_of(head.traceparent),
            attempt=told.attempt,
            outcome=told.outcome,
            status=outcome.status,
            fault=outcome.code or outcome.fault,
            reason=None if outcome.delivered else explanation.words(outcome.code or outcome.fault, outcome.status),
            elapsed_ms=outcome.duration_ms,
            retry_in_s=told.wait_s,
        )
        if held.lane.open_until is not None or self._capacity(held) == 0:
            held.forget()
        self._slots.queue(held)
        self._tell(held)

    def _tell(self, held: LeasedLane) -> None:
        """See to it that a turn is taken: soon, or at once when somebody waits for it."""
        slots = self._slots
        dry = not held.waiting and not slots.waited_for
        dry = dry and (held.more or (held.more_recovered and not held.recovered and not slots.waited_for_by_recovered))
        if dry or slots.in_flight == 0 or len(self._results) >= RESULTS_MAX:
            self._due.set()
        elif len(self._results) == 1:
            asyncio.get_running_loop().call_later(LINGER_S, self._due.set)

    def _capacity(self, held: LeasedLane) -> int:
        if held.aside is not None:
            return 0
        state, most = held.lane, held.endpoint.in_flight_max
        if state.open_until is None and state.quiet_until is None and not state.gone:
            return state.concurrency if most is None else min(state.concurrency, most)
        return min(lane.capacity(state, self._now()), most or IN_FLIGHT_MAX)

    def _now(self) -> datetime:
        """The database's time, which all workers share."""
        return self._moment + timedelta(seconds=asyncio.get_running_loop().time() - self._moment_at)


def _headers(head: Head) -> dict[str, str]:
    """What an attempt says beside its signatures."""
    headers = {POSITION_HEADER: str(head.sequence), VERSION_HEADER: str(head.version)}
    if head.traceparent is not None:
        headers["traceparent"] = trace.child(head.traceparent, os.urandom(trace.SPAN_BYTES))
    return headers


def _body(head: Head) -> bytes:
    """What is sent of a notice: all of it, with how many still have to take it, or in short."""
    if head.body is not None:
        return with_pending(head.body, head.pending)
    return thin.body(
        id=head.notice_id,
        type=head.type,
        created=head.created,
        livemode=head.livemode,
        stream=head.stream,
        version=head.version,
        position=head.sequence,
    )
