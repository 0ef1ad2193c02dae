"""A test clock: its commands, events and pure functions; its stream is `test_helpers.test_clock-clock_…`.

The time of a customer with a test clock is the frozen time of the clock, which changes only when the clock is advanced.
While it advances, everything that becomes due is done, each job at its own time; then the clock is ready again. The
stream contains the customers of the clock, so that concurrent requests cannot exceed their maximum number.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated, assert_never

from events.decider import Decider
from events.errors import ClockAdvancing, Missing, Refusal
from events.personal import PERSONAL

KIND = "test_helpers.test_clock"
CUSTOMERS_MAX = 3
KEPT_S = 30 * 24 * 3600  # real time after its creation
YEARS_MAX = 2  # the furthest that one advance may go


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateClock:
    """Create a clock frozen at `frozen_time`; `created` is real time. Both are Unix seconds."""

    id: str
    created: int
    frozen_time: int
    name: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeIn:
    """Attach a customer to the clock."""

    id: str
    customer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LetGo:
    """Detach a deleted customer."""

    id: str
    customer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Advance:
    """Begin to advance to a later time; `at` is real time."""

    id: str
    at: int
    frozen_time: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrive:
    """Finish an advance: everything due until the target time is done."""

    id: str
    frozen_time: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteClock:
    """Delete the clock; its customers are deleted in the same transaction."""

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockCreated:
    """The clock was created, frozen at a time."""

    created: int
    frozen_time: int
    id: str
    name: Annotated[str | None, PERSONAL] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerTakenIn:
    """A customer was attached to the clock."""

    customer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerLetGo:
    """A deleted customer was detached, which makes room for another."""

    customer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AdvanceBegun:
    """The clock began to advance to this time."""

    at: int
    frozen_time: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """The clock finished its advance."""

    frozen_time: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockDeleted:
    """The clock was deleted."""

    id: str


Command = CreateClock | TakeIn | LetGo | Advance | Arrive | DeleteClock
Event = ClockCreated | CustomerTakenIn | CustomerLetGo | AdvanceBegun | Arrived | ClockDeleted

EVENT_TYPES: dict[str, type] = {
    "test_clock.created": ClockCreated,
    "test_clock.customer_taken_in": CustomerTakenIn,
    "test_clock.customer_let_go": CustomerLetGo,
    "test_clock.advance_begun": AdvanceBegun,
    "test_clock.arrived": Arrived,
    "test_clock.deleted": ClockDeleted,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TestClock:
    """State of a test clock; `id` is empty before its first event."""

    id: str = ""
    created: int = 0
    customers: tuple[str, ...] = ()
    deleted: bool = False
    frozen_time: int = 0
    name: str | None = None
    target: int | None = None  # target time of an advance in progress

    @property
    def exists(self) -> bool:
        """Whether it was created and is not deleted."""
        return bool(self.id) and not self.deleted

    @property
    def deletes_after(self) -> int:
        """The time of its automatic deletion, in real time."""
        return self.created + KEPT_S


NO_CLOCK = TestClock()


def decide(state: TestClock, command: Command) -> list[Event]:
    """Decide the events of `command`; no events if there is nothing to change.

    Raises Missing if the clock does not exist or is deleted, ClockAdvancing during an advance, Refusal if it has the
    maximum number of customers or cannot be advanced to that time.
    """
    if isinstance(command, CreateClock):
        assert not state.id, "ids of new clocks are fresh"
        return [
            ClockCreated(
                id=command.id, created=command.created, frozen_time=command.frozen_time, name=command.name or None
            )
        ]
    if not state.exists:
        raise Missing("test clock", command.id)
    match command:
        case TakeIn():
            return _take_in(state, command)
        case LetGo():
            return [CustomerLetGo(customer=command.customer)] if command.customer in state.customers else []
        case Advance():
            return _advance(state, command)
        case Arrive():
            return [Arrived(frozen_time=command.frozen_time)] if state.target == command.frozen_time else []
        case DeleteClock():
            return [ClockDeleted(id=command.id)]
        case _:
            assert_never(command)


def evolve(state: TestClock, event: Event) -> TestClock:
    """Fold one event in."""
    match event:
        case ClockCreated():
            return TestClock(id=event.id, created=event.created, frozen_time=event.frozen_time, name=event.name)
        case CustomerTakenIn():
            return replace(state, customers=(*state.customers, event.customer))
        case CustomerLetGo():
            return replace(state, customers=tuple(id for id in state.customers if id != event.customer))
        case AdvanceBegun():
            return replace(state, target=event.frozen_time)
        case Arrived():
            return replace(state, frozen_time=event.frozen_time, target=None)
        case ClockDeleted():
            return replace(state, deleted=True, target=None)
        case _:
            assert_never(event)


def time_of(state: TestClock) -> int:
    """The time of the customers of the clock. Raises ClockAdvancing during an advance."""
    if state.target is not None:
        raise ClockAdvancing
    return state.frozen_time


def furthest(frozen_time: int) -> int:
    """The latest target of one advance: the same day and hour two years later."""
    moment = datetime.fromtimestamp(frozen_time, UTC)
    try:
        later = moment.replace(year=moment.year + YEARS_MAX)
    except ValueError:  # 29 February, or past the largest date
        return frozen_time + YEARS_MAX * 365 * 24 * 3600
    return int(later.timestamp())


def _take_in(state: TestClock, command: TakeIn) -> list[Event]:
    if command.customer in state.customers:
        return []
    time_of(state)
    if len(state.customers) >= CUSTOMERS_MAX:
        raise Refusal(
            f"Test clock '{state.id}' has reached its limit of {CUSTOMERS_MAX} customers.", param="test_clock"
        )
    return [CustomerTakenIn(customer=command.customer)]


def _advance(state: TestClock, command: Advance) -> list[Event]:
    current = time_of(state)
    if command.frozen_time <= current:
        raise Refusal(
            f"A test clock can only be advanced to a later time than its own, which is {current}.", param="frozen_time"
        )
    if command.frozen_time > furthest(current):
        raise Refusal(
            f"A test clock can be advanced by {YEARS_MAX} years at most: up to {furthest(current)}.",
            param="frozen_time",
        )
    return [AdvanceBegun(at=command.at, frozen_time=command.frozen_time)]


TEST_CLOCK: Decider[TestClock, Command, Event] = Decider(KIND, NO_CLOCK, decide, evolve)
