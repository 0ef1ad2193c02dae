"""The persistent mapping of states: each is as it was when it was made, and a fold copies none of them."""

import statistics
import tracemalloc
from collections.abc import Callable, Sequence
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events import customer
from events.customer.balance import BalanceAdjusted, BalanceTransactionEdited, Transaction
from events.customer.subscription import (
    Subscription,
    SubscriptionCanceled,
    SubscriptionRemoved,
    SubscriptionReported,
    canceled_at,
)
from events.history_map import HistoryMap

STEPS = st.lists(st.tuples(st.integers(0, 300), st.sampled_from("abcdefgh"), st.integers() | st.none()), max_size=200)


@given(STEPS)
def test_each_mapping_is_as_it_was_when_it_was_made(steps: list[tuple[int, str, int | None]]) -> None:
    made: list[tuple[HistoryMap[int], dict[str, int]]] = [(HistoryMap(), {})]
    for of, key, value in steps:
        mapping, plain = made[of % len(made)] if of < 100 else made[-1]
        if value is not None:
            made.append((mapping.set(key, value), {**plain, key: value}))
        elif key in plain:
            made.append((mapping.without(key), {name: old for name, old in plain.items() if name != key}))
    for mapping, plain in made:
        assert mapping == plain
        assert list(mapping.items()) == list(plain.items()), "in the order in which they were added"
        assert mapping.entries() == (list(plain), list(plain.values()))
        assert HistoryMap.of(*mapping.entries()) == plain
        assert len(mapping) == len(plain)
        assert "z" not in mapping


def test_superseded_values_are_dropped() -> None:
    mapping: HistoryMap[int] = HistoryMap()
    for number in range(10_000):
        mapping = mapping.set("a", number)
    assert len(mapping._journal.values) < 100


def test_an_empty_mapping_keeps_nothing_of_those_that_came_of_it() -> None:
    empty: HistoryMap[int] = HistoryMap()
    empty.set("a", 1)
    assert empty._journal is HistoryMap()._journal
    assert not empty._journal.newest


def adjusted(number: int) -> BalanceAdjusted:
    return BalanceAdjusted(
        amount=1,
        at=1_700_000_000,
        attributes={},
        currency="usd",
        ending_balance=number,
        id=f"cbtxn_{number}",
        type="adjustment",
    )


def edited(number: int) -> BalanceTransactionEdited:
    return BalanceTransactionEdited(id=f"cbtxn_{number}", attributes={"description": str(number)})


def reported(number: int) -> SubscriptionReported:
    return SubscriptionReported(at=1_700_000_000, attributes={"currency": "usd"}, id=f"sub_{number}")


def canceled(number: int) -> SubscriptionCanceled:
    return SubscriptionCanceled(at=1_700_000_001, id=f"sub_{number}")


def removed(number: int) -> SubscriptionRemoved:
    return SubscriptionRemoved(at=1_700_000_002, id=f"sub_{number}")


def many(count: int) -> Sequence[customer.Event]:
    return [make(number) for number in range(count) for make in (adjusted, reported)]


# What may follow a history of at least so many of each, as events of one number after the other.
FURTHER: dict[str, Callable[[int], Sequence[customer.Event]]] = {
    "adjusted": lambda number: [adjusted(10_000_000 + number)],
    "edited": lambda number: [edited(number)],
    "reported": lambda number: [reported(10_000_000 + number)],
    "reported again": lambda number: [reported(number)],
    "canceled": lambda number: [canceled(number)],
    "removed": lambda number: [removed(number)],
    "removed and reported again": lambda number: [removed(number), reported(number)],
}
further = pytest.mark.parametrize("events", FURTHER.values(), ids=FURTHER)


@further
def test_a_step_allocates_as_much_after_10000_transactions_and_subscriptions_as_after_1000(
    events: Callable[[int], Sequence[customer.Event]],
) -> None:
    """The median step: now and then one makes room for the next thousands, as lists and dictionaries do."""
    few, lots = (_bytes_of_a_step(count, events) for count in (1_000, 10_000))
    assert lots < few + 1024, "as a copy of what there is would take hundreds of thousands"


def _bytes_of_a_step(count: int, events: Callable[[int], Sequence[customer.Event]]) -> float:
    state = reduce(customer.evolve, many(count), customer.NOBODY)
    steps = [event for number in range(50) for event in events(number)]
    allocated = []
    tracemalloc.start()
    try:
        for event in steps:
            tracemalloc.reset_peak()
            before, _ = tracemalloc.get_traced_memory()
            state = customer.evolve(state, event)
            allocated.append(tracemalloc.get_traced_memory()[1] - before)
    finally:
        tracemalloc.stop()
    return statistics.median(allocated)


@pytest.fixture
def copied(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many keys each copy had."""
    counts: list[int] = []
    copy = HistoryMap._copy

    def counting(mapping: HistoryMap[object]) -> object:
        counts.append(len(mapping))
        return copy(mapping)

    monkeypatch.setattr(HistoryMap, "_copy", counting)
    return counts


@further
def test_a_fold_copies_no_more_keys_than_it_has_events(
    events: Callable[[int], Sequence[customer.Event]], copied: list[int]
) -> None:
    history = [*many(1_000), *(event for number in range(1_000) for event in events(number))]
    reduce(customer.evolve, history, customer.NOBODY)
    assert sum(copied) <= len(history)


KINDS = (adjusted, edited, reported, canceled, removed)


@given(st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 5)), max_size=100))
def test_a_fold_leaves_what_it_would_leave_in_dictionaries(
    asked: list[tuple[Callable[[int], customer.Event], int]],
) -> None:
    state = customer.NOBODY
    transactions: dict[str, Transaction] = {}
    subscriptions: dict[str, Subscription] = {}
    for make, number in asked:
        event = make(number)
        try:
            _apply(transactions, subscriptions, event)
        except KeyError:
            continue  # of something that is not there: no decision makes such an event
        state = customer.evolve(state, event)
        assert list(state.balance.transactions.items()) == list(transactions.items())
        assert list(state.subscriptions.by_id.items()) == list(subscriptions.items())


def _apply(transactions: dict[str, Transaction], subscriptions: dict[str, Subscription], event: customer.Event) -> None:
    match event:
        case BalanceAdjusted():
            transactions[event.id] = Transaction(
                amount=event.amount,
                created=event.at,
                currency=event.currency,
                description=None,
                ending_balance=event.ending_balance,
                metadata={},
                type=event.type,
            )
        case BalanceTransactionEdited():
            transactions[event.id] = transactions[event.id]._replace(**event.attributes)
        case SubscriptionReported():
            subscriptions[event.id] = Subscription(id=event.id, **event.attributes)
        case SubscriptionRemoved():
            del subscriptions[event.id]
        case SubscriptionCanceled():
            subscriptions[event.id] = canceled_at(subscriptions[event.id], event.at)
        case _:
            raise AssertionError(event)
