"""A leased lane: the in-memory queue of one endpoint in a worker, with its prefetched deliveries and attempts in
flight.

Pure. Recovered deliveries wait apart from live ones. Those of one key wait in a run behind the first of them: only when
that has ended may the next one go, and when it is to be tried again, none of them does (the database keeps them, and
hands them out again when they are due). In a run too, live ones go before recovered ones.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from webhooks.outcome import Outcome
from webhooks.queue import lane
from webhooks.queue.lane import Lane
from webhooks.queue.retry import quiet_until
from webhooks.queue.turn import Endpoint, Head


@dataclass(slots=True, eq=False)
class LeasedLane:
    """A lane that is leased. Its fields change by its methods alone."""

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
    queued: bool = False  # stands in line for a slot
    queued_recovered: bool = False
    paced: bool = False  # waits until the next attempt may begin,
    timed: bool = False  # and somebody will say when
    aside: Exception | None = None  # why it cannot be worked with; what is in flight is waited for
    ours: bool = True

    @property
    def known(self) -> list[int]:
        """The sequences of all deliveries of the lane that this worker has."""
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

    def waiting_counts(self) -> tuple[int, int]:
        """Numbers of live and of recovered deliveries that wait, those in runs included."""
        live, recovered = len(self.waiting), len(self.recovered)
        for run in self.runs.values():
            for head in run:
                if head.recovered:
                    recovered += 1
                else:
                    live += 1
        return live, recovered

    def take(self, head: Head, now: float) -> bool:
        """Queue a delivery; gives False for one in flight already (its lease expired and was taken again)."""
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
        """Whether a live delivery goes before the first of its key: a recovered one, which is queued behind it."""
        first = next((each for each in self.recovered if each.key == head.key), None)
        if first is None:
            return False
        self.recovered.remove(first)
        run.appendleft(first)
        return True

    def next_live(self, *, first_attempt: bool = False) -> Head | None:
        """Pop the next live delivery and mark it as in flight; one without attempts if `first_attempt`."""
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
        """Pop the next recovered delivery and mark it as in flight."""
        head = self.recovered.popleft()
        self.recovered_in_flight.add(head.sequence)
        return head

    def landed(self, head: Head) -> None:
        """An attempt is no longer in flight."""
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

    def put_back(self) -> None:
        """Send none of those that wait, and report so."""
        self.forget()
        self.touched = True

    def abandon(self) -> None:
        """Wait no longer for what is in flight, and report so."""
        self.in_flight.clear()
        self.recovered_in_flight.clear()
        self.touched = True

    def let_go(self) -> None:
        """End the lease: results of what is in flight are not ours to record any more."""
        self.ours = False
        self.forget()

    def set_aside(self, error: Exception) -> None:
        """Send nothing more, since the lane cannot be worked with; what is in flight is waited for."""
        self.aside = error
        self.put_back()

    def refresh(self, endpoint: Endpoint, state: Lane) -> None:
        """Go on with the endpoint and the lane as the database has them now; the pace is the later of both."""
        self.endpoint, self.lane = endpoint, lane.paced(state, self.lane.paced_until)
        if endpoint.status != "enabled":
            self.forget()

    def address(self, host: str) -> None:
        """Group attempts by this host from now on; the lane can be worked with."""
        self.host = host
        self.aside = None

    def sign_with(self, secrets: tuple[tuple[str, int | None], ...]) -> None:
        """Sign requests with these secrets, each until its end (Unix seconds)."""
        self.secrets = secrets

    def reported(self) -> None:
        """Note that a report says all that is to be written."""
        self.touched = False

    def touch(self) -> None:
        """Have the lane written by the next report."""
        self.touched = True

    def answered(self, at: float | None, *, more: bool, more_recovered: bool) -> None:
        """Note what the database has left for the lane, and when (loop time) a report was written, if one was."""
        self.more, self.more_recovered = more, more_recovered
        if at is not None:
            self.reported_at = at

    def pace(self, rate_limit: int, now: datetime) -> None:
        """Count an attempt that begins now against a limit of so many a second."""
        self.lane = lane.pace(self.lane, rate_limit, now)
        self.touched = True

    def hold_back(self, now: datetime) -> float | None:
        """Begin no attempt before the pace allows it.

        Gives the seconds until then when a timer for it is to be started: its end is reported to `timer_ended`.
        """
        until = self.lane.paced_until
        wait_s = 0.0 if until is None else (until - now).total_seconds()
        self.paced = wait_s > 0
        if not self.paced or self.timed:
            return None
        self.timed = True
        return wait_s

    def timer_ended(self) -> None:
        """The timer of `hold_back` is over."""
        self.timed = False

    def record(self, outcome: Outcome, attempt: int, now: datetime, url: str) -> None:
        """Count an attempt at `url` that ended now; of another URL than the present one the lane learns nothing."""
        if url == self.endpoint.url:
            self.lane = lane.record(self.lane, outcome, now, quiet_until(outcome, attempt, now))
        self.touched = True

    def slot_taken(self) -> None:
        """Where the rate is limited, begin no further attempt until the pace of this one is known."""
        self.paced = self.endpoint.rate_limit is not None

    def enter_line(self) -> None:
        """Stand in line for a slot with a live delivery."""
        self.queued = True

    def leave_line(self) -> None:
        """Stand in that line no more."""
        self.queued = False

    def enter_recovered_line(self) -> None:
        """Stand in line for a slot with a recovered delivery."""
        self.queued_recovered = True

    def leave_recovered_line(self) -> None:
        """Stand in that line no more."""
        self.queued_recovered = False

    def _all_waiting(self) -> Iterator[Head]:
        yield from self.waiting
        yield from self.recovered
        for run in self.runs.values():
            yield from run
