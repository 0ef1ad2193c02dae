"""Slots, a fair concurrency limiter: bounds the attempts in flight and schedules lanes round robin (bulkheads).

Pure. Slots, and each limited pool of them below, are shared by account first (webhooks/dispatch/shares.py): an account
with slow receivers leaves slots free for the first delivery of every other account. Accounts take turns, whatever the
number of their lanes. Within an account each lane takes one slot in turn, so a slow or silent receiver causes no
head-of-line blocking of another lane.

The limits:
- Unresponsive lanes may use half of the slots, so dead receivers leave the other half to the rest.
- Retries may use three slots in four, so that there is always one for a first attempt.
- Recovered deliveries are sent when no lane has a live one, while their account has fewer slots than are free.
- A host has a limit of its own, whatever the number of its endpoints; half of it is for responsive lanes.
"""

from collections import OrderedDict, deque
from collections.abc import Callable
from typing import NamedTuple

from webhooks.dispatch.leased_lane import LeasedLane
from webhooks.dispatch.shares import Shares
from webhooks.queue import lane
from webhooks.queue.turn import Head

HOSTS_KEPT = 4_096  # hosts kept before idle ones are dropped
NO_SHARES: frozenset[str] = frozenset()


class Slot(NamedTuple):
    """A slot for one attempt: its lane, its delivery, its host, and whether the lane was responsive when it got it."""

    leased: LeasedLane
    head: Head
    host: str
    responsive: bool


class _Pool(Shares):
    """A pool of slots with a limit of its own, at one `host` or at any, and the lanes that wait for one.

    The lanes are grouped by account; the account to be served next is first.
    """

    __slots__ = ("host", "waiting")

    def __init__(self, capacity: int, host: str | None = None) -> None:
        super().__init__(max(capacity, 1))
        self.host = host
        self.waiting: OrderedDict[str, dict[LeasedLane, None]] = OrderedDict()

    def refuses(self, leased: LeasedLane) -> bool:
        """Whether the pool has no slot for a lane; if so, the lane is added to the waiters."""
        share = leased.endpoint.share
        if self.allows(share):
            return False
        self.want(leased, share)
        return True

    def want(self, leased: LeasedLane, share: str) -> None:
        """Add a lane to the waiters."""
        lanes = self.waiting.get(share)
        if lanes is None:
            lanes = self.waiting[share] = {}
        lanes[leased] = None

    def next(self, share: str) -> LeasedLane:
        """Remove and return the lane of an account that has waited longest."""
        lanes = self.waiting[share]
        leased = next(iter(lanes))
        del lanes[leased]
        return leased

    def pass_on(self, share: str) -> None:
        """Move an account behind the others, or remove it when none of its lanes waits."""
        if self.waiting[share]:
            self.waiting.move_to_end(share)
        else:
            del self.waiting[share]


