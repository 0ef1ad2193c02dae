"""The stream cache: bounded in number and in bytes, whatever the states in it are like."""

from typing import NamedTuple

from events import chain
from events.customer import NOBODY
from events.decider import CachedStream
from events.scope import Scope
from events.stream_cache import ENTRY_BYTES, MEASURED_FROM, StreamCache, measured

KIB = 1024


def cached(state: object) -> CachedStream[object]:
    """A state as it is kept."""
    return CachedStream(state, 1, chain.START, None, Scope("acct_1", False))


def text(bytes: int) -> str:
    """A state of about as many bytes."""
    return "x" * bytes


def test_large_states_push_out_those_that_were_used_longest_ago() -> None:
    cache = StreamCache(bytes_max=1024 * KIB)
    for number in range(100):
        cache.put(f"customer-{number}", cached(text(200 * KIB)), 200 * KIB)
    assert [number for number in range(100) if cache.get(f"customer-{number}")] == [95, 96, 97, 98, 99]
    assert cache.bytes <= 1024 * KIB


def test_small_states_are_bounded_in_number() -> None:
    cache = StreamCache(streams_max=10)
    for number in range(100):
        cache.put(f"customer-{number}", cached(text(1)), 1)
    assert len(cache) == 10
    assert cache.get("customer-99") is not None


def test_a_state_counts_as_what_it_is_and_not_as_all_that_changed_it() -> None:
    cache = StreamCache()
    for _ in range(10_000):
        cache.put("customer-1", cached(text(100)), 1000)
    assert cache.bytes <= MEASURED_FROM


def test_a_state_that_grows_is_measured_as_it_grows() -> None:
    cache = StreamCache()
    for kib in range(1, 1000):
        cache.put("customer-1", cached(text(kib * KIB)), KIB)
    assert 999 * KIB <= cache.bytes <= 2 * 999 * KIB + ENTRY_BYTES


def test_one_state_larger_than_the_bound_is_kept_alone() -> None:
    cache = StreamCache(bytes_max=KIB)
    cache.put("customer-1", cached(text(1)), 1)
    cache.put("customer-2", cached(text(100 * KIB)), 100 * KIB)
    assert cache.get("customer-1") is None
    assert cache.get("customer-2") is not None


def test_what_is_forgotten_counts_no_more() -> None:
    cache = StreamCache()
    cache.put("customer-1", cached(text(1)), 1)
    cache.forget("customer-1")
    cache.forget("customer-1")
    assert cache.bytes == 0
    assert len(cache) == 0


class Shared(NamedTuple):
    """A state in which one value stands twice."""

    first: str
    second: str


def test_what_is_shared_within_a_state_is_measured_once() -> None:
    value = text(10 * KIB)
    assert 10 * KIB < measured(Shared(value, value)) < 11 * KIB


def test_every_state_can_be_measured() -> None:
    assert 0 < measured(NOBODY) < 20 * KIB
