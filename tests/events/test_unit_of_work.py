"""Several streams in one commit: all of it or nothing, decided on what is true when it is stored."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from events.customer import CreateCustomer, DeleteCustomer, UpdateCustomer
from events.errors import AlreadyAnswered, LockTimeout, Missing, Refusal, StaleStream
from events.memory import MemoryLog
from events.scope import Scope
from events.unit_of_work import UnitOfWork
from service.http.idempotency import KeyUse
from service.http.reply import Reply
from tests.events.customer_store import CUSTOMER, STRANGER, TEST, CustomerStore
from tests.events.instrumented_log import InstrumentedLog

KEY = KeyUse(key="again", route="POST /v1/customers", fingerprint=b"\x01" * 32, request_id="req_1")
OK = Reply(200, b"{}")

Act = Callable[[UnitOfWork], Awaitable[Reply]]


def rename(unit: UnitOfWork, id: str, name: str) -> None:
    unit.do(CUSTOMER, id, UpdateCustomer(id=id, patch={"name": name}))


async def both(unit: UnitOfWork) -> Reply:
    """Give the second customer the first one's name, and the first another."""
    first = await unit.load(CUSTOMER, "cus_1")
    await unit.load(CUSTOMER, "cus_2")
    rename(unit, "cus_2", first.profile.name or "nobody")
    rename(unit, "cus_1", "moved on")
    return OK


@pytest.fixture
async def log() -> InstrumentedLog:
    return InstrumentedLog(MemoryLog())


@pytest.fixture
async def store(log: InstrumentedLog) -> CustomerStore:
    store = CustomerStore(log)
    await store.create("cus_1", name="one")
    await store.create("cus_2", name="two")
    log.appends = log.loads = 0
    return store


async def names(store: CustomerStore) -> list[str | None]:
    return [(await store.replayed(id)).profile.name for id in ("cus_1", "cus_2")]


async def test_what_a_unit_does_to_several_streams_is_one_append(store: CustomerStore, log: InstrumentedLog) -> None:
    assert await store.executor.transact(both, TEST) == OK
    assert await names(store) == ["moved on", "one"]
    assert (log.appends, log.loads) == (1, 2)
    assert [store.remembered(id) for id in ("cus_1", "cus_2")] == [
        await store.replayed(id) for id in ("cus_1", "cus_2")
    ]


async def test_commands_on_one_stream_follow_each_other(store: CustomerStore) -> None:
    async def act(unit: UnitOfWork) -> Reply:
        unit.begin(CUSTOMER, "cus_3")
        unit.do(CUSTOMER, "cus_3", CreateCustomer(id="cus_3", created=1, invoice_prefix="P3", patch={"name": "three"}))
        rename(unit, "cus_3", "trois")
        assert unit.state(CUSTOMER, "cus_3").profile.name == "trois"
        return OK

    await store.executor.transact(act, TEST)
    assert (await store.replayed("cus_3")).profile.name == "trois"
    assert len((await store.log.load("customer-cus_3")).records) == 2


async def test_a_refusal_leaves_nothing_of_the_unit(store: CustomerStore, log: InstrumentedLog) -> None:
    async def act(unit: UnitOfWork) -> Reply:
        await unit.load(CUSTOMER, "cus_1")
        rename(unit, "cus_1", "never")
        raise Refusal("no")

    with pytest.raises(Refusal, match="no"):
        await store.executor.transact(act, TEST)
    assert log.appends == 0
    assert (await store.replayed("cus_1")).profile.name == "one"


async def test_a_refusal_on_cached_states_is_decided_again_on_the_log(store: CustomerStore) -> None:
    other = CustomerStore(store.log)
    await other.update("cus_1", name="allowed")

    async def act(unit: UnitOfWork) -> Reply:
        state = await unit.load(CUSTOMER, "cus_1")
        if state.profile.name != "allowed":
            raise Refusal("not yet")
        rename(unit, "cus_1", "done")
        return OK

    await store.executor.transact(act, TEST)
    assert (await store.replayed("cus_1")).profile.name == "done"


async def test_a_unit_is_done_again_when_a_stream_it_only_read_was_changed_meanwhile(store: CustomerStore) -> None:
    other, tries = CustomerStore(store.log), 0

    async def act(unit: UnitOfWork) -> Reply:
        nonlocal tries
        tries += 1
        read = await unit.load(CUSTOMER, "cus_1")
        await unit.load(CUSTOMER, "cus_2")
        rename(unit, "cus_2", read.profile.name or "")
        if tries == 1:
            await other.update("cus_1", name="changed")
        return OK

    await store.executor.transact(act, TEST)
    assert await names(store) == ["changed", "changed"]
    assert tries == 2


async def test_what_others_keep_changing_is_a_lock_timeout(store: CustomerStore, log: InstrumentedLog) -> None:
    log.failures = [StaleStream("customer-cus_1", 1) for _ in range(100)]
    with pytest.raises(LockTimeout):
        await store.executor.transact(both, TEST)


async def test_units_that_share_streams_never_wait_for_each_other_in_a_ring(store: CustomerStore) -> None:
    def act(*order: str) -> Act:
        async def rename_both(unit: UnitOfWork) -> Reply:
            for id in order:
                state = await unit.load(CUSTOMER, id)
                rename(unit, id, f"{state.profile.name}.")
            return OK

        return rename_both

    streams = ["customer-cus_1", "customer-cus_2"]
    units = [
        store.executor.transact(act(*order), TEST, serialized_on=serialized_on)
        for _ in range(20)
        for order, serialized_on in ((("cus_1", "cus_2"), streams), (("cus_2", "cus_1"), streams[::-1]))
    ]
    async with asyncio.timeout(10):
        await asyncio.gather(*units)
    assert await names(store) == ["one" + "." * 40, "two" + "." * 40]


async def test_a_key_is_used_once_for_all_streams_together(store: CustomerStore) -> None:
    await store.executor.transact(both, TEST, record=KEY.receipt)
    with pytest.raises(AlreadyAnswered):
        await store.executor.transact(both, TEST, record=KEY.receipt)
    assert await names(store) == ["moved on", "one"]


async def test_a_unit_that_changes_nothing_stores_nothing_but_its_answer(
    store: CustomerStore, log: InstrumentedLog
) -> None:
    async def act(unit: UnitOfWork) -> Reply:
        await unit.load(CUSTOMER, "cus_1")
        return OK

    store.executor.forget("customer-cus_1")
    await store.executor.transact(act, TEST)
    assert log.appends == 0
    await store.executor.transact(act, TEST, record=KEY.receipt)
    kept = await store.log.receipt(Scope("acct_1", False), "again")
    assert kept is not None
    assert kept.body == OK.body


async def test_another_accounts_object_is_no_object(store: CustomerStore) -> None:
    async def act(unit: UnitOfWork) -> Reply:
        await unit.load(CUSTOMER, "cus_1")
        unit.do(CUSTOMER, "cus_1", DeleteCustomer(id="cus_1"))
        return OK

    with pytest.raises(Missing):
        await store.executor.transact(act, STRANGER)
    assert (await store.replayed("cus_1")).exists
