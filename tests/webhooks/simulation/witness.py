"""A witness of everything workers do, who knows the rules and nothing of how they are kept.

It sees what passes between a worker and its database, and between a worker and receivers, and keeps count by itself:
of the lanes each worker has, of what is in flight, of what every lane learnt, and of the end of each delivery.

Where deliveries are ordered, whoever has the lane may try one only when all those before it have ended: as the
database has it, or as they ended in its own hands. So what was sent by somebody who was killed, or lost the lane, and
is not recorded, is sent again, from the first of it on.
"""

import asyncio
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from math import inf

from tests.virtual_time import BEGINNING
from tests.webhooks.simulation import order
from webhooks.endpoints.rules import Order
from webhooks.outcome import OWN_FAULTS, Outcome
from webhooks.queue import lane
from webhooks.queue.lane import Lane
from webhooks.queue.memory import AttemptRow, MemoryDatabase
from webhooks.queue.retry import ATTEMPTS_MAX, OWN_FAULT_WAIT_MIN, RETRY_WAITS, quiet_until
from webhooks.queue.turn import Endpoint, Head, Report, Turn

SLACK = timedelta(seconds=1)  # of timers, when a turn is late
ROUNDED_S = 1e-5  # times of the database are whole microseconds
STALE_S = 4.0  # how long what an owner changed may go unheeded: a poll, what is fresh still, and slow turns
UNREADABLE = b"not sealed by any key"  # a secret: nothing is sent to whoever has it
Key = tuple[str, int]  # a delivery: its endpoint and sequence


@dataclass(slots=True, eq=False)
class Tenure:
    """A lane as one worker has it, from when it learns so until it lets it go or learns that another has it."""

    endpoint: Endpoint
    state: Lane
    waiting: dict[int, Head] = field(default_factory=dict)
    live: set[int] = field(default_factory=set)  # in flight
    recovered: set[int] = field(default_factory=set)
    ended: set[int] = field(default_factory=set)  # for good
    last: "Attempt | None" = None  # to begin
    reporting: "Attempt | None" = None  # was the last when the turn in flight was asked for
    over: bool = False
    overrun: bool = False  # its lease ran out, and another worker has the lane
    abandoned: bool = False  # by a worker that stops and may wait no longer for what is in flight

    @property
    def in_flight(self) -> set[int]:
        """Every delivery of the lane that is in flight."""
        return self.live | self.recovered


@dataclass(slots=True, eq=False)
class Attempt:
    """One try."""

    number: int
    watched: "Watched"
    tenure: Tenure
    head: Head
    url: str
    began_at_s: float
    next_at_s: float = 0.0  # when the next may begin in its lane, by what its worker took for the time
    outcome: Outcome | None = None  # None too when it was broken off
    final: bool = False  # whether it was the end of its delivery
    recorded: bool = False


