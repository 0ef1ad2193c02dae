"""Carrying out commands: what is remembered helps, and is never believed in the end."""

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events import chain, stream_locks, transact
from events.customer import Customer
from events.errors import (
    AlreadyAnswered,
    BrokenHistory,
    LockTimeout,
    LogUnavailable,
    Missing,
    Refusal,
    StaleStream,
)
from events.memory import MemoryLog
from events.record import Append
from events.scope import Scope
from projections.customers import body
from service.http.idempotency import KeyUse
from service.http.reply import Reply
from tests.events.customer_store import CUSTOMER, ID, LIVE, STRANGER, TEST, CustomerStore, reply
from tests.events.instrumented_log import InstrumentedLog
from tests.events.strategies import patches
from tests.waiting import until

KEY = KeyUse(key="again", route="POST /v1/customers", fingerprint=b"\x01" * 32, request_id="req_1")
STREAM = CUSTOMER.stream(ID)


class Gated(InstrumentedLog):
    """A log whose appends wait for its gate to open."""

    def __init__(self, log: MemoryLog) -> None:
        super().__init__(log)
        self.gate = asyncio.Event()

    async def append(self, item: Append) -> int | None:
        self.appends += 1
        await self.gate.wait()
        return await self.log.append(item)


commands = st.lists(
    st.tuples(st.sampled_from([0, 1, 1, 1, 1]), st.sampled_from(["here", "there"]), patches), min_size=1, max_size=8
)


@settings(max_examples=60)
@given(patches, commands)
async def test_what_is_remembered_is_what_the_log_replays(first: Any, rest: list[tuple[int, str, Any]]) -> None:
    log = MemoryLog()
    stores = {"here": CustomerStore(log), "there": CustomerStore(log)}
    await stores["here"].create(**first)
    for kind, where, patch in rest:
        store = stores[where]
        try:
            await (store.update(**patch) if kind else store.delete())
        except Refusal:
            continue
        replayed = await store.replayed()
        assert store.remembered() == replayed
        remembered = store.remembered()
        assert remembered is not None
        assert body(remembered, False) == body(replayed, False)  # to the byte: order counts too
    records = (await log.load(STREAM)).records
    assert chain.first_break(records) is None


@given(patches)
async def test_an_update_sent_twice_adds_nothing(patch: Any) -> None:
    log = MemoryLog()
    store = CustomerStore(log)
    await store.create(email="jenny@example.com", metadata={"a": "1"})
    await store.update(**patch)
    before = len((await log.load(STREAM)).records)
    await store.update(**patch)
    assert len((await log.load(STREAM)).records) == before


async def test_updates_of_one_customer_from_two_processes_are_all_applied() -> None:
    log = MemoryLog()
    stores = [CustomerStore(log), CustomerStore(log)]
    await stores[0].create()
    await asyncio.gather(*(stores[number % 2].update(metadata={f"key {number}": "text"}) for number in range(40)))
    replayed = await stores[0].replayed()
    assert set(replayed.profile.metadata) == {f"key {number}" for number in range(40)}
    assert len((await log.load(STREAM)).records) == 41


async def test_the_usual_update_asks_the_log_once() -> None:
    log = InstrumentedLog(MemoryLog())
    store = CustomerStore(log)
    await store.create()
    await store.update(email="jenny@example.com")
    assert (log.appends, log.loads) == (2, 0)


async def test_a_process_that_lost_a_race_decides_again_on_the_log() -> None:
    log = InstrumentedLog(MemoryLog())
    here, there = CustomerStore(log), CustomerStore(log)
    await here.create(metadata={"a": "1"})
    await there.update(metadata={"b": "2"})
    await here.update(metadata={"c": "3"})
    assert (await here.replayed()).profile.metadata == {"a": "1", "b": "2", "c": "3"}


async def test_a_refusal_is_never_pronounced_from_memory() -> None:
    log = MemoryLog()
    here, there = CustomerStore(log), CustomerStore(log)
    await here.create(next_invoice_sequence=5)
    await there.update(metadata={f"key {number}": "text" for number in range(50)})
    await here.update(metadata={"key 50": ""})  # here remembers fifty keys now
    await there.update(metadata={"key 0": ""})
    await here.update(metadata={"one more": "text"})
    assert len((await here.replayed()).profile.metadata) == 50


