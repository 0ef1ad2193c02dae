"""What may happen to a test clock."""

from datetime import UTC, datetime
from functools import reduce
from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from events import testclock as clocks
from events.decider import Decider
from events.errors import ClockAdvancing, Missing, Refusal
from events.testclock import (
    CUSTOMERS_MAX,
    KEPT_S,
    Advance,
    AdvanceBegun,
    Arrive,
    Arrived,
    ClockCreated,
    ClockDeleted,
    CreateClock,
    CustomerLetGo,
    CustomerTakenIn,
    DeleteClock,
    LetGo,
    TakeIn,
)
from tests.spec import Given, given

CLOCK = Decider(clocks.KIND, clocks.NO_CLOCK, clocks.decide, clocks.evolve)
ID = "clock_1Mr5jULkdIwHu7"
MADE = 1_700_000_000
FROZEN = 1_577_836_800  # 2020-01-01
LATER = FROZEN + 86_400
CREATED = ClockCreated(id=ID, created=MADE, frozen_time=FROZEN, name="Renewal")
NEVER = given(CLOCK)
FRESH = given(CLOCK, CREATED)
MOVING = given(CLOCK, CREATED, AdvanceBegun(at=MADE, frozen_time=LATER))
DELETED = given(CLOCK, CREATED, ClockDeleted(id=ID))
FULL = given(CLOCK, CREATED, *(CustomerTakenIn(customer=f"cus_{number}") for number in range(CUSTOMERS_MAX)))


def advance(frozen_time: int) -> Advance:
    return Advance(id=ID, at=MADE, frozen_time=frozen_time)


def take_in(customer: str = "cus_new") -> TakeIn:
    return TakeIn(id=ID, customer=customer)


def seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def frozen_at(text: str) -> Given:
    return given(CLOCK, ClockCreated(id=ID, created=MADE, frozen_time=seconds(text)))


def test_a_clock_stands_at_any_time_and_is_kept_for_thirty_days_of_the_machines() -> None:
    command = CreateClock(id=ID, created=MADE, frozen_time=FROZEN, name="Renewal")
    state = NEVER.when(command).then(CREATED)
    assert (state.exists, clocks.time_of(state), state.deletes_after) == (True, FROZEN, MADE + KEPT_S)
    assert state.deletes_after - MADE == 30 * 86_400


def test_an_empty_name_is_none() -> None:
    command = CreateClock(id=ID, created=MADE, frozen_time=FROZEN, name="")
    NEVER.when(command).then(ClockCreated(id=ID, created=MADE, frozen_time=FROZEN, name=None))


@pytest.mark.parametrize("clock", [NEVER, DELETED], ids=["never was", "deleted"])
@pytest.mark.parametrize(
    "command",
    [take_in(), LetGo(id=ID, customer="cus_1"), advance(LATER), Arrive(id=ID, frozen_time=LATER), DeleteClock(id=ID)],
    ids=lambda command: type(command).__name__,
)
def test_a_clock_that_is_not_there_is_missing(clock: Given, command: object) -> None:
    refusal = clock.when(command).refused(Missing, code="resource_missing", param="id")
    assert refusal.message == f"No such test clock: '{ID}'"


def test_customers_live_under_it_until_they_are_no_more() -> None:
    state = FRESH.when(take_in("cus_1")).then(CustomerTakenIn(customer="cus_1"))
    assert state.customers == ("cus_1",)
    inside = given(CLOCK, CREATED, CustomerTakenIn(customer="cus_1"))
    inside.when(take_in("cus_1")).nothing_happens()
    assert inside.when(LetGo(id=ID, customer="cus_1")).then(CustomerLetGo(customer="cus_1")).customers == ()
    inside.when(LetGo(id=ID, customer="cus_2")).nothing_happens()


def test_a_clock_takes_three_customers_and_no_more() -> None:
    assert "3 customers" in FULL.when(take_in()).refused(param="test_clock").message
    FULL.when(take_in("cus_1")).nothing_happens()
    given(CLOCK, *FULL.history, CustomerLetGo(customer="cus_1")).when(take_in()).then(
        CustomerTakenIn(customer="cus_new")
    )