@dataclass(slots=True, eq=False)
class Watched:
    """What is known of a worker."""

    name: int  # as it leases
    in_flight_max: int
    host_max: int
    tenures: dict[str, Tenure] = field(default_factory=dict)
    in_flight: int = 0
    further: int = 0  # of those, tried before
    at_host: Counter[str] = field(default_factory=Counter)
    # The same of each account, by its share.
    of: Counter[str] = field(default_factory=Counter)
    further_of: Counter[str] = field(default_factory=Counter)
    at_host_of: Counter[tuple[str, str]] = field(default_factory=Counter)
    moment: datetime = BEGINNING  # what it takes for the database's time,
    moment_at_s: float = 0.0  # at this time of the loop
    unsure: bool = False  # the last turn was not answered
    stopping: bool = False
    dead: bool = False

    def now(self) -> datetime:
        """The database's time, as far as the worker can know."""
        return self.moment + timedelta(seconds=_now_s() - self.moment_at_s)

    @property
    def further_max(self) -> int:
        """How many of those in flight may be retries: three in four."""
        return max(self.in_flight_max * 3 // 4, 1)

    def count(self, share: str, host: str, by: int, *, further: bool) -> None:
        """Note that an attempt began, or ended."""
        self.in_flight += by
        self.of[share] += by
        self.at_host[host] += by
        self.at_host_of[host, share] += by
        if further:
            self.further += by
            self.further_of[share] += by

    def barred(self, share: str, host: str, *, further: bool) -> bool:
        """Whether an account has more than seven times what it leaves to others, of anything it would need."""
        return (
            self.of[share] >= 7 * (self.in_flight_max - self.in_flight)
            or self.at_host_of[host, share] >= 7 * (self.host_max - self.at_host[host])
            or (further and self.further_of[share] >= 7 * (self.further_max - self.further))
        )


class Witness:
    """Sees whether the rules are kept; `violations` says where they were not."""

    def __init__(
        self,
        database: MemoryDatabase,
        keys: Mapping[int, str],
        always_well: Collection[str],
        starved_after_s: float,
    ) -> None:
        self.modes: dict[str, Order] = {}  # of endpoints that want an order
        self.violations: list[str] = []
        self.watched: dict[int, Watched] = {}
        self.attempts: list[Attempt] = []
        self.made: set[Key] = set()
        self.waited_s = 0.0  # the longest that a delivery to a receiver that is well waited, in calm
        self._database = database
        self._keys = keys  # the customer each notice is of
        self._always_well = always_well
        self._starved_after_s = starved_after_s
        self._calm_from_s = 0.0
        self._changed_at_s: dict[str, float] = {}
        self._served_at_s: dict[str, float] = {}  # when a lane had a slot last
        self._in_flight: dict[str, set[Attempt]] = {}
        self._paced_by: dict[str, Attempt] = {}  # the last attempt in a lane that its row knows of
        self._read = 0
        self._ends: Counter[Key] = Counter()
        self._tries: Counter[Key] = Counter()
        self._canceled: set[Key] = set()
        self._held: set[Key] = set()
        self._resent: set[Key] = set()

    # What happens to workers.

    def hire(self, watched: Watched) -> None:
        """There is one more worker."""
        self.watched[watched.name] = watched

    def disturb(self, until_s: float) -> None:
        """Something happened that may keep anybody waiting until then."""
        self._calm_from_s = max(self._calm_from_s, until_s)

    def change(self, endpoint_id: str) -> None:
        """An owner changed an endpoint, or canceled deliveries to it."""
        self._read_on()
        self._changed_at_s[endpoint_id] = _now_s()

    def resent(self, endpoint_id: str, sequences: Collection[int]) -> None:
        """Deliveries are to be tried at once, those that were held as if for the first time."""
        self._read_on()
        for key in ((endpoint_id, sequence) for sequence in sequences):
            self._resent.add(key)
            if key in self._held:
                self._held.discard(key)
                self._tries[key] = 0

    # What passes between workers and the database.

    def asked(self, watched: Watched, reports: Sequence[Report]) -> None:
        """A worker sets out to take a turn."""
        watched.unsure = True
        for report in reports:
            tenure = watched.tenures.get(report.endpoint_id)
            if tenure is None:
                self._object(watched, f"reports {report.endpoint_id}, which it has not leased")
                continue
            tenure.reporting = tenure.last
            if replace(report.lane, paced_until=None) != replace(tenure.state, paced_until=None):
                self._object(watched, f"says that {report.endpoint_id} is {report.lane}, and it is {tenure.state}")
            known = set(report.known)
            if not known <= tenure.in_flight | tenure.waiting.keys():
                self._object(watched, f"says that it has {known} of {report.endpoint_id}, which it was not given")
            if not tenure.in_flight <= known:
                tenure.abandoned = watched.stopping
                if not watched.stopping:
                    self._object(watched, f"conceals what is in flight to {report.endpoint_id}")
            tenure.waiting = {sequence: head for sequence, head in tenure.waiting.items() if sequence in known}

    def committed(self, watched: Watched, leases: dict[str, int | None], reports: Sequence[Report]) -> None:
        """The database did as a turn said; before it the lanes were leased like that."""
        for report in reports:
            tenure = watched.tenures.get(report.endpoint_id)
            known = tenure is not None and report.touched and leases[report.endpoint_id] == watched.name
            if known and tenure is not None and tenure.reporting is not None:
                self._paced_by[report.endpoint_id] = tenure.reporting
        for id, before in leases.items():
            if before is None or before == watched.name or self._database.lanes[id].lease == before:
                continue
            if (tenure := self.watched[before].tenures.get(id)) is not None:
                tenure.overrun = True
        self._read_on()

    def answered(self, watched: Watched, reports: Sequence[Report], turn: Turn) -> None:
        """A worker has the answer to a turn."""
        watched.unsure = False
        watched.moment, watched.moment_at_s = turn.moment, _now_s()
        by_endpoint = {report.endpoint_id: report for report in reports}
        for id in turn.lost:
            self._end_tenure(watched, id)
        for endpoint, state in turn.served:
            tenure = watched.tenures.get(endpoint.id)
            if tenure is None:
                overrun = self._database.lanes[endpoint.id].lease != watched.name
                watched.tenures[endpoint.id] = Tenure(endpoint, state, overrun=overrun)
                continue
            tenure.endpoint = endpoint
            tenure.state = state
            if endpoint.status != "enabled" or UNREADABLE in endpoint.secrets:
                tenure.waiting.clear()
        for head in turn.heads:
            tenure = watched.tenures[head.endpoint_id]
            if UNREADABLE in tenure.endpoint.secrets:
                continue
            if head.sequence in tenure.waiting:
                self._object(watched, f"is given {_key(head)} which it has")
            if head.sequence not in tenure.in_flight:
                tenure.waiting[head.sequence] = head
        given = {head.endpoint_id for head in turn.heads}
        let_go = {id for id, report in by_endpoint.items() if report.touched and not report.known}
        let_go |= {endpoint.id for endpoint, _ in turn.served if endpoint.id not in by_endpoint}
        for id in sorted(let_go - given - set(turn.lost)):
            if watched.tenures[id].in_flight and not watched.tenures[id].abandoned:
                self._object(watched, f"lets go of {id} with something in flight there")
            self._end_tenure(watched, id)

    def set_aside(self, watched: Watched, ids: Collection[str]) -> None:
        """A worker wants nothing more to do with lanes that it cannot work with."""
        for id in ids:
            endpoint = self._database.endpoints[id]
            if endpoint.version == 1:
                self._object(watched, f"sets {id} aside, which is as it was registered")
            if id in watched.tenures:
                self._end_tenure(watched, id)

    def _end_tenure(self, watched: Watched, id: str) -> None:
        tenure = watched.tenures.pop(id)
        tenure.over = True
        tenure.waiting.clear()

    # What passes between workers and receivers.

    def began(self, watched: Watched, endpoint_id: str, url: str, sequence: int) -> Attempt | None:
        """A worker makes an attempt. None when it has no business to, so that nothing more can be said of it."""
        tenure = watched.tenures.get(endpoint_id)
        head = tenure.waiting.pop(sequence, None) if tenure is not None else None
        if tenure is None or head is None:
            self._object(watched, f"sends {(endpoint_id, sequence)}, which it has not leased")
            return None
        self._check_slots(watched, tenure, head)
        self._check_shares(watched, tenure, head, _host(url))
        row = self._database.lanes[endpoint_id]
        if row.lease == watched.name and row.leased_until > self._database.clock.now():
            self._check_lease(watched, tenure, head, url)
        self._served_at_s[endpoint_id] = _now_s()
        (tenure.recovered if head.recovered else tenure.live).add(sequence)
        watched.count(tenure.endpoint.share, _host(url), 1, further=head.attempts > 0)
        attempt = Attempt(len(self.attempts), watched, tenure, head, url, _now_s())
        if tenure.endpoint.rate_limit is not None:
            began_at_s = (watched.now() - BEGINNING).total_seconds()
            attempt.next_at_s = began_at_s + 1 / tenure.endpoint.rate_limit
        tenure.last = attempt
        self.attempts.append(attempt)
        self._in_flight.setdefault(endpoint_id, set()).add(attempt)
        return attempt

    def ended(self, attempt: Attempt, outcome: Outcome | None) -> None:
        """An attempt came to something, or was broken off."""
        attempt.outcome = outcome
        share, further = attempt.tenure.endpoint.share, attempt.head.attempts > 0
        attempt.watched.count(share, _host(attempt.url), -1, further=further)
        asyncio.get_running_loop().call_later(1e-6, self._check_idle_slots, attempt.watched)
        self._in_flight[attempt.head.endpoint_id].discard(attempt)
        tenure = attempt.tenure
        tenure.live.discard(attempt.head.sequence)
        tenure.recovered.discard(attempt.head.sequence)
        if outcome is None:
            return
        used_up = not outcome.own_fault and (outcome.gone or attempt.head.attempts + 1 >= ATTEMPTS_MAX)
        held = self._key_of(attempt.head) is not None and tenure.endpoint.on_exhaustion == "hold"
        attempt.final = outcome.delivered or (used_up and not held)
        if tenure.over:
            return
        now = attempt.watched.now()
        asked = quiet_until(outcome, attempt.head.attempts + 1, now)
        if attempt.url == tenure.endpoint.url:
            tenure.state = lane.record(tenure.state, outcome, now, asked)
        if attempt.final:
            tenure.ended.add(attempt.head.sequence)
        elif (key := self._key_of(attempt.head)) is not None:
            waiting = tenure.waiting.items()
            tenure.waiting = {sequence: head for sequence, head in waiting if self._key_of(head) != key}
        if tenure.state.open_until is not None or lane.capacity(tenure.state, now) == 0:
            tenure.waiting.clear()

    def _key_of(self, head: Head) -> str | None:
        """What a delivery is kept in order by, if it is."""
        return order.key(self._keys[head.sequence], self.modes.get(head.endpoint_id, "none"))

    def _check_shares(self, watched: Watched, tenure: Tenure, head: Head, host: str) -> None:
        """An owner limits what is in flight, a host has its share, and retries leave slots for first attempts."""
        most = tenure.endpoint.in_flight_max
        if most is not None and len(tenure.in_flight) >= most:
            self._object(watched, f"sends {_key(head)} beside {tenure.in_flight}, and its owner wants {most}")
        if watched.at_host[host] >= watched.host_max:
            self._object(watched, f"sends {_key(head)} beside {watched.at_host[host]} to {host}")
        if watched.barred(tenure.endpoint.share, host, further=head.attempts > 0):
            self._object(watched, f"sends {_key(head)} of {tenure.endpoint.share}, which has its share: {watched.of}")
        if head.attempts and watched.further >= watched.further_max:
            self._object(watched, f"tries {_key(head)} again beside {watched.further}, of {watched.in_flight_max}")
        key = self._key_of(head)
        if key is not None and any(
            self._key_of(other.head) == key
            for other in self._in_flight.get(head.endpoint_id, ())
            if other.tenure is tenure
        ):
            self._object(watched, f"sends {_key(head)} beside another of its key")

    def _check_slots(self, watched: Watched, tenure: Tenure, head: Head) -> None:
        """Slots are limited: the process's, the lane's, a breaker's, and those of recovered deliveries."""
        capacity = _capacity(tenure, watched)
        live, recovered = len(tenure.live), len(tenure.recovered)
        if tenure.state.open_until is not None:
            if capacity == 0 or live + recovered > 0:
                self._object(watched, f"sends {_key(head)} while the breaker is open, beside {tenure.in_flight}")
        elif head.recovered and recovered >= (capacity + 1) // 2:
            self._object(watched, f"sends {_key(head)}, recovered, beside {recovered}, with {capacity} slots")
        elif not head.recovered and live >= capacity:
            self._object(watched, f"sends {_key(head)} beside {live}, with {capacity} slots")
        if watched.in_flight >= watched.in_flight_max:
            self._object(watched, f"has {watched.in_flight} in flight already")
        if head.recovered:
            if watched.of[tenure.endpoint.share] >= watched.in_flight_max - watched.in_flight:
                self._object(watched, f"sends {_key(head)}, recovered, beside {watched.in_flight}")
            # What begins at the same moment may do so in any order.
            asyncio.get_running_loop().call_later(1e-6, self._check_precedence, watched, head)

    def _check_precedence(self, watched: Watched, head: Head) -> None:
        """Recovered deliveries go when no live one can."""
        if (id := self._may_start_live(watched)) is not None:
            self._object(watched, f"sent {_key(head)}, recovered, before a live one to {id}")

    def _check_idle_slots(self, watched: Watched) -> None:
        """No slot is free that a lane waits for."""
        if not watched.stopping and (id := self._may_start_live(watched)) is not None:
            self._object(watched, f"has a slot for {id}, and lets it wait")

    def _may_start_live(self, watched: Watched) -> str | None:
        """An endpoint to which a live delivery could be sent at once, if there is one."""
        if watched.in_flight >= watched.in_flight_max or watched.dead:
            return None
        return next((id for id, tenure in watched.tenures.items() if self._may_start(watched, tenure)), None)

    def _may_start(self, watched: Watched, tenure: Tenure) -> bool:
        state, endpoint = tenure.state, tenure.endpoint
        calm = state.open_until is None and state.quiet_until is None and not state.gone
        if not calm or endpoint.status != "enabled" or watched.at_host[_host(endpoint.url)] >= watched.host_max:
            return False
        if not lane.responsive(state):
            return False  # half of the slots are for others; the bound on waiting is for those
        if len(tenure.live) >= state.concurrency or len(tenure.in_flight) >= (endpoint.in_flight_max or inf):
            return False
        if endpoint.rate_limit is not None or (state.paced_until and state.paced_until > watched.now() - SLACK):
            return False  # that it goes on when it may is seen to by the bound on waiting
        if tenure.last is not None and tenure.last.next_at_s > _now_s() - SLACK.total_seconds():
            return False
        share, host = endpoint.share, _host(endpoint.url)
        if watched.barred(share, host, further=False):
            return False
        further = not watched.barred(share, host, further=True)
        busy = {self._key_of(attempt.head) for attempt in self._in_flight.get(endpoint.id, ())}
        for head in (head for _, head in sorted(tenure.waiting.items()) if not head.recovered):
            key = self._key_of(head)
            if (key is None or key not in busy) and (further or not head.attempts):
                return True
            busy.add(key)
        return False

    def _check_lease(self, watched: Watched, tenure: Tenure, head: Head, url: str) -> None:
        """Whoever has a lane is alone with it, and does what its owner wants, now that it may know."""
        for other in self._in_flight.get(head.endpoint_id, ()):
            if other.head.sequence == head.sequence and other.tenure is tenure:
                self._object(watched, f"sends {_key(head)} twice at once")
            theirs = other.watched
            if theirs is not watched and not (other.tenure.overrun or other.tenure.abandoned or theirs.dead):
                self._object(watched, f"sends {_key(head)} beside worker {theirs.name}")
        now, changed_at_s = _now_s(), self._changed_at_s.get(head.endpoint_id, 0.0)
        pending = self._database.deliveries[head.endpoint_id].get(head.sequence)
        endpoint = self._database.endpoints[head.endpoint_id]
        if pending is None:
            if now - changed_at_s > STALE_S or _key(head) not in self._canceled:
                self._object(watched, f"sends {_key(head)}, which has ended")
            return
        mode, rows = self.modes.get(head.endpoint_id, "none"), self._database.deliveries[head.endpoint_id].values()
        line = [row.sequence for row in rows if row.recovered == head.recovered and row.sequence not in tenure.ended]
        if earlier := order.before(head.sequence, line, self._keys, mode):
            self._object(watched, f"sends {_key(head)} before {earlier}, which have not ended")
        if _key(head) in self._held:
            self._object(watched, f"sends {_key(head)}, which is held")
        if pending.due_at > self._database.clock.now() and not pending.waits:
            self._object(watched, f"sends {_key(head)} before it is due")
        for last in (tenure.last, self._paced_by.get(head.endpoint_id)):
            if last is not None and now < last.next_at_s - ROUNDED_S:
                self._object(watched, f"sends {_key(head)} {now - last.began_at_s:.6f} s after the one before")
        if now - changed_at_s > STALE_S and (endpoint.status != "enabled" or endpoint.url != url):
            self._object(watched, f"sends {_key(head)} to {url}, when it should to {endpoint}")
        if head.endpoint_id in self._always_well and not head.recovered and not pending.waits:
            self._check_waiting_time(watched, head, max((pending.due_at - BEGINNING).total_seconds(), changed_at_s))

    def _check_waiting_time(self, watched: Watched, head: Head, ready_at_s: float) -> None:
        """A lane whose receiver is well has a slot within a bounded time of the last it had, or of being ready."""
        waits_since = max(ready_at_s, self._calm_from_s, self._served_at_s.get(head.endpoint_id, 0.0))
        waited_s = _now_s() - waits_since
        self.waited_s = max(self.waited_s, waited_s)
        if waited_s > self._starved_after_s:
            self._object(watched, f"lets {_key(head)} wait for {waited_s:.1f} s")

    # What is recorded.

    def _read_on(self) -> None:
        rows, self._read = self._database.attempts[self._read :], len(self._database.attempts)
        for row in rows:
            self._see(row)

    def _see(self, row: AttemptRow) -> None:
        key = (row.endpoint_id, row.sequence)
        if row.outcome == "canceled":
            self._canceled.add(key)
            self._see_end(key, row)
            return
        if not row.excerpt:
            self.say(f"{row} says that our own code failed")
            return
        attempt = self.attempts[int(row.excerpt)]
        if attempt.recorded and key not in self._resent:
            self.say(f"{row} is recorded twice")
        attempt.recorded = True
        delivered = attempt.outcome is not None and attempt.outcome.delivered
        if _key(attempt.head) != key or attempt.outcome is None or (row.outcome == "delivered") != delivered:
            self.say(f"{row} reports {attempt}")
        if attempt.final != (row.outcome != "retry"):
            self.say(f"{row} goes on, or ends, though its owner has it otherwise")
        ours = row.fault in OWN_FAULTS
        self._tries[key] += not ours
        if row.attempt != self._tries[key] + ours:
            self.say(f"{row} is try {self._tries[key]}")
        if row.outcome == "retry":
            if row.next_at is None:
                self._see_held(key, row)
                return
            wait = OWN_FAULT_WAIT_MIN if ours else RETRY_WAITS[row.attempt - 1]
            if row.next_at - row.at < wait:
                self.say(f"{row} does not wait for {wait}")
        else:
            self._see_end(key, row)
        if row.outcome == "gave_up" and row.attempt < ATTEMPTS_MAX and row.status != 410:
            self.say(f"{row} gives up early")

    def _see_held(self, key: Key, row: AttemptRow) -> None:
        self._held.add(key)
        if self.modes.get(row.endpoint_id, "none") == "none":
            self.say(f"{row} is held, and its endpoint is not ordered")
        if row.attempt < ATTEMPTS_MAX and row.status != 410:
            self.say(f"{row} is held early")

    def _see_end(self, key: Key, row: AttemptRow) -> None:
        self._ends[key] += 1
        self._held.discard(key)
        if self._ends[key] > 1:
            self.say(f"{row} ends what has ended")

    # What is left when all is done.

    def conclude(self) -> None:
        """Every worker has stopped, and nothing more will happen."""
        self._read_on()
        for key in sorted(self.made):
            if self._ends[key] != 1:
                self.say(f"{key} ended {self._ends[key]} times")
        if stray := self._ends.keys() - self.made:
            self.say(f"{stray} ended and were never made")
        for attempt in self.attempts:
            tenure = attempt.tenure
            lost = attempt.watched.dead or tenure.overrun or tenure.abandoned or _key(attempt.head) in self._canceled
            if attempt.outcome is not None and not attempt.recorded and not lost:
                self.say(f"{attempt.head} came to {attempt.outcome}, and nobody recorded it")
        for id, row in self._database.lanes.items():
            if row.lease is None or row.leased_until <= self._database.clock.now():
                continue
            if not self.watched[row.lease].dead and not self.watched[row.lease].unsure:
                self.say(f"{id} is still leased by {row.lease}, who stopped in order")

    def _object(self, watched: Watched, what: str) -> None:
        self.say(f"worker {watched.name} {what}")

    def say(self, what: str) -> None:
        """Record a violation."""
        self.violations.append(f"at {_now_s():.3f} s: {what}")


def _capacity(tenure: Tenure, watched: Watched) -> int:
    capacity = lane.capacity(tenure.state, watched.now())
    return min(capacity, tenure.endpoint.in_flight_max or capacity)


def _host(url: str) -> str:
    return url.split("/")[2]


def _key(head: Head) -> Key:
    return head.endpoint_id, head.sequence


def _now_s() -> float:
    return asyncio.get_running_loop().time()