async def test_that_nothing_changes_is_never_found_from_memory() -> None:
    log = MemoryLog()
    here, there = CustomerStore(log), CustomerStore(log)
    await here.create(email="old@example.com")
    await there.update(email="new@example.com")
    await here.update(email="old@example.com")
    assert (await here.replayed()).profile.email == "old@example.com"


async def test_a_customer_deleted_elsewhere_is_missing_here() -> None:
    log = MemoryLog()
    here, there = CustomerStore(log), CustomerStore(log)
    await here.create()
    await there.delete()
    with pytest.raises(Missing):
        await here.update(email="jenny@example.com")


async def test_a_caller_whose_every_attempt_is_stale_gets_a_conflict() -> None:
    log = InstrumentedLog(MemoryLog())
    store = CustomerStore(log)
    await store.create()
    log.failures = [StaleStream(STREAM, 1)] * transact.TRIES_MAX
    with pytest.raises(LockTimeout) as caught:
        await store.update(email="jenny@example.com")
    assert caught.value.code == "lock_timeout"
    assert log.failures == []
    await store.update(email="jenny@example.com")


async def test_a_command_that_waits_too_long_for_another_on_the_object_gets_a_conflict(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log = Gated(MemoryLog())
    store = CustomerStore(log)
    await CustomerStore(log.log).create()
    holder = asyncio.create_task(store.update(email="first@example.com"))
    await until(lambda: log.appends == 1)
    monkeypatch.setattr(stream_locks, "LOCK_TIMEOUT_S", 0.0)
    with pytest.raises(LockTimeout):
        await store.update(email="second@example.com")
    log.gate.set()
    await holder
    assert (await store.replayed()).profile.email == "first@example.com"
    await store.update(email="third@example.com")
    assert len(store.executor._locks) == 0, "no lock outlives its users"


async def test_commands_on_other_objects_do_not_wait() -> None:
    log = Gated(MemoryLog())
    await CustomerStore(log.log).create("cus_1")
    await CustomerStore(log.log).create("cus_2")
    store = CustomerStore(log)
    both = [asyncio.create_task(store.update(id, email="jenny@example.com")) for id in ("cus_1", "cus_2")]
    await until(lambda: log.appends == 2)
    log.gate.set()
    await asyncio.gather(*both)


async def test_a_caller_who_goes_away_while_waiting_leaves_no_lock_behind() -> None:
    log = Gated(MemoryLog())
    store = CustomerStore(log)
    await CustomerStore(log.log).create()
    holder = asyncio.create_task(store.update(email="first@example.com"))
    await until(lambda: log.appends == 1)
    waiter = asyncio.create_task(store.update(email="second@example.com"))
    await until(lambda: store.executor._locks.users(STREAM) == 2)
    waiter.cancel()
    log.gate.set()
    await holder
    with pytest.raises(asyncio.CancelledError):
        await waiter
    assert len(store.executor._locks) == 0


async def test_after_a_loss_nothing_is_believed_of_what_was_remembered() -> None:
    log = InstrumentedLog(MemoryLog())
    store = CustomerStore(log)
    await store.create()
    log.failures = [LogUnavailable("gone")]
    with pytest.raises(LogUnavailable):
        await store.update(email="jenny@example.com")
    assert store.remembered() is None
    await store.update(email="jenny@example.com")
    assert (await store.replayed()).profile.email == "jenny@example.com"


@pytest.mark.parametrize("remembered", [True, False])
@pytest.mark.parametrize("origin", [STRANGER, LIVE])
async def test_another_account_or_mode_has_no_such_customer(origin: Any, remembered: bool) -> None:
    log = MemoryLog()
    maker = CustomerStore(log)
    await maker.create(email="jenny@example.com")
    store = maker if remembered else CustomerStore(log)
    for attempt in (store.update(origin=origin, email="evil@example.com"), store.delete(origin=origin)):
        with pytest.raises(Missing) as caught:
            await attempt
        there = "a similar object exists in test mode, but a live mode key was used to make this request."
        assert caught.value.message == "No such customer: 'cus_1'" + (f"; {there}" if origin is LIVE else "")
    assert (await store.executor.state(CUSTOMER, ID, origin)).id == ""
    assert (await store.executor.state(CUSTOMER, ID, TEST)).profile.email == "jenny@example.com"
    assert len((await log.load(STREAM)).records) == 1


async def test_a_test_key_gets_an_error_that_names_an_object_of_live_mode() -> None:
    store = CustomerStore(MemoryLog())
    await store.create(origin=LIVE)
    with pytest.raises(Missing, match="exists in live mode, but a test mode key"):
        await store.update(email="jenny@example.com")


async def test_another_accounts_update_does_not_disturb_what_is_remembered() -> None:
    store = CustomerStore(MemoryLog())
    await store.create(email="jenny@example.com")
    with pytest.raises(Missing):
        await store.update(origin=STRANGER, email="evil@example.com")
    await store.update(name="Jenny")
    assert (await store.replayed()).profile.email == "jenny@example.com"


async def test_an_id_that_is_in_use_creates_nothing() -> None:
    log = MemoryLog()
    await CustomerStore(log).create(email="jenny@example.com")
    for origin in (TEST, STRANGER):
        with pytest.raises(StaleStream):
            await CustomerStore(log).create(origin=origin, email="evil@example.com")
    assert len(await log.read(0, 10)) == 1


async def test_a_command_under_a_key_that_was_answered_does_nothing() -> None:
    log = MemoryLog()
    store = CustomerStore(log)
    answered = await store.create(key_use=KEY, email="jenny@example.com")
    with pytest.raises(AlreadyAnswered):
        await store.create("cus_2", key_use=KEY)
    with pytest.raises(AlreadyAnswered):
        await store.update(key_use=KEY, email="other@example.com")
    kept = await log.receipt(Scope("acct_1", False), "again")
    assert kept is not None
    assert (kept.status, kept.body, kept.request_id, kept.route) == (answered.status, answered.body, "req_1", KEY.route)
    assert len(await log.read(0, 10)) == 1


async def test_an_update_that_changes_nothing_keeps_its_answer_too() -> None:
    log = MemoryLog()
    store = CustomerStore(log)
    await store.create(email="jenny@example.com")
    answered = await store.update(key_use=KEY, email="jenny@example.com")
    kept = await log.receipt(Scope("acct_1", False), "again")
    assert kept is not None
    assert Reply(kept.status, kept.body) == answered
    assert len(await log.read(0, 10)) == 1


async def test_a_refusal_may_be_kept_as_the_answer() -> None:
    log = MemoryLog()
    store = CustomerStore(log)
    receipt = KEY._replace(request_id="req_9").receipt(Reply(404, b"{}"))
    await store.executor.keep_refusal(TEST, receipt)
    assert await log.receipt(Scope("acct_1", False), "again") == receipt
    with pytest.raises(AlreadyAnswered):
        await store.executor.keep_refusal(TEST, receipt)


async def test_only_so_many_streams_are_remembered_the_latest_written() -> None:
    store = CustomerStore(MemoryLog(), remembered_max=2)
    for id in ("cus_1", "cus_2"):
        await store.create(id)
    await store.update("cus_1", name="Jenny")
    await store.create("cus_3")
    assert [id for id in ("cus_1", "cus_2", "cus_3") if store.remembered(id)] == ["cus_1", "cus_3"]
    await store.update("cus_2", name="Jenny")
    assert (await store.replayed("cus_2")).profile.name == "Jenny"


async def test_history_sealed_under_a_destroyed_key_folds_without_its_personal_part() -> None:
    log = MemoryLog()
    store = CustomerStore(log)
    await store.create(email="jenny@example.com", tax_exempt="reverse")
    del log._keys[STREAM]
    state: Customer = await store.replayed()
    assert (state.id, state.profile.email, state.profile.tax_exempt) == (ID, None, "reverse")


async def test_history_that_was_tampered_with_stops_the_command() -> None:
    log = MemoryLog()
    await CustomerStore(log).create(email="jenny@example.com")
    log._streams[STREAM][0] = log._streams[STREAM][0]._replace(payload=b'{"id":"cus_1"}')
    with pytest.raises(BrokenHistory):
        await CustomerStore(log).update(email="other@example.com")


async def test_the_answer_is_made_of_the_state_reached() -> None:
    store = CustomerStore(MemoryLog())
    await store.create(email="jenny@example.com")
    answered = await store.update(metadata={"a": "1"})
    assert answered == reply(await store.replayed(), None)
