"""A leased lane: the in-memory queue of one endpoint in a worker, with its prefetched deliveries and attempts in
flight.

Pure. Recovered deliveries are queued apart from live ones. Deliveries of one key wait in a run behind the first: the
next is sent only when the first has ended. When the first is to be retried, the run is dropped; the database still has
its deliveries, and hands them out again when they are due. Within a run, live deliveries precede recovered ones.
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
    """A lane that this worker has leased. Only its methods change its fields."""

    endpoint: Endpoint
    lane: Lane
    reported_at: float
    host: str = ""  # and port, as its URL names them
    secrets: tuple[tuple[str, int | None], ...] = ()  # each with its expiry (Unix seconds)
    waiting: deque[Head] = field(default_factory=deque)
    recovered: deque[Head] = field(default_factory=deque)
    runs: dict[str, deque[Head]] = field(default_factory=dict)  # by key: what follows the one that waits or is sent
    taken_at: float = 0.0  # loop time at which the queue stopped being empty
    in_flight: set[int] = field(default_factory=set)
    recovered_in_flight: set[int] = field(default_factory=set)
    more: bool = False  # the database has further ones that are due
    more_recovered: bool = False
    touched: bool = False  # its state is to be written
    queued: bool = False  # in the run queue for a slot
    queued_recovered: bool = False
    paced: bool = False  # the rate limit does not allow the next attempt yet,
    timed: bool = False  # and a timer for it is running
    aside: Exception | None = None  # why its stored data is unusable; attempts in flight are awaited
    ours: bool = True  # False once the lease has ended

    @property
    def known(self) -> list[int]:
        """The sequences of all deliveries of the lane that this worker has fetched."""
        waiting = (head.sequence for head in self._all_waiting())
        return [*self.in_flight, *self.recovered_in_flight, *waiting]

    @property
    def idle(self) -> bool:
        """Whether nothing waits that could be sent now."""
        return not self.waiting and not self.recovered

    @property
    def empty(self) -> bool:
        """Whether nothing waits at all, not even behind another delivery of its key."""
        return self.idle and not any(self.runs.values())

    def waiting_counts(self) -> tuple[int, int]:
        """Numbers of live and of recovered deliveries that wait, including those in runs."""
        live, recovered = len(self.waiting), len(self.recovered)
        for run in self.runs.values():
            for head in run:
                if head.recovered:
                    recovered += 1
                else:
                    live += 1
        return live, recovered

    def take(self, head: Head, now: float) -> bool:
        """Queue a delivery; gives False if it is in flight already (the lease had expired and was renewed)."""
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
        """Whether a live delivery precedes the first of its key, a recovered one; moves that one into the run if so."""
        first = next((each for each in self.recovered if each.key == head.key), None)
        if first is None:
            return False
        self.recovered.remove(first)
        run.appendleft(first)
        return True

    def next_live(self, *, first_attempt: bool = False) -> Head | None:
        """Pop the next live delivery and mark it as in flight; if `first_attempt`, the next that was never tried."""
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
        """Remove an attempt from those in flight."""
        (self.recovered_in_flight if head.recovered else self.in_flight).discard(head.sequence)

    def settle(self, head: Head, *, ended: bool) -> None:
        """Queue the next delivery of the same key if this one has ended; else drop the run, which the database has."""
        if head.key is None:
            return
        run = self.runs.pop(head.key, None)
        if not run or not ended:
            return
        following = run.popleft()
        self.runs[head.key] = run
        (self.recovered if following.recovered else self.waiting).appendleft(following)

    def forget(self) -> None:
        """Drop all deliveries that wait; they are still in the database."""
        for head in (*self.waiting, *self.recovered):
            if head.key is not None:
                self.runs.pop(head.key, None)
        for run in self.runs.values():
            run.clear()
        self.waiting.clear()
        self.recovered.clear()

    def put_back(self) -> None:
        """Drop all deliveries that wait, and have the next report say so."""
        self.forget()
        self.touched = True

    def abandon(self) -> None:
        """Stop waiting for attempts in flight, and have the next report say so."""
        self.in_flight.clear()
        self.recovered_in_flight.clear()
        self.touched = True

    def let_go(self) -> None:
        """End the lease: results of attempts in flight are no longer recorded."""
        self.ours = False
        self.forget()

    def set_aside(self, error: Exception) -> None:
        """Send nothing more, because the lane's stored data is unusable; attempts in flight are awaited."""
        self.aside = error
        self.put_back()

    def refresh(self, endpoint: Endpoint, state: Lane) -> None:
        """Take over the endpoint and the lane as stored in the database; of the two paces the later one holds."""
        self.endpoint, self.lane = endpoint, lane.paced(state, self.lane.paced_until)
        if endpoint.status != "enabled":
            self.forget()

    def address(self, host: str) -> None:
        """Count attempts against this host from now on; the lane is no longer set aside."""
        self.host = host
        self.aside = None

    def sign_with(self, secrets: tuple[tuple[str, int | None], ...]) -> None:
        """Sign requests with these secrets, each until its expiry (Unix seconds)."""
        self.secrets = secrets

    def reported(self) -> None:
        """Mark the state as reported: nothing is left to be written."""
        self.touched = False

    def touch(self) -> None:
        """Have the lane written by the next report."""
        self.touched = True

    def answered(self, at: float | None, *, more: bool, more_recovered: bool) -> None:
        """Note whether the database has more for the lane, and when (loop time) its report was written, if it was."""
        self.more, self.more_recovered = more, more_recovered
        if at is not None:
            self.reported_at = at

    def pace(self, rate_limit: int, now: datetime) -> None:
        """Count an attempt that begins now against a rate limit (attempts a second)."""
        self.lane = lane.pace(self.lane, rate_limit, now)
        self.touched = True

    def hold_back(self, now: datetime) -> float | None:
        """Hold attempts back until the rate limit allows the next.

        Gives the seconds until then if the caller is to start a timer, whose end it reports to `timer_ended`.
        """
        until = self.lane.paced_until
        wait_s = 0.0 if until is None else (until - now).total_seconds()
        self.paced = wait_s > 0
        if not self.paced or self.timed:
            return None
        self.timed = True
        return wait_s

    def timer_ended(self) -> None:
        """Note that the timer of `hold_back` has fired."""
        self.timed = False

    def record(self, outcome: Outcome, attempt: int, now: datetime, url: str) -> None:
        """Count an attempt at `url` that ended now; the lane ignores it if the endpoint's URL has changed since."""
        if url == self.endpoint.url:
            self.lane = lane.record(self.lane, outcome, now, quiet_until(outcome, attempt, now))
        self.touched = True

    def slot_taken(self) -> None:
        """Where there is a rate limit, hold further attempts back until this one was counted."""
        self.paced = self.endpoint.rate_limit is not None

    def enter_line(self) -> None:
        """Mark the lane as queued for a slot with a live delivery."""
        self.queued = True

    def leave_line(self) -> None:
        """Leave that queue."""
        self.queued = False

    def enter_recovered_line(self) -> None:
        """Mark the lane as queued for a slot with a recovered delivery."""
        self.queued_recovered = True

    def leave_recovered_line(self) -> None:
        """Leave that queue."""
        self.queued_recovered = False

    def _all_waiting(self) -> Iterator[Head]:
        yield from self.waiting
        yield from self.recovered
        for run in self.runs.values():
            yield from run
