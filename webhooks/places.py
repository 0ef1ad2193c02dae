"""The places of a worker: how many attempts may be on their way at once, and whose turn it is to take one.

Pure. Lanes with something to send stand in line and take one place each in turn, so one that answers slowly, or never,
keeps no other waiting. Lanes that did not answer of late may have half of the places, so that any number of dead ones
leave the other half to the rest. Further attempts may take three places in four, so that there is always one for what
was never tried; recovered deliveries go when no lane has a live one to send, as long as half of the places are free. No
host has more than its share of places, whatever the number of endpoints there, and half of those are for endpoints that
answer.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Callable
from typing import NamedTuple

from webhooks import lane
from webhooks.hand import Hand
from webhooks.lanes import Head


class Place(NamedTuple):
    """A place for one attempt: whose it is, of which delivery, to which host, and whether its lane answered of late."""

    hand: Hand
    head: Head
    host: str
    proven: bool


class Places:
    """Gives places to lanes; `in_flight_max` in all, and to one host `host_max`.

    `capacity` says how many attempts of a lane may be on their way now.
    """

    def __init__(self, in_flight_max: int, host_max: int, capacity: Callable[[Hand], int]) -> None:
        self.in_flight_max = in_flight_max
        self.in_flight = 0
        self._capacity = capacity
        self._host_max = host_max
        self._host_unproven_max = max(host_max // 2, 1)
        self._further_max = max(in_flight_max * 3 // 4, 1)
        self._unproven_max = max(in_flight_max // 2, 1)
        self._recovered_max = max(in_flight_max // 2, 1)
        self._unproven = 0  # of those in flight, in lanes that have not answered of late
        self._further = 0  # and those that were tried before
        self._at_host: Counter[str] = Counter()
        self._unproven_at_host: Counter[str] = Counter()
        self._line: deque[Hand] = deque()
        self._spare_line: deque[Hand] = deque()
        # Whoever found no place of the kind it needs, in order; they stand in line again when one falls free.
        self._want_host: defaultdict[str, dict[Hand, None]] = defaultdict(dict)
        self._want_host_unproven: defaultdict[str, dict[Hand, None]] = defaultdict(dict)
        self._want_further: dict[Hand, None] = {}
        self._want_unproven: dict[Hand, None] = {}

    @property
    def waited_for(self) -> bool:
        """Whether any lane stands in line with a live delivery."""
        return bool(self._line)

    @property
    def waited_for_by_recovered(self) -> bool:
        """Whether any lane stands in line with a recovered one."""
        return bool(self._spare_line)

    @property
    def crowded(self) -> bool:
        """Whether lanes that have not answered of late have as many places as they may."""
        return self._unproven >= self._unproven_max

    def live(self, hand: Hand) -> int:
        """How many live attempts of a lane may be on their way; the one probe of an open breaker may be either.

        What its owner allows is shared with recovered ones that are on their way already.
        """
        capacity, most = self._capacity(hand), hand.endpoint.in_flight_max
        if hand.lane.open_until is not None:
            return max(0, capacity - len(hand.spare_in_flight))
        return capacity if most is None else min(capacity, max(0, most - len(hand.spare_in_flight)))

    def recovered(self, hand: Hand) -> int:
        """And how many recovered ones beside them: half as many, of those its owner allows what live ones leave."""
        capacity, most = self._capacity(hand), hand.endpoint.in_flight_max
        if hand.lane.open_until is not None:
            return 0 if hand.waiting or hand.in_flight else capacity
        half = (capacity + 1) // 2
        return half if most is None else min(half, max(0, most - len(hand.in_flight)))

    def queue(self, hand: Hand) -> None:
        """Have a lane stand in line, when it has something to send and may."""
        if hand.paced:
            return
        if hand.waiting and not hand.queued and len(hand.in_flight) < self.live(hand):
            hand.queued = True
            self._line.append(hand)
        if hand.spare and not hand.queued_spare and len(hand.spare_in_flight) < self.recovered(hand):
            hand.queued_spare = True
            self._spare_line.append(hand)

    def next(self) -> Place | None:
        """A place for the delivery whose turn it is, now on its way; None while nobody has a turn.

        A lane with a limited rate is `paced` from then on, until whoever knows the time says otherwise.
        """
        while self._line and self.in_flight < self.in_flight_max:
            hand = self._line.popleft()
            hand.queued = False
            head = self._next_live(hand)
            place = None if head is None else self._give(hand, head)
            self._call(hand.host)  # it may have been called for a place that it did not take: then somebody else is
            if place is not None:
                return place
        # Half of the places are enough, so that there is one for whatever live one comes next.
        while self._spare_line and self.in_flight < self._recovered_max:
            hand = self._spare_line.popleft()
            hand.queued_spare = False
            if not hand.spare or hand.paced or len(hand.spare_in_flight) >= self.recovered(hand):
                continue
            if not self._may(hand):
                continue
            return self._give(hand, hand.next_recovered())
        return None

    def _next_live(self, hand: Hand) -> Head | None:
        """The next live delivery of a lane, if it has one and there is a place of the kind it needs."""
        if not hand.waiting or hand.paced or len(hand.in_flight) >= self.live(hand) or not self._may(hand):
            return None
        head = hand.next_live(first_attempt=self._further >= self._further_max)
        if head is None:
            self._want_further[hand] = None
        return head

    def _may(self, hand: Hand) -> bool:
        """Whether there is a place of the kind that a lane needs; else it is to stand in line again when there is."""
        host = hand.host
        if self._at_host[host] >= self._host_max:
            self._want_host[host][hand] = None
        elif lane.proven(hand.lane):
            return True
        elif self._unproven_at_host[host] >= self._host_unproven_max:
            self._want_host_unproven[host][hand] = None
        elif self.crowded:
            self._want_unproven[hand] = None
        else:
            return True
        return False

    def _give(self, hand: Hand, head: Head) -> Place:
        place = Place(hand, head, hand.host, lane.proven(hand.lane))
        self.in_flight += 1
        self._unproven += not place.proven
        self._further += head.attempts > 0
        self._at_host[hand.host] += 1
        self._unproven_at_host[hand.host] += not place.proven
        hand.paced = hand.endpoint.rate_limit is not None
        self.queue(hand)
        return place

    def free(self, place: Place) -> None:
        """Take a place back."""
        host = place.host
        self.in_flight -= 1
        self._at_host[host] -= 1
        self._unproven_at_host[host] -= not place.proven
        if not self._at_host[host]:
            del self._at_host[host], self._unproven_at_host[host]
        self._further -= place.head.attempts > 0
        self._unproven -= not place.proven
        self._call(host)

    def _call(self, host: str) -> None:
        """Have the first of those who want such places as there are now stand in line again."""
        if self._at_host[host] < self._host_max:
            self._call_to(host, self._want_host)
            if self._unproven_at_host[host] < self._host_unproven_max:
                self._call_to(host, self._want_host_unproven)
        if self._further < self._further_max:
            self._call_first(self._want_further)
        if not self.crowded:
            self._call_first(self._want_unproven)

    def _call_to(self, host: str, wanting_of: dict[str, dict[Hand, None]]) -> None:
        """Have the first of those who want a place at a host, and have a live one to send there, stand in line again.

        Those before it that have but recovered ones to send, or have another host now, do so too.
        """
        if host not in wanting_of:
            return
        wanting = wanting_of[host]
        while wanting:
            hand = next(iter(wanting))
            del wanting[hand]
            self.queue(hand)
            if hand.queued and hand.host == host:
                break
        if not wanting:
            del wanting_of[host]

    def _call_first(self, wanting: dict[Hand, None]) -> None:
        """Have the first of those who want a place of some kind, and have a live one to send, stand in line again.

        Those before it that have but recovered ones to send do so too.
        """
        while wanting:
            hand = next(iter(wanting))
            del wanting[hand]
            self.queue(hand)
            if hand.queued:
                return
