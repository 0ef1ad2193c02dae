"""States as JSON, in columns: read as they were written, refused where they are no state, and cheap for large ones."""

import sys
from functools import reduce
from types import FrameType
from typing import Any, NamedTuple

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from events import customer
from events.customer.balance import BalanceAdjusted
from events.customer.subscription import Invoice, Item, Price, SubscriptionReported
from events.history_map import HistoryMap
from events.state_codec import StateCodec


class Part(NamedTuple):
    """A part of many states."""

    country: str | None
    lines: tuple[str, ...]


class Small(NamedTuple):
    """A state of every kind of part."""

    by_id: HistoryMap[Part]
    labels: dict[str, str]
    pairs: dict[tuple[str, int], Part | None]
    parts: tuple[Part | Price, ...]
    tags: frozenset[str]


CODEC = StateCodec(Small)
TEXTS = st.text(max_size=3)
PARTS = st.builds(Part, st.none() | TEXTS, st.lists(TEXTS, max_size=2).map(tuple))
PRICES = st.builds(Price, id=TEXTS, unit_amount=st.none() | st.integers(-9, 9))
MAPS = st.dictionaries(TEXTS, PARTS, max_size=3).map(lambda plain: HistoryMap.of(plain, plain.values()))
STATES = st.builds(
    Small,
    by_id=MAPS,
    labels=st.dictionaries(TEXTS, TEXTS, max_size=3),
    pairs=st.dictionaries(st.tuples(TEXTS, st.integers(0, 3)), st.none() | PARTS, max_size=3),
    parts=st.lists(PARTS | PRICES, max_size=4).map(tuple),
    tags=st.frozensets(TEXTS, max_size=3),
)
JSON = st.recursive(st.none() | st.booleans() | st.integers(-1, 3) | TEXTS, lambda part: st.lists(part, max_size=3))


@given(STATES)
def test_a_state_is_read_as_it_was_written(state: Small) -> None:
    read = CODEC.decode(CODEC.encode(state))
    assert read == state
    assert list(read.by_id) == list(state.by_id)
    assert list(read.pairs) == list(state.pairs)


@given(STATES, st.data())
def test_what_was_changed_is_another_state_or_is_refused(state: Small, data: st.DataObject) -> None:
    body: Any = orjson.loads(CODEC.encode(state))
    part = body
    while isinstance(part[at := data.draw(st.integers(0, len(part) - 1))], list) and part[at]:
        if data.draw(st.booleans()):
            break
        part = part[at]
    part[at] = data.draw(JSON)
    try:
        read = CODEC.decode(orjson.dumps(body))
    except ValueError:
        return
    assert CODEC.decode(CODEC.encode(read)) == read


@pytest.mark.parametrize(
    "state",
    [
        Small(HistoryMap(), {"a": 1}, {}, (), frozenset()),  # type: ignore[dict-item]  # what is refused
        Small(HistoryMap(), {}, {}, ("text",), frozenset()),  # type: ignore[arg-type]  # what is refused
        Small({}, {}, {}, (), frozenset()),  # type: ignore[arg-type]  # what is refused
        Small(HistoryMap(), {}, {("a", True): None}, (), frozenset()),
    ],
    ids=["a number for a text", "another class", "a dictionary for a history map", "a boolean for a number"],
)
def test_what_is_not_of_its_type_is_not_written(state: Small) -> None:
    with pytest.raises(ValueError, match="does not encode"):
        CODEC.encode(state)


def test_a_large_state_takes_as_few_calls_as_a_small_one() -> None:
    """It is written while others wait: 16,000 transactions one by one took more than a tenth of a second."""
    assert _calls(10_000) < 2 * _calls(1_000), "some are the garbage collector's"


def _calls(count: int) -> int:
    state = reduce(customer.evolve, _history(count), customer.NOBODY)
    codec, calls = StateCodec(customer.Customer), 0

    def counting(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    before = sys.getprofile()
    sys.setprofile(counting)
    try:
        body = codec.encode(state)
    finally:
        sys.setprofile(before)
    assert codec.decode(body) == state
    return calls


def _history(count: int) -> list[customer.Event]:
    reported = [
        SubscriptionReported(
            at=1_700_000_000,
            attributes={
                "currency": "usd",
                "items": (Item(id=f"si_{number}", price=Price(id="price_1")),),
                "latest_invoice": Invoice(auto_advance=True, id=f"in_{number}", status="paid"),
            },
            id=f"sub_{number}",
        )
        for number in range(count)
    ]
    adjusted = [
        BalanceAdjusted(
            amount=1,
            at=1_700_000_000,
            attributes={"metadata": {"order": str(number)}},
            currency="usd",
            ending_balance=number,
            id=f"cbtxn_{number}",
            type="adjustment",
        )
        for number in range(count)
    ]
    return [*reported, *adjusted]