def test_advancing_has_a_beginning_and_an_end() -> None:
    state = FRESH.when(advance(LATER)).then(AdvanceBegun(at=MADE, frozen_time=LATER))
    assert (state.frozen_time, state.target) == (FROZEN, LATER)
    state = MOVING.when(Arrive(id=ID, frozen_time=LATER)).then(Arrived(frozen_time=LATER))
    assert (state.frozen_time, state.target) == (LATER, None)


def test_arriving_twice_or_somewhere_else_is_nothing() -> None:
    given(CLOCK, *MOVING.history, Arrived(frozen_time=LATER)).when(Arrive(id=ID, frozen_time=LATER)).nothing_happens()
    MOVING.when(Arrive(id=ID, frozen_time=LATER + 1)).nothing_happens()
    FRESH.when(Arrive(id=ID, frozen_time=LATER)).nothing_happens()


@pytest.mark.parametrize("frozen_time", [FROZEN, FROZEN - 1, 0])
def test_time_moves_on_only(frozen_time: int) -> None:
    assert str(FROZEN) in FRESH.when(advance(frozen_time)).refused(param="frozen_time").message


def test_a_second_on_is_enough() -> None:
    FRESH.when(advance(FROZEN + 1)).then(AdvanceBegun(at=MADE, frozen_time=FROZEN + 1))


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2020-01-01T00:00:00", "2022-01-01T00:00:00"),
        ("2023-06-15T12:30:00", "2025-06-15T12:30:00"),
        ("2024-02-29T00:00:00", "2026-02-28T00:00:00"),
    ],
)
def test_two_years_on_is_the_most(start: str, end: str) -> None:
    furthest = seconds(end)
    frozen_at(start).when(advance(furthest)).then(AdvanceBegun(at=MADE, frozen_time=furthest))
    assert str(furthest) in frozen_at(start).when(advance(furthest + 1)).refused(param="frozen_time").message


def test_time_may_be_asked_up_to_the_end_of_the_calendar() -> None:
    state = frozen_at("9999-06-01T00:00:00").state
    assert clocks.furthest(state.frozen_time) == state.frozen_time + 730 * 86_400


@pytest.mark.parametrize("command", [advance(LATER + 1), advance(LATER), take_in()], ids=repr)
def test_a_moving_clock_refuses_for_the_moment(command: object) -> None:
    refusal = MOVING.when(command).refused(ClockAdvancing, code="lock_timeout")
    assert "test clock is advancing" in refusal.message


def test_nobody_can_ask_a_moving_clock_for_the_time() -> None:
    with pytest.raises(ClockAdvancing):
        clocks.time_of(MOVING.state)


def test_a_clock_is_deleted_even_while_it_moves() -> None:
    for clock in (FRESH, MOVING, FULL):
        state = clock.when(DeleteClock(id=ID)).then(ClockDeleted(id=ID))
        assert not state.exists


commands = st.one_of(
    st.builds(TakeIn, id=st.just(ID), customer=st.sampled_from("abcdef")),
    st.builds(LetGo, id=st.just(ID), customer=st.sampled_from("abcdef")),
    st.builds(Advance, id=st.just(ID), at=st.just(MADE), frozen_time=st.integers(FROZEN - 10, FROZEN + 10)),
    st.builds(Arrive, id=st.just(ID), frozen_time=st.integers(FROZEN - 10, FROZEN + 10)),
)


@for_all(st.lists(commands, max_size=30))
def test_whatever_is_asked_time_never_runs_back_and_no_more_than_three_live_there(asked: list[Any]) -> None:
    state = CLOCK.evolve(CLOCK.initial, CREATED)
    history: list[Any] = [CREATED]
    for command in asked:
        before = state
        try:
            events = CLOCK.decide(state, command)
        except Refusal:
            continue
        state = reduce(CLOCK.evolve, events, state)
        history += events
        assert state.frozen_time >= before.frozen_time
        assert len(set(state.customers)) == len(state.customers) <= CUSTOMERS_MAX
        if isinstance(command, TakeIn | LetGo | Arrive):
            assert CLOCK.decide(state, command) == [], "asked twice, done once"
    assert reduce(CLOCK.evolve, history, CLOCK.initial) == state
