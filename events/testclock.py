"""A test clock: its own stream, `test_helpers.test_clock-clock_…`, decided and folded by pure functions.

Customers under a clock live on its frozen time, which moves only when it is advanced. While it advances everything that
became due under it meanwhile is done, each at its own time; then it is ready again. Who lives under a clock is kept
here, so that no two requests together can bring in more customers than it takes.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated, assert_never

from events.decider import Decider
from events.errors import ClockAdvancing, Missing, Refusal
from events.personal import PERSONAL

KIND = "test_helpers.test_clock"
CUSTOMERS_MAX = 3
KEPT_S = 30 * 24 * 3600  # from its creation, by the machine's time
YEARS_MAX = 2  # of one advance


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateClock:
    """Stop a clock at `frozen_time`; it is made at `created`, by the machine's time. Both are Unix seconds."""

    id: str
    created: int
    frozen_time: int
    name: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeIn:
    """Let a customer live under the clock."""

    id: str
    customer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LetGo:
    """Forget a customer that is no more."""

    id: str
    customer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Advance:
    """Begin to move on to a later time; `at` is the machine's."""

    id: str
    at: int
    frozen_time: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrive:
    """Stand at the time the clock was moving to; everything due until then is done."""

    id: str
    frozen_time: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteClock:
    """End the clock for good; its customers are ended beside it."""

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockCreated:
    """The clock was made, and stands."""

    created: int
    frozen_time: int
    id: str
    name: Annotated[str | None, PERSONAL] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerTakenIn:
    """The customer lives under the clock."""

    customer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerLetGo:
    """The customer, who is no more, makes room for another."""

    customer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AdvanceBegun:
    """The clock moves on to this time."""

    at: int
    frozen_time: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """The clock stands again."""

    frozen_time: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockDeleted:
    """The clock ended."""

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
    """A clock as the events so far have left it; `id` is empty before the first of them."""

    id: str = ""
    created: int = 0
    customers: tuple[str, ...] = ()
    deleted: bool = False
    frozen_time: int = 0
    name: str | None = None
    target: int | None = None  # the time it moves to, while it advances

    @property
    def exists(self) -> bool:
        """Whether commands find it."""
        return bool(self.id) and not self.deleted

    @property
    def deletes_after(self) -> int:
        """When it is deleted at the latest, by the machine's time."""
        return self.created + KEPT_S


NO_CLOCK = TestClock()


def decide(state: TestClock, command: Command) -> list[Event]:
    """Say what `command` would make happen; nothing when all is so already.

    Raises Missing when the clock never was or is no more, ClockAdvancing while it moves, Refusal when it is full or may
    not be moved so.
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
    """The time of whoever lives under the clock. Raises ClockAdvancing while it moves."""
    if state.target is not None:
        raise ClockAdvancing
    return state.frozen_time


def furthest(frozen_time: int) -> int:
    """The latest time that one advance may go to: the same day and hour two years on."""
    moment = datetime.fromtimestamp(frozen_time, UTC)
    try:
        later = moment.replace(year=moment.year + YEARS_MAX)
    except ValueError:  # 29 February, or the end of what a calendar holds
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
