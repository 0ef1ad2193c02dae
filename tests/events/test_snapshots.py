"""Snapshots: a state loaded from one is that of the whole history, and one that does not open is passed over."""

from collections.abc import Mapping
from typing import Any

import asyncpg
import pytest
import structlog.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from events import folding_code
from events.coupon import COUPON
from events.decider import SNAPSHOT_EVENTS, Decider
from events.log import Log, PostgresLog
from events.memory import MemoryLog
from events.snapshots import Snapshots
from events.state_codec import StateCodec
from service.wiring import EVENT_MODULES, codec
from tests.events.customer_store import CUSTOMER, ID, TEST, CustomerStore
from tests.events.strategies import EVENTS

DECIDERS: Mapping[str, Decider[Any, Any, Any]] = {
    one.kind: one for module in EVENT_MODULES for one in vars(module).values() if isinstance(one, Decider)
}
STREAM = CUSTOMER.stream(ID)
CODE = folding_code.digest(CUSTOMER.evolve.__module__)


def kinds(decider: Decider[Any, Any, Any]) -> list[str]:
    return [name for name, known in codec().types.items() if known.cls.__module__.startswith(decider.evolve.__module__)]


def test_every_kind_of_stream_has_its_decider_here() -> None:
    assert len(DECIDERS) == len(EVENT_MODULES)


@settings(max_examples=15)
@given(st.data())
@pytest.mark.parametrize("decider", DECIDERS.values(), ids=DECIDERS)
def test_a_state_and_what_follows_it_is_read_as_it_was(decider: Decider[Any, Any, Any], data: st.DataObject) -> None:
    """Of every state that events lead to, however they come: what folds on from the state read is what folds on."""
    states = StateCodec(type(decider.initial))
    events = data.draw(st.lists(st.sampled_from(kinds(decider)).flatmap(EVENTS.__getitem__), max_size=8))
    whole = read = decider.initial
    for event in events:
        try:
            whole = decider.evolve(whole, event)
        except (KeyError, AttributeError, TypeError):
            continue  # of something that is not there: no decision makes such an event
        read = decider.evolve(states.decode(states.encode(read)), event)
        assert read == whole
        assert states.decode(states.encode(whole)) == whole


@pytest.fixture
def memory() -> MemoryLog:
    return MemoryLog()


@pytest.fixture(params=["memory", "log"])
def either(request: pytest.FixtureRequest) -> Log:
    given: Log = request.getfixturevalue(request.param)
    return given


async def written(store: CustomerStore, updates: int) -> None:
    await store.create()
    for number in range(updates):
        await store.update(email=f"{number}@example.com", metadata={"n": str(number)})


async def test_another_process_loads_a_snapshot_and_a_bounded_tail(either: Log) -> None:
    log = either
    store = CustomerStore(log)
    await written(store, 3 * SNAPSHOT_EVENTS)
    assert CODE is not None
    loaded = await log.load_state(STREAM, CODE)
    assert loaded.snapshot is not None
    assert len(loaded.records) < SNAPSHOT_EVENTS
    assert [each.version for each in loaded.records] == list(
        range(loaded.snapshot.version + 1, 3 * SNAPSHOT_EVENTS + 2)
    )
    other = CustomerStore(log)
    assert await other.executor.state(CUSTOMER, ID, TEST) == await store.replayed() == store.remembered()


async def test_processes_that_write_by_turns_reach_the_state_of_the_whole_history(log: PostgresLog) -> None:
    stores = [CustomerStore(log), CustomerStore(log)]
    await stores[0].create()
    for number in range(2 * SNAPSHOT_EVENTS + 5):
        await stores[number % 2].update(metadata={str(number % 7): str(number)})
    assert stores[0].remembered() == await stores[0].replayed()


async def test_a_short_stream_has_no_snapshot(log: PostgresLog, owner: asyncpg.Connection) -> None:
    await written(CustomerStore(log), SNAPSHOT_EVENTS - 2)
    assert await owner.fetchval("SELECT count(*) FROM events.snapshot") == 0


