"""A lane that a worker leases: the endpoint as it is now, what of its deliveries waits to be sent, what is on its way.

Pure. Recovered deliveries wait apart from live ones. Those of one key wait in a run behind the first of them: only when
that has ended may the next one go, and when it is to be tried again, none of them does (the database keeps them, and
hands them over anew when their time has come). In a run too, live ones go before recovered ones.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from webhooks.queue.lane import Lane
from webhooks.queue.turn import Endpoint, Head


@dataclass(slots=True, eq=False)
class LeasedLane:
    """A lane that is leased."""

    endpoint: Endpoint
    lane: Lane
    reported_at: float
    host: str = ""  # and port, as its URL names them
    secrets: tuple[tuple[str, int | None], ...] = ()  # with their ends
    waiting: deque[Head] = field(default_factory=deque)
    recovered: deque[Head] = field(default_factory=deque)
    runs: dict[str, deque[Head]] = field(default_factory=dict)  # what follows the one of that key that waits or is sent
    taken_at: float = 0.0  # when what waits began to
    in_flight: set[int] = field(default_factory=set)
    recovered_in_flight: set[int] = field(default_factory=set)
    more: bool = False  # the database has further ones that are due
    more_recovered: bool = False
    touched: bool = False  # something is to be written
    queued: bool = False  # stands in line for a place
    queued_recovered: bool = False
    paced: bool = False  # waits until the next attempt may begin,
    timed: bool = False  # and somebody will say when
    aside: Exception | None = None  # why it cannot be worked with; what is in flight is waited for
    ours: bool = True

    @property
    def known(self) -> list[int]:
        """Every delivery of the lane that is held."""
        waiting = (head.sequence for head in self._all_waiting())
        return [*self.in_flight, *self.recovered_in_flight, *waiting]

    @property
    def idle(self) -> bool:
        """Whether nothing waits that could be sent now."""
        return not self.waiting and not self.recovered

    @property
    def empty(self) -> bool:
        """Whether nothing waits at all, not even for another of its key."""
        return self.idle and not any(self.runs.values())

    def held(self) -> tuple[int, int]:
        """How many live and how many recovered deliveries wait, those in runs among them."""
        live, recovered = len(self.waiting), len(self.recovered)
        for run in self.runs.values():
            for head in run:
                if head.recovered:
                    recovered += 1
                else:
                    live += 1
        return live, recovered

    def take(self, head: Head, now: float) -> bool:
        """Have a delivery wait to be sent. One that is held already (its lease ran out, and was taken anew) is not."""
        if head.sequence in self.in_flight or head.sequence in self.recovered_in_flight:
            return False
        if self.empty:
            self.taken_at = now
        if head.key is not None:
            run = self.runs.get(head.key)
            if run is None:
                self.runs[head.key] = deque()
            elif head.recovered or not self._overtakes(head, run):
                run.insert(len(run) if head.recovered else sum(not each.recovered for each in run), head)
                return True
        (self.recovered if head.recovered else self.waiting).append(head)
        return True

    def _overtakes(self, head: Head, run: deque[Head]) -> bool:
        """Whether a live delivery takes the place of the first of its key, one recovered that waits: behind it, now."""
        first = next((each for each in self.recovered if each.key == head.key), None)
        if first is None:
            return False
        self.recovered.remove(first)
        run.appendleft(first)
        return True

    def next_live(self, *, first_attempt: bool = False) -> Head | None:
        """The next live delivery, on its way from now on: one that was never tried, where it must be."""
        head: Head | None
        if not first_attempt or not self.waiting[0].attempts:
            head = self.waiting.popleft()
        else:
            head = next((each for each in self.waiting if not each.attempts), None)
            if head is None:
                return None
            self.waiting.remove(head)
        self.in_flight.add(head.sequence)
        return head

    def next_recovered(self) -> Head:
        """The next recovered delivery, on its way from now on."""
        head = self.recovered.popleft()
        self.recovered_in_flight.add(head.sequence)
        return head

    def landed(self, head: Head) -> None:
        """An attempt is no longer on its way."""
        (self.recovered_in_flight if head.recovered else self.in_flight).discard(head.sequence)

    def settle(self, head: Head, *, ended: bool) -> None:
        """Let what follows a delivery go when that has ended; else leave it to the database."""
        if head.key is None:
            return
        run = self.runs.pop(head.key, None)
        if not run or not ended:
            return
        following = run.popleft()
        self.runs[head.key] = run
        (self.recovered if following.recovered else self.waiting).appendleft(following)

    def forget(self) -> None:
        """Send none of those that wait: they are in the database still."""
        for head in (*self.waiting, *self.recovered):
            if head.key is not None:
                self.runs.pop(head.key, None)
        for run in self.runs.values():
            run.clear()
        self.waiting.clear()
        self.recovered.clear()

    def _all_waiting(self) -> Iterator[Head]:
        yield from self.waiting
        yield from self.recovered
        for run in self.runs.values():
            yield from run
