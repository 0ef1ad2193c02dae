"""The persistent mapping of states: each is as it was when it was made, and making one takes constant time."""

import time
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from events import customer
from events.customer.balance import BalanceAdjusted, BalanceTransactionEdited
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
        assert len(mapping) == len(plain)
        assert "z" not in mapping


def test_superseded_values_are_dropped() -> None:
    mapping: HistoryMap[int] = HistoryMap()
    for number in range(10_000):
        mapping = mapping.set("a", number)
    kept = 0
    entry: Any = mapping._shared.values["a"]
    while entry is not None:
        kept, entry = kept + 1, entry[2]
    assert kept < 100


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
    return BalanceTransactionEdited(id="cbtxn_0", attributes={"description": str(number)})


def test_folding_a_balance_takes_as_long_for_the_last_of_16000_transactions_as_for_the_first() -> None:
    for event in (adjusted, edited):
        few, many = (min(_seconds_each(count, event) for _ in range(3)) for count in (1_000, 16_000))
        assert many < 4 * few, "as a copy of what there is would take 16 times as long"


def _seconds_each(count: int, event: Callable[[int], customer.Event]) -> float:
    events = [adjusted(0), *(event(number) for number in range(1, count))]
    state, started = customer.NOBODY, time.process_time()
    for each in events:
        state = customer.evolve(state, each)
    return (time.process_time() - started) / count
