"""The decisions about a customer's discount, as given, when, then; without doubles."""

from datetime import UTC, datetime

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from events.coupon import Terms
from events.customer import CUSTOMER, CustomerCreated, CustomerDeleted, DeleteCustomer, discount
from events.customer.discount import (
    DiscountEnded,
    DiscountGiven,
    DiscountRemoved,
    EndDiscount,
    GiveDiscount,
    RemoveDiscount,
    months_after,
)
from events.decider import Decider
from events.errors import Missing
from tests.spec import given

DISCOUNTS = Decider("discount", discount.NONE, discount.decide, discount.evolve)
JANUARY_31 = int(datetime(2026, 1, 31, 12, 30, tzinfo=UTC).timestamp())
FEBRUARY_28 = int(datetime(2026, 2, 28, 12, 30, tzinfo=UTC).timestamp())
ONCE = Terms(id="ONCE", percent_off="10")
MONTH = Terms(id="MONTH", percent_off="10", duration="repeating", duration_in_months=1)


def give(terms: Terms = ONCE, id: str = "di_1", code: str | None = None) -> GiveDiscount:
    return GiveDiscount(id=id, at=JANUARY_31, coupon=terms, promotion_code=code)


def gave(terms: Terms = ONCE, id: str = "di_1", end: int | None = None, code: str | None = None) -> DiscountGiven:
    return DiscountGiven(coupon=terms, end=end, id=id, promotion_code=code, start=JANUARY_31)


def test_a_discount_is_given_on_the_coupons_terms() -> None:
    state = given(DISCOUNTS).when(give(code="promo_1")).then(gave(code="promo_1"))
    assert (state.current.id, state.current.coupon, state.current.promotion_code) == ("di_1", ONCE, "promo_1")


@pytest.mark.parametrize("duration", ["forever", "once"])
def test_one_that_does_not_repeat_has_no_end(duration: str) -> None:
    terms = Terms(id="X", percent_off="1", duration=duration)  # type: ignore[arg-type]  # parametrized
    given(DISCOUNTS).when(give(terms)).then(gave(terms, end=None))


def test_one_that_repeats_ends_after_its_calendar_months() -> None:
    given(DISCOUNTS).when(give(MONTH)).then(gave(MONTH, end=FEBRUARY_28))


def test_a_second_one_replaces_the_first() -> None:
    state = given(DISCOUNTS, gave(MONTH, end=FEBRUARY_28)).when(give(id="di_2")).then(gave(id="di_2"))
    assert state.current.id == "di_2"


def test_it_is_removed_whichever_it_is_and_only_when_there_is_one() -> None:
    state = given(DISCOUNTS, gave()).when(RemoveDiscount(at=5)).then(DiscountRemoved(at=5, id="di_1"))
    assert state.current is None
    given(DISCOUNTS).when(RemoveDiscount(at=5)).nothing_happens()


def test_it_ends_when_its_time_is_over_and_once() -> None:
    history = (gave(MONTH, end=FEBRUARY_28),)
    ended = DiscountEnded(at=FEBRUARY_28, id="di_1")
    given(DISCOUNTS, *history).when(EndDiscount(id="di_1", at=FEBRUARY_28)).then(ended)
    given(DISCOUNTS, *history).when(EndDiscount(id="di_1", at=FEBRUARY_28 - 1)).nothing_happens()
    given(DISCOUNTS, *history, ended).when(EndDiscount(id="di_1", at=FEBRUARY_28)).nothing_happens()


def test_the_end_of_one_that_was_replaced_or_has_none_is_nothing() -> None:
    replaced = (gave(MONTH, end=FEBRUARY_28), gave(id="di_2"))
    given(DISCOUNTS, *replaced).when(EndDiscount(id="di_1", at=FEBRUARY_28)).nothing_happens()
    given(DISCOUNTS, *replaced).when(EndDiscount(id="di_2", at=FEBRUARY_28)).nothing_happens()


def test_it_ends_with_the_customer() -> None:
    created = CustomerCreated(id="cus_1", created=1, attributes={})
    given(CUSTOMER, created, gave()).when(DeleteCustomer(id="cus_1", at=7)).then(
        DiscountRemoved(at=7, id="di_1"), CustomerDeleted(id="cus_1")
    )
    given(CUSTOMER, created).when(DeleteCustomer(id="cus_1", at=7)).then(CustomerDeleted(id="cus_1"))


def test_nobody_has_one_who_is_not_there() -> None:
    created = CustomerCreated(id="cus_1", created=1, attributes={})
    for history in ((), (created, CustomerDeleted(id="cus_1"))):
        given(CUSTOMER, *history).when(give()).refused(Missing, code="resource_missing", param="id")


@pytest.mark.parametrize(
    ("start", "months", "end"),
    [
        ("2026-01-31T12:30:00Z", 1, "2026-02-28T12:30:00Z"),
        ("2028-01-31T23:59:59Z", 1, "2028-02-29T23:59:59Z"),
        ("2026-03-15T00:00:00Z", 12, "2027-03-15T00:00:00Z"),
        ("2026-11-30T08:00:00Z", 3, "2027-02-28T08:00:00Z"),
        ("1969-12-31T08:00:00Z", 2, "1970-02-28T08:00:00Z"),
        ("2399-12-31T00:00:00Z", 1, "2400-01-31T00:00:00Z"),
    ],
)
def test_months_are_those_of_the_calendar(start: str, months: int, end: str) -> None:
    at, then = (int(datetime.fromisoformat(text).timestamp()) for text in (start, end))
    assert months_after(at, months) == then


@for_all(st.integers(-(10**15), 10**15), st.integers(1, 1200))
def test_any_time_has_a_time_so_many_months_later(start: int, months: int) -> None:
    later = months_after(start, months)
    assert 28 <= (later - start) / 86_400 / months <= 31


@for_all(st.lists(st.sampled_from(["give", "remove", "end"]), max_size=10))
def test_a_customer_has_one_discount_at_most_and_what_was_given_is_given_back_once(asked: list[str]) -> None:
    state, living = discount.NONE, 0
    for number, what in enumerate(asked):
        current = state.current.id if state.current else "di_x"
        commands: dict[str, discount.Command] = {
            "give": give(MONTH, id=f"di_{number}"),
            "remove": RemoveDiscount(at=FEBRUARY_28),
            "end": EndDiscount(id=current, at=FEBRUARY_28),
        }
        for event in discount.decide(state, commands[what]):
            living = 1 if isinstance(event, DiscountGiven) else living - 1
            state = discount.evolve(state, event)
        assert living == (state.current is not None)