BREAKAGES = {
    "deleted": "DELETE FROM events.snapshot",
    "corrupt": "UPDATE events.snapshot SET body = set_byte(body, 40, get_byte(body, 40) # 1)",
    "cut short": "UPDATE events.snapshot SET body = substr(body, 1, 5)",
    "empty": "UPDATE events.snapshot SET body = ''",
    "of other code": "UPDATE events.snapshot SET code = sha256(code)",
    "of another version": "UPDATE events.snapshot SET version = version - 1",
    "of a version to come": "UPDATE events.snapshot SET version = version + 1000",
    "of a destroyed key": "DELETE FROM keys.subject",
}


@pytest.mark.parametrize("breakage", BREAKAGES)
async def test_a_snapshot_that_cannot_be_used_is_passed_over(
    breakage: str, log: PostgresLog, owner: asyncpg.Connection
) -> None:
    await written(CustomerStore(log), 2 * SNAPSHOT_EVENTS)
    await owner.execute(BREAKAGES[breakage])
    store = CustomerStore(log)
    assert await store.executor.state(CUSTOMER, ID, TEST) == await store.replayed()


async def test_a_snapshot_that_cannot_be_used_is_logged_once(log: PostgresLog, owner: asyncpg.Connection) -> None:
    await written(CustomerStore(log), 2 * SNAPSHOT_EVENTS)
    await owner.execute(BREAKAGES["corrupt"])
    store = CustomerStore(log)
    with structlog.testing.capture_logs() as logged:
        for _ in range(3):
            assert await store.executor.state(CUSTOMER, ID, TEST) == await store.replayed()
    assert [(line["event"], line["stream"]) for line in logged] == [("snapshot.ignored", STREAM)]


async def test_a_snapshot_that_cannot_be_used_is_replaced(log: PostgresLog, owner: asyncpg.Connection) -> None:
    await written(CustomerStore(log), 2 * SNAPSHOT_EVENTS)
    await owner.execute(BREAKAGES["corrupt"])
    await CustomerStore(log).update(email="new@example.com")
    assert CODE is not None
    loaded = await log.load_state(STREAM, CODE)
    assert loaded.snapshot is not None
    assert loaded.snapshot.version == 2 * SNAPSHOT_EVENTS + 2
    assert not loaded.records


async def test_a_snapshot_says_nothing_of_the_person(log: PostgresLog, owner: asyncpg.Connection) -> None:
    await written(CustomerStore(log), SNAPSHOT_EVENTS)
    body = await owner.fetchval("SELECT body FROM events.snapshot")
    assert body
    assert b"example.com" not in body


async def test_a_long_tail_of_a_release_without_snapshots_is_folded(
    log: PostgresLog, owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await written(CustomerStore(log), SNAPSHOT_EVENTS)
    monkeypatch.setattr(Snapshots, "make", lambda self, decider, stream, cached: (None, cached))
    for number in range(2 * SNAPSHOT_EVENTS):
        await CustomerStore(log).update(email=f"old{number}@example.com")
    monkeypatch.undo()
    store = CustomerStore(log)
    assert await store.executor.state(CUSTOMER, ID, TEST) == await store.replayed()


async def test_snapshots_of_other_code_are_kept_for_a_day(log: PostgresLog, owner: asyncpg.Connection) -> None:
    """While two releases write by turns each finds its own."""
    await written(CustomerStore(log), SNAPSHOT_EVENTS)
    await owner.execute(
        "INSERT INTO events.snapshot SELECT stream, sha256(code), version, kept_at, body FROM events.snapshot"
    )
    await owner.execute(
        "INSERT INTO events.snapshot SELECT stream, sha256(code), version, kept_at - interval '25 hours', body "
        "FROM events.snapshot WHERE code = $1",
        folding_code.digest(COUPON.evolve.__module__),
    )
    store = CustomerStore(log)
    for number in range(2 * SNAPSHOT_EVENTS):
        await store.update(email=f"{number}@example.org")
    assert await owner.fetchval("SELECT count(*) FROM events.snapshot") == 2
    await owner.execute("UPDATE events.snapshot SET kept_at = kept_at - interval '25 hours'")
    for number in range(2 * SNAPSHOT_EVENTS):
        await store.update(email=f"{number}@example.net")
    assert await owner.fetchval("SELECT count(*) FROM events.snapshot") == 1
