"""In-memory fake of the delivery queue: the same lanes and turns as in Postgres, for tests and simulation.

Nothing here awaits, so each method is atomic without a lock. The contract of both is tests/contracts/test_lane*.py.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, NamedTuple

from events.clock import Clock, SystemClock
from webhooks.endpoints.set_aside import SET_ASIDE_S_MAX, SET_ASIDE_S_MIN
from webhooks.queue import lane
from webhooks.queue.lane import NEW, Lane
from webhooks.queue.turn import LEASE_S, ROOM_MAX, Endpoint, Head, Report, Result, Turn

ALWAYS = datetime.min.replace(tzinfo=UTC)
NEVER = datetime.max.replace(tzinfo=UTC)
PENDING_MAX = 16  # beyond that nobody counts


@dataclass(slots=True)
class LaneRow:
    """A row of webhooks.lane."""

    ready_at: datetime = NEVER
    lease: int | None = None
    leased_until: datetime = ALWAYS
    state: Lane = NEW
    set_aside: str | None = None


@dataclass(slots=True)
class DeliveryRow:
    """A row of webhooks.delivery, with the notice it is of."""

    sequence: int
    notice_id: str
    body: bytes
    due_at: datetime
    recovered: bool = False
    attempts: int = 0
    key: str | None = None
    held: bool = False

    @property
    def waits(self) -> bool:
        """Whether it waits for an earlier delivery of its key to end."""
        return self.due_at == NEVER and not self.held


class AttemptRow(NamedTuple):
    """A row of webhooks.attempt."""

    at: datetime
    endpoint_id: str
    sequence: int
    notice_id: str
    attempt: int
    outcome: str
    status: int | None = None
    fault: str | None = None
    duration_ms: int = 0
    next_at: datetime | None = None
    excerpt: bytes = b""


class _Served(NamedTuple):
    """The state of a lane after a turn, and the deliveries that the worker has and asks for."""

    endpoint_id: str
    state: Lane
    known: Collection[int]
    want: int
    recovered: int
    changed: bool


@dataclass(slots=True)
class MemoryDatabase:
    """The state that workers share. `rung` is called where Postgres would notify that lanes may be ready."""

    clock: Clock = field(default_factory=SystemClock)
    rung: Callable[[], None] = lambda: None
    endpoints: dict[str, Endpoint] = field(default_factory=dict)
    lanes: dict[str, LaneRow] = field(default_factory=dict)
    deliveries: dict[str, dict[int, DeliveryRow]] = field(default_factory=dict)  # by endpoint, then by sequence
    attempts: list[AttemptRow] = field(default_factory=list)
    pending: dict[int, int] = field(default_factory=lambda: defaultdict(int))  # endpoints still to take a notice
    notices: dict[int, tuple[str, bytes]] = field(default_factory=dict)  # id and body, by sequence
    _restarted: dict[str, int] = field(default_factory=dict)  # the version of an endpoint when its lane was last reset
    _workers: Iterable[int] = field(default_factory=count)

    def worker(self) -> int:
        """The id of a new worker."""
        return next(iter(self._workers))

    def register(self, endpoint: Endpoint) -> None:
        """Add an endpoint, and a lane for it."""
        self.endpoints[endpoint.id] = endpoint
        self.lanes[endpoint.id] = LaneRow()
        self.deliveries[endpoint.id] = {}
        self._restarted[endpoint.id] = endpoint.version

    def change(self, id: str, *, url: str | None = None, status: str | None = None, **rules: Any) -> None:
        """Change an endpoint, as webhooks.sync_endpoints does: a new URL, or enabling it, resets its lane."""
        was = self.endpoints[id]
        now = was._replace(version=was.version + 1, url=url or was.url, status=status or was.status, **rules)
        self.endpoints[id] = now
        restarts = (was.status, was.url) != (now.status, now.url) or self.lanes[id].set_aside is not None
        if now.status == "enabled" and restarts:
            self._restarted[id] = now.version
            row = self.lanes[id]
            row.state = Lane(paced_until=row.state.paced_until)
            row.set_aside = None
            row.ready_at = _latest(self.clock.now(), row.state.paced_until)
            for delivery in self.deliveries[id].values():
                if delivery.held:
                    delivery.held, delivery.attempts, delivery.due_at = False, 0, self.clock.now()
            self.rung()

    def deliver(
        self,
        sequence: int,
        notice_id: str,
        body: bytes,
        endpoints: Iterable[str],
        *,
        recovered: bool = False,
        key: str | None = None,
    ) -> None:
        """Add a delivery of a notice for each endpoint that has none, behind others of its key, and wake the lanes."""
        self.notices[sequence] = notice_id, body
        for id in endpoints:
            if sequence not in self.deliveries[id]:
                due_at = self.clock.now() if key is None or not self._of_key(id, recovered, key) else NEVER
                self.deliveries[id][sequence] = DeliveryRow(sequence, notice_id, body, due_at, recovered, key=key)
                self.pending[sequence] += 1
                self.wake(id)

    def wake(self, id: str) -> None:
        """Make a lane ready as soon as it may be served."""
        row = self.lanes[id]
        at = _latest(self.clock.now(), row.state.open_until, row.state.quiet_until, row.state.paced_until)
        if row.ready_at > at and not row.state.gone:
            row.ready_at = at
        self.rung()

    def cancel(self, id: str, sequences: Iterable[int]) -> None:
        """Cancel pending deliveries, and make due those that wait for them."""
        now = self.clock.now()
        ended = [self._end(id, sequence) for sequence in sequences if sequence in self.deliveries[id]]
        self.attempts += [AttemptRow(now, id, row.sequence, row.notice_id, row.attempts, "canceled") for row in ended]
        for row in ended:
            self._release(id, row, now)
        if any(row.key is not None for row in ended):
            self.wake(id)

    def resend(self, id: str, sequence: int) -> None:
        """Make a delivery due now unless it waits for another; one that ended is created again, without a key."""
        now = self.clock.now()
        row = self.deliveries[id].get(sequence)
        if row is None:
            self.deliveries[id][sequence] = DeliveryRow(sequence, *self.notices[sequence], now)
            self.pending[sequence] += 1
        else:
            if not row.waits:
                row.due_at = min(row.due_at, now)
            if row.held:
                row.held, row.attempts = False, 0
            row.recovered = row.recovered and row.key is not None
        self.wake(id)

    def set_aside(self, worker: int, reasons: Mapping[str, str]) -> None:
        """See webhooks/sql/functions/set_aside.sql."""
        moment = self.clock.now()
        for id, reason in reasons.items():
            row = self.lanes[id]
            if row.lease != worker and row.leased_until > moment:
                continue
            was = row.state.open_s
            open_s = was * 2 if 30 <= was <= 1800 else SET_ASIDE_S_MAX if was > 1800 else SET_ASIDE_S_MIN
            row.set_aside, row.lease, row.leased_until = reason, None, ALWAYS
            row.ready_at = moment + timedelta(seconds=open_s)
            row.state = Lane(
                open_until=row.ready_at,
                open_s=open_s,
                failing_since=row.state.failing_since or moment,
                failures_in_a_row=row.state.failures_in_a_row + 1,
                gone=row.state.gone,
            )

    def turn(
        self,
        worker: int,
        lease_s: float,
        reports: Sequence[Report],
        results: Sequence[Result],
        leased: Sequence[str] | None,
        claims: int,
        responsive: bool,
        room: int,
        full: Collection[str],
        crowded: Collection[str],
    ) -> Turn:
        """See webhooks/sql/functions/turn.sql; the steps are the same, in the same order."""
        moment = self.clock.now()
        mine = [report for report in reports if self._may_report(worker, report, moment)]
        named = {report.endpoint_id for report in mine}
        lost = [report.endpoint_id for report in reports if report.touched and report.endpoint_id not in named]
        if leased is not None:
            for id, row in self.lanes.items():
                if row.lease == worker and id not in leased:
                    row.ready_at = row.leased_until = moment
        taken = self._claim(claims, named, moment, full, crowded, responsive=responsive)
        claimed = len(taken)
        if 0 < claims == claimed:
            more = {self.endpoints[id].share for id in taken}.union(full)
            taken += self._claim((claims + 1) // 2, named.union(taken), moment, more, crowded, responsive=responsive)
        ended = [
            (result.endpoint_id, self._record(result, moment)) for result in results if result.endpoint_id in named
        ]
        for id, delivery in ended:
            if delivery is not None:
                self._release(id, delivery, moment)

        lanes = [self._reported(report) for report in mine]
        lanes += [self._taken(id, moment, room // len(taken)) for id in taken]
        heads: list[tuple[datetime, Head]] = []
        for id in named:
            self.lanes[id].set_aside = None
        for served in lanes:
            heads += self._hand(worker, lease_s, served, moment)
        heads.sort(key=lambda due: (due[0], due[1].sequence))
        changed = [(self.endpoints[each.endpoint_id], each.state) for each in lanes if each.changed]
        return Turn(moment, lost, changed, [head for _, head in heads], claimed)

    def _may_report(self, worker: int, report: Report, moment: datetime) -> bool:
        row = self.lanes[report.endpoint_id]
        return row.lease == worker and (report.touched or row.ready_at <= moment)

    def _claim(
        self,
        claims: int,
        named: Collection[str],
        moment: datetime,
        full: Collection[str],
        crowded: Collection[str],
        *,
        responsive: bool,
    ) -> list[str]:
        """The lanes to lease: those that have been ready longest and are not leased."""
        if claims == 0:
            return []
        ready = [
            (row.ready_at, id)
            for id, row in self.lanes.items()
            if row.ready_at <= moment and row.leased_until <= moment and id not in named
            if self.endpoints[id].share not in full
            if lane.responsive(row.state) or not (responsive or self.endpoints[id].share in crowded)
        ]
        return [id for _, id in sorted(ready)[:claims]]

    def _record(self, result: Result, moment: datetime) -> DeliveryRow | None:
        """Record the result of an attempt unless it is recorded already; gives the delivery if that ended it."""
        row = self.deliveries[result.endpoint_id].get(result.sequence)
        if row is None or row.attempts != result.attempt - 1:
            return None
        if result.attempts == row.attempts and row.due_at > moment and not row.waits:
            return None  # a result that used up no try, and is recorded already
        outcome, next_at = result.outcome, None
        if outcome in ("retry", "held"):
            assert result.attempts is not None, "every delivery that has not ended has attempts"
            row.attempts = result.attempts
            if outcome == "held":
                outcome, row.held, row.due_at = "retry", True, NEVER
            else:
                assert result.wait_s is not None, "every retry has a wait"
                row.due_at = next_at = moment + timedelta(seconds=result.wait_s)
        else:
            self._end(result.endpoint_id, result.sequence)
        recorded = result._replace(outcome=outcome)
        self.attempts.append(AttemptRow(moment, *recorded[:8], next_at, recorded.excerpt))
        return row if result.outcome not in ("retry", "held") else None

    def _end(self, id: str, sequence: int) -> DeliveryRow:
        self.pending[sequence] -= 1
        return self.deliveries[id].pop(sequence)

    def _release(self, id: str, ended: DeliveryRow, moment: datetime) -> None:
        """Make the next delivery of a key due, unless a held one precedes it."""
        if ended.key is not None:
            rest = self._of_key(id, ended.recovered, ended.key)
            if rest and rest[0].waits:
                rest[0].due_at = moment

    def _of_key(self, id: str, recovered: bool, key: str) -> list[DeliveryRow]:
        """The deliveries of a key, in order."""
        pending = self.deliveries[id].values()
        return sorted((row for row in pending if (row.recovered, row.key) == (recovered, key)), key=_by_sequence)

    def _reported(self, report: Report) -> _Served:
        """A lane as its worker reports it; if the lane was reset since, only its pace is taken."""
        id, version = report.endpoint_id, report.version
        state = report.lane
        if self._restarted[id] > version:
            state = lane.paced(self.lanes[id].state, report.lane.paced_until)
        changed = self.endpoints[id].version != version
        return _Served(id, state, report.known, report.want, report.recovered, changed)

    def _taken(self, id: str, moment: datetime, handed_max: int) -> _Served:
        """A lane just leased: nothing is handed out while it is quiet or gone, one probe for an open breaker."""
        state, most = self.lanes[id].state, self.endpoints[id].in_flight_max
        peace = state.gone or (state.quiet_until is not None and state.quiet_until > moment)
        first = 1 if state.open_until is not None else min(state.concurrency, most or state.concurrency)
        want = 1 if state.open_until is not None else min(2 * first, max(handed_max * 2 // 3, 1))
        recovered = min(first, max(handed_max // 3, 1))
        return _Served(id, state, (), 0 if peace else want, 0 if peace else recovered, changed=True)

    def _hand(self, worker: int, lease_s: float, served: _Served, moment: datetime) -> list[tuple[datetime, Head]]:
        """Hand deliveries of a lane to the worker, and write the lane's row; gives them with their due times."""
        handed: list[DeliveryRow] = []
        rest: list[DeliveryRow] = []
        if self.endpoints[served.endpoint_id].status == "enabled":
            pending = self.deliveries[served.endpoint_id].values()
            free = sorted((row for row in pending if row.sequence not in served.known), key=_by_due)
            for recovered, want in ((False, served.want), (True, served.recovered)):
                queue = [row for row in free if row.recovered == recovered][: want + 1]
                due = sum(row.due_at <= moment for row in queue[:want])
                handed += queue[:due]
                handed += self._following(queue[:due], served, want)
                rest += queue[due:]
        state, row = served.state, self.lanes[served.endpoint_id]
        ready_at = NEVER
        if rest and not state.gone:
            due_at = min(rest, key=_by_due).due_at
            ready_at = _latest(due_at, moment, state.open_until, state.quiet_until, state.paced_until)
        row.state = state
        if handed or served.known:
            row.lease = worker
            if row.leased_until < moment + timedelta(seconds=lease_s * 2 / 3):
                row.leased_until = max(row.leased_until, moment + timedelta(seconds=lease_s))
            row.ready_at = min(ready_at, row.leased_until)
        else:
            row.lease, row.leased_until, row.ready_at = None, ALWAYS, ready_at
        return [(each.due_at, self._head(served.endpoint_id, each)) for each in handed]

    def _following(self, first: Sequence[DeliveryRow], served: _Served, want: int) -> list[DeliveryRow]:
        """The deliveries handed out behind the first of their keys; the keys divide the budget of the lane."""
        leading = [row for row in first if row.key is not None]
        handed: list[DeliveryRow] = []
        for lead in leading:
            assert lead.key is not None, "a leading delivery has a key"
            behind = self._of_key(served.endpoint_id, lead.recovered, lead.key)
            free = [
                row for row in behind if row.sequence > lead.sequence and row.waits and row.sequence not in served.known
            ]
            handed += free[: max(want // len(leading) - 1, 0)]
        return handed

    def _head(self, id: str, row: DeliveryRow) -> Head:
        pending = min(self.pending[row.sequence], PENDING_MAX)
        return Head(id, row.sequence, row.notice_id, row.attempts, pending, row.body, None, row.recovered, row.key)


class MemoryLanes:
    """Leases lanes of a MemoryDatabase for one worker: see webhooks.queue.store.Lanes."""

    def __init__(self, database: MemoryDatabase, *, lease_s: float = LEASE_S) -> None:
        self.lease_s = lease_s
        self.worker = database.worker()
        self._database = database

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
        """Take a turn."""
        return self._database.turn(
            self.worker, self.lease_s, reports, results, leased, claims, responsive, room, full, crowded
        )

    async def set_aside(self, reasons: Mapping[str, str]) -> None:
        """Release lanes whose stored data is unusable."""
        self._database.set_aside(self.worker, reasons)

    async def suspects(self, claims: int) -> Mapping[str, str]:
        """Empty: no turn fails here."""
        return {}

    async def close(self) -> None:
        """There is no connection to close."""


def _by_due(row: DeliveryRow) -> tuple[datetime, int]:
    return row.due_at, row.sequence


def _by_sequence(row: DeliveryRow) -> int:
    return row.sequence


def _latest(*moments: datetime | None) -> datetime:
    return max(filter(None, moments))