class _Host(_Pool):
    """The slots at one host, and the pool of those that unresponsive lanes may use."""

    __slots__ = ("unresponsive",)

    def __init__(self, capacity: int, host: str) -> None:
        super().__init__(capacity, host)
        self.unresponsive = _Pool(capacity // 2, host)

    @property
    def idle(self) -> bool:
        """Whether no slot is in use and no lane waits."""
        return not (self.used or self.waiting or self.unresponsive.waiting)


class Slots:
    """Assigns slots to lanes: at most `in_flight_max` in all, and `host_max` at one host.

    `capacity` says how many attempts of a lane may be in flight now.
    """

    def __init__(self, in_flight_max: int, host_max: int, capacity: Callable[[LeasedLane], int]) -> None:
        self.in_flight_max = in_flight_max
        self._capacity = capacity
        self._host_max = host_max
        self._all = Shares(in_flight_max)
        self._further = _Pool(in_flight_max * 3 // 4)  # for retries
        self._unresponsive = _Pool(in_flight_max // 2)  # for unresponsive lanes
        self._hosts: dict[str, _Host] = {}
        # Run queues: lanes with something to send, by account, round robin.
        self._lines: OrderedDict[str, deque[LeasedLane]] = OrderedDict()
        self._recovered_lines: OrderedDict[str, deque[LeasedLane]] = OrderedDict()
        # Accounts with a lane that was queued because a slot of these pools became free.
        self._called: dict[str, dict[_Pool, None]] = {}

    @property
    def in_flight(self) -> int:
        """Attempts in flight."""
        return self._all.used

    @property
    def waited_for(self) -> bool:
        """Whether a lane that may take a slot is queued with a live delivery."""
        return any(self._all.allows(share) for share in self._lines)

    @property
    def waited_for_by_recovered(self) -> bool:
        """Whether a lane is queued with a recovered delivery."""
        return bool(self._recovered_lines)

    @property
    def crowded(self) -> bool:
        """Whether unresponsive lanes use all the slots that they may."""
        return self._unresponsive.left <= 0

    def crowded_shares(self) -> frozenset[str]:
        """The accounts whose unresponsive lanes have used up their share, while those of others may use more."""
        pool = self._unresponsive
        return frozenset(share for share in pool.users() if not pool.allows(share)) if pool.used else NO_SHARES

    def live(self, leased: LeasedLane) -> int:
        """How many live attempts of a lane may be in flight. The probe of an open breaker may be live or recovered.

        Recovered attempts in flight count against the endpoint's `in_flight_max`.
        """
        capacity, most = self._capacity(leased), leased.endpoint.in_flight_max
        if leased.lane.open_until is not None:
            return max(0, capacity - len(leased.recovered_in_flight))
        return capacity if most is None else min(capacity, max(0, most - len(leased.recovered_in_flight)))

    def recovered(self, leased: LeasedLane) -> int:
        """How many recovered attempts of a lane may be in flight: half its capacity, within the endpoint's limit."""
        capacity, most = self._capacity(leased), leased.endpoint.in_flight_max
        if leased.lane.open_until is not None:
            return 0 if leased.waiting or leased.in_flight else capacity
        half = (capacity + 1) // 2
        return half if most is None else min(half, max(0, most - len(leased.in_flight)))

    def queue(self, leased: LeasedLane) -> None:
        """Add a lane to the run queues if it has a delivery to send and may send it."""
        if leased.paced:
            return
        if leased.waiting and not leased.queued and len(leased.in_flight) < self.live(leased):
            leased.enter_line()
            _append(self._lines, leased)
        if (
            leased.recovered
            and not leased.queued_recovered
            and len(leased.recovered_in_flight) < self.recovered(leased)
        ):
            leased.enter_recovered_line()
            _append(self._recovered_lines, leased)

    def next(self) -> Slot | None:
        """Assign a slot to the next delivery, which is in flight from then on; None while nothing may be sent.

        A lane with a rate limit is `paced` from then on, until the caller, which knows the time, clears it.
        """
        while (share := self._turn()) is not None:
            leased = _first(self._lines, share)
            leased.leave_line()
            head = self._next_live(leased)
            slot = None if head is None else self._give(leased, head)
            self._call(leased.host)  # it may have left a slot unused that it was queued for: offer it to others
            if slot is not None:
                return slot
        while (share := self._turn_of_recovered()) is not None:
            leased = _first(self._recovered_lines, share)
            leased.leave_recovered_line()
            if not leased.recovered or leased.paced or len(leased.recovered_in_flight) >= self.recovered(leased):
                continue
            if not self._may(leased):
                continue
            if leased.recovered[0].attempts and self._further.refuses(leased):
                continue
            return self._give(leased, leased.next_recovered())
        return None

    def _turn(self) -> str | None:
        """The account that sends the next live delivery."""
        if not self._lines:
            return None
        while self._all.used < self.in_flight_max:
            barred = []
            for share in self._lines:
                if self._all.allows(share):
                    return share
                if share in self._called:
                    barred.append(share)
            if not barred:
                return None
            # Offer the slots that these accounts were queued for, and may not take, to the next waiters.
            for pool in [pool for share in barred for pool in self._called.pop(share)]:
                self._call_to(pool)
        return None

    def _turn_of_recovered(self) -> str | None:
        """The account that sends the next recovered delivery: it has fewer slots than are free for live ones."""
        if not self._recovered_lines or self.in_flight >= self.in_flight_max:
            return None
        return next((share for share in self._recovered_lines if self._all.allows(share, 1)), None)

    def _next_live(self, leased: LeasedLane) -> Head | None:
        """Pop the next live delivery of a lane, if it has one and every pool that it needs has a slot."""
        if not leased.waiting or leased.paced or len(leased.in_flight) >= self.live(leased) or not self._may(leased):
            return None
        share = leased.endpoint.share
        head = leased.next_live(first_attempt=not self._further.allows(share))
        if head is None:
            self._further.want(leased, share)
        return head

    def _may(self, leased: LeasedLane) -> bool:
        """Whether every pool that a lane needs has a slot; if not, the lane waits for one."""
        host = self._at(leased.host)
        if host.refuses(leased):
            return False
        return lane.responsive(leased.lane) or not (
            host.unresponsive.refuses(leased) or self._unresponsive.refuses(leased)
        )

    def _at(self, host: str) -> _Host:
        at = self._hosts.get(host)
        if at is None:
            if len(self._hosts) >= HOSTS_KEPT:
                self._hosts = {name: kept for name, kept in self._hosts.items() if not kept.idle}
            at = self._hosts[host] = _Host(self._host_max, host)
        return at

    def _give(self, leased: LeasedLane, head: Head) -> Slot:
        slot = Slot(leased, head, leased.host, lane.responsive(leased.lane))
        share = leased.endpoint.share
        host = self._at(leased.host)
        self._all.take(share)
        host.take(share)
        if head.attempts > 0:
            self._further.take(share)
        if not slot.responsive:
            self._unresponsive.take(share)
            host.unresponsive.take(share)
        leased.slot_taken()
        self.queue(leased)
        return slot

    def free(self, slot: Slot) -> None:
        """Release a slot."""
        share = slot.leased.endpoint.share
        host = self._hosts[slot.host]
        self._all.free(share)
        host.free(share)
        if slot.head.attempts > 0:
            self._further.free(share)
        if not slot.responsive:
            self._unresponsive.free(share)
            host.unresponsive.free(share)
        self._call(slot.host)

    def _call(self, host: str) -> None:
        """Queue the next waiters of the pools that have a free slot."""
        at = self._hosts.get(host)
        if at is not None and at.left > 0:
            if at.waiting:
                self._call_to(at)
            if at.unresponsive.waiting:
                self._call_to(at.unresponsive)
        if self._further.waiting:
            self._call_to(self._further)
        if self._unresponsive.waiting:
            self._call_to(self._unresponsive)

    def _call_to(self, pool: _Pool) -> None:
        """Queue the next lane that waits for a slot of `pool`, and one of each account passed over before it.

        Accounts passed over may use this pool, but have used up their share of all slots.
        """
        if pool.left <= 0:
            return
        for share in list(pool.waiting):
            if pool.allows(share) and self._call_first(pool, share):
                self._called.setdefault(share, {})[pool] = None
                if self._all.allows(share):
                    return

    def _call_first(self, pool: _Pool, share: str) -> bool:
        """Queue the first waiting lane of an account that has a live delivery to send; gives whether there was one.

        Lanes before it that have only recovered deliveries, or have changed their host, are queued too.
        """
        called = False
        while pool.waiting[share] and not called:
            leased = pool.next(share)
            self.queue(leased)
            called = leased.queued and pool.host in (None, leased.host)
        pool.pass_on(share)
        return called


def _append(lines: OrderedDict[str, deque[LeasedLane]], leased: LeasedLane) -> None:
    share = leased.endpoint.share
    line = lines.get(share)
    if line is None:
        line = lines[share] = deque()
    line.append(leased)


def _first(lines: OrderedDict[str, deque[LeasedLane]], share: str) -> LeasedLane:
    """Pop the first lane of an account, and move the account behind the others."""
    line = lines[share]
    leased = line.popleft()
    if line:
        lines.move_to_end(share)
    else:
        del lines[share]
    return leased
