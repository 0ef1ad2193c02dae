"""What a Log promises, asked of the one in memory and of the one in Postgres alike."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import asyncpg
import pytest

from events import chain
from events.clock import FrozenClock
from events.commit import GroupCommit, NoReadModels
from events.database import create_pool
from events.errors import AlreadyAnswered, StaleStream
from events.log import Log, PostgresLog
from events.memory import MemoryLog
from events.record import Append, Record, Snapshot
from events.scope import Scope
from tests.events.appends import ORIGIN, after, append, note, receipt
from tests.events.customer_store import KEYS

OTHERS = [
    ORIGIN._replace(account="acct_2"),
    ORIGIN._replace(livemode=True),
]


class LogHarness(NamedTuple):
    """A log, and a way to have time go by for it."""

    log: Log
    pass_time: Callable[[timedelta], Awaitable[None]]


@pytest.fixture
def memory() -> LogHarness:
    clock = FrozenClock(datetime(2026, 6, 1, tzinfo=UTC))

    async def advance(by: timedelta) -> None:
        clock.advance(by)

    return LogHarness(MemoryLog(clock), advance)


@pytest.fixture
async def postgres(database: str) -> AsyncIterator[LogHarness]:
    commit = GroupCommit(database, NoReadModels())
    pool = await create_pool(database, application="test", size_max=2)

    async def age(by: timedelta) -> None:
        """Postgres keeps the time itself: what it noted is set back instead."""
        owner = await asyncpg.connect(database)
        try:
            moved = "SELECT DISTINCT ((answered_at - $1::interval) AT TIME ZONE 'UTC')::date AS day FROM events.receipt"
            await owner.execute(f"SELECT events.make_day('events.receipt', day) FROM ({moved}) AS moved", by)
            await owner.execute("UPDATE events.receipt SET answered_at = answered_at - $1::interval", by)
        finally:
            await owner.close()

    yield LogHarness(PostgresLog(commit, pool, KEYS), age)
    await commit.close()
    await pool.close()


@pytest.fixture(params=["memory", "postgres"])
def harness(request: pytest.FixtureRequest) -> LogHarness:
    given: LogHarness = request.getfixturevalue(request.param)
    return given


@pytest.fixture
def log(harness: LogHarness) -> Log:
    return harness.log


async def stream(log: Log, name: str = "note-1") -> list[Record]:
    return list((await log.load(name)).records)


async def everything(log: Log) -> list[str]:
    return [note(record) for record in await log.read(0, 1000)]


async def test_what_was_appended_is_what_is_loaded(log: Log) -> None:
    origin = ORIGIN._replace(idempotency_key="again", correlation_id="because", causation_id="therefore")
    item = append("note-1", 0, "a", "b", origin=origin, wrapped_key=b"wrapped")
    assert await log.append(item) == 1
    loaded = await log.load("note-1")
    assert loaded.wrapped_key == b"wrapped"
    assert [
        (record.position, record.version, record.type, record.schema_version, record.payload, record.hash)
        for record in loaded.records
    ] == [
        (position, draft.version, draft.type, draft.schema_version, draft.payload, draft.hash)
        for position, draft in enumerate(item.drafts, 1)
    ]
    assert {record.origin for record in loaded.records} == {origin}
    assert {record.stream for record in loaded.records} == {"note-1"}
    assert chain.first_break(loaded.records) is None


async def test_the_trace_of_an_append_is_not_kept_with_its_events(log: Log) -> None:
    traced = ORIGIN._replace(traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    await log.append(append("note-1", 0, "a", origin=traced))
    assert [record.origin for record in await stream(log)] == [ORIGIN]


async def test_a_stream_that_never_was_is_empty(log: Log) -> None:
    loaded = await log.load("note-1")
    assert (list(loaded.records), loaded.wrapped_key) == ([], None)


async def test_a_stream_is_loaded_from_a_version_on(log: Log) -> None:
    await log.append(append("note-1", 0, "a", "b", "c"))
    assert [note(record) for record in (await log.load("note-1", 1)).records] == ["b", "c"]
    assert list((await log.load("note-1", 3)).records) == []


CODE, OTHER_CODE = b"\x01" * 32, b"\x02" * 32  # digests of folding code


def kept(item: Append, body: bytes = b"state", code: bytes = CODE) -> Append:
    """The append with a snapshot of the stream as it leaves it."""
    return item._replace(snapshot=Snapshot(code, item.expected + len(item.drafts), body))


async def test_a_state_is_loaded_from_its_snapshot_and_the_records_after_it(log: Log) -> None:
    await log.append(kept(append("note-1", 0, "a", "b", wrapped_key=b"wrapped")))
    await log.append(after(await stream(log), "c", "d"))
    loaded = await log.load_state("note-1", CODE)
    assert loaded.snapshot == Snapshot(CODE, 2, b"state")
    assert list(loaded.records) == (await stream(log))[2:]
    assert loaded.wrapped_key == b"wrapped"


async def test_a_state_without_a_later_record_is_its_snapshot_alone(log: Log) -> None:
    await log.append(kept(append("note-1", 0, "a", wrapped_key=b"wrapped")))
    loaded = await log.load_state("note-1", CODE)
    assert (list(loaded.records), loaded.wrapped_key) == ([], b"wrapped")
    assert loaded.snapshot == Snapshot(CODE, 1, b"state")


async def test_without_a_snapshot_a_state_is_loaded_from_all_records(log: Log) -> None:
    await log.append(append("note-1", 0, "a", "b", wrapped_key=b"wrapped"))
    assert await log.load_state("note-1", CODE) == await log.load("note-1")


async def test_a_state_of_a_stream_that_never_was_is_empty(log: Log) -> None:
    loaded = await log.load_state("note-1", CODE)
    assert (list(loaded.records), loaded.wrapped_key, loaded.snapshot) == ([], None, None)


async def test_a_snapshot_is_for_the_code_that_folded_it_alone(log: Log) -> None:
    await log.append(kept(append("note-1", 0, "a"), b"of one"))
    await log.append(kept(after(await stream(log), "b"), b"of the other", OTHER_CODE))
    one, other = [await log.load_state("note-1", code) for code in (CODE, OTHER_CODE)]
    assert (one.snapshot, other.snapshot) == (Snapshot(CODE, 1, b"of one"), Snapshot(OTHER_CODE, 2, b"of the other"))
    assert [note(record) for record in one.records] == ["b"]
    assert list(other.records) == []


async def test_a_snapshot_is_of_its_stream_alone(log: Log) -> None:
    await log.append(kept(append("note-1", 0, "a")))
    await log.append(append("note-2", 0, "b"))
    loaded = await log.load_state("note-2", CODE)
    assert (loaded.snapshot, [note(record) for record in loaded.records]) == (None, ["b"])


async def test_a_later_snapshot_replaces_the_earlier_one(log: Log) -> None:
    await log.append(kept(append("note-1", 0, "a"), b"earlier"))
    await log.append(kept(after(await stream(log), "b"), b"later"))
    loaded = await log.load_state("note-1", CODE)
    assert (loaded.snapshot, list(loaded.records)) == (Snapshot(CODE, 2, b"later"), [])


async def test_a_stale_append_leaves_no_snapshot(log: Log) -> None:
    await log.append(append("note-1", 0, "a", "b"))
    with pytest.raises(StaleStream):
        await log.append(kept(append("note-1", 1, "c")))
    loaded = await log.load_state("note-1", CODE)
    assert (loaded.snapshot, [note(record) for record in loaded.records]) == (None, ["a", "b"])


async def test_an_append_with_another_keeps_a_snapshot_of_its_own_stream(log: Log) -> None:
    leader, other = kept(append("note-1", 0, "a"), b"one"), kept(append("note-2", 0, "b", "c"), b"two")
    await log.append(together(leader, other))
    assert (await log.load_state("note-1", CODE)).snapshot == Snapshot(CODE, 1, b"one")
    assert (await log.load_state("note-2", CODE)).snapshot == Snapshot(CODE, 2, b"two")


async def test_of_a_group_with_a_stale_stream_no_snapshot_is_kept(log: Log) -> None:
    await log.append(append("note-1", 0, "a"))
    with pytest.raises(StaleStream):
        await log.append(together(kept(append("note-2", 0, "b")), append("note-1", 0, "c")))
    assert (await log.load_state("note-2", CODE)).snapshot is None


async def test_positions_count_over_all_streams_without_a_gap(log: Log) -> None:
    assert await log.append(append("note-1", 0, "a", "b")) == 1
    assert await log.append(append("note-2", 0, "c")) == 3
    assert await log.append(after(await stream(log, "note-1"), "d")) == 4
    assert [record.position for record in await log.read(0, 10)] == [1, 2, 3, 4]
    assert await everything(log) == ["a", "b", "c", "d"]


async def test_reading_goes_on_above_a_position_by_as_many_as_asked(log: Log) -> None:
    await log.append(append("note-1", 0, *"abcde"))
    assert [note(record) for record in await log.read(1, 2)] == ["b", "c"]
    assert [note(record) for record in await log.read(4, 10)] == ["e"]
    assert list(await log.read(5, 10)) == []
    assert list(await log.read(99, 10)) == []


async def test_the_second_writer_is_stale(log: Log) -> None:
    await log.append(append("note-1", 0, "a"))
    records = await stream(log)
    await log.append(after(records, "first"))
    with pytest.raises(StaleStream) as caught:
        await log.append(after(records, "second"))
    assert (caught.value.stream, caught.value.expected) == ("note-1", 1)
    assert await everything(log) == ["a", "first"]


@pytest.mark.parametrize("expected", [0, 1, 3, 99])
async def test_an_append_at_any_version_but_the_right_one_is_stale(log: Log, expected: int) -> None:
    await log.append(append("note-1", 0, "a", "b"))
    with pytest.raises(StaleStream):
        await log.append(append("note-1", expected, "c"))
    assert await everything(log) == ["a", "b"]


async def test_a_stream_does_not_begin_in_the_future(log: Log) -> None:
    with pytest.raises(StaleStream):
        await log.append(append("note-1", 1, "a"))
    assert await log.append(append("note-1", 0, "a")) == 1, "a refused append uses up no position"


async def test_of_many_who_begin_a_stream_at_once_one_does(log: Log) -> None:
    outcomes = await asyncio.gather(
        *(log.append(append("note-1", 0, str(number))) for number in range(20)), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes].count(StaleStream) == 19
    [winner] = [number for number, outcome in enumerate(outcomes) if outcome == 1]
    assert await everything(log) == [str(winner)]


async def test_appends_of_many_tasks_are_each_whole_and_each_know_their_position(log: Log) -> None:
    items = [
        append(f"note-{number}", 0, *(f"{number}.{part}" for part in range(number % 4 + 1))) for number in range(60)
    ]
    positions = await asyncio.gather(*map(log.append, items))
    records = await log.read(0, 1000)
    assert [record.position for record in records] == list(range(1, len(records) + 1))
    for item, first in zip(items, positions, strict=True):
        assert first is not None
        stored = records[first - 1 : first - 1 + len(item.drafts)]
        assert [record.hash for record in stored] == [draft.hash for draft in item.drafts]


async def test_a_stale_append_leaves_no_receipt_and_no_key(log: Log) -> None:
    with pytest.raises(StaleStream):
        await log.append(append("note-1", 4, "a", receipt=receipt("again"), wrapped_key=b"wrapped"))
    assert await log.receipt(Scope("acct_1", False), "again") is None
    await log.append(append("note-1", 0, "a"))
    assert (await log.load("note-1")).wrapped_key is None


async def test_an_answer_is_kept_with_the_events_it_was_given_for(log: Log) -> None:
    kept = receipt("again", body=b'{\n  "id": "cus_1"\n}', status=200)
    await log.append(append("note-1", 0, "a", receipt=kept))
    assert await log.receipt(Scope("acct_1", False), "again") == kept


async def test_an_append_without_events_leaves_only_its_receipt(log: Log) -> None:
    assert await log.append(append("refusal-1", 0, receipt=receipt("again", status=404))) is None
    kept = await log.receipt(Scope("acct_1", False), "again")
    assert kept is not None
    assert kept.status == 404
    assert await everything(log) == []
    assert await log.append(append("note-1", 0, "a")) == 1


async def test_a_key_that_was_answered_appends_nothing_more(log: Log) -> None:
    await log.append(append("note-1", 0, "a", receipt=receipt("again")))
    with pytest.raises(AlreadyAnswered) as caught:
        await log.append(append("note-2", 0, "b", receipt=receipt("again", body=b"other")))
    assert caught.value.key == "again"
    assert await everything(log) == ["a"]
    assert await log.receipt(Scope("acct_1", False), "again") == receipt("again")


async def test_a_key_that_was_answered_is_reported_as_used_even_when_the_stream_moved_on(log: Log) -> None:
    await log.append(append("note-1", 0, "a", receipt=receipt("again")))
    with pytest.raises(AlreadyAnswered):
        await log.append(append("note-1", 0, "a", receipt=receipt("again")))


async def test_of_many_appends_under_one_key_one_is_stored(log: Log) -> None:
    outcomes = await asyncio.gather(
        *(log.append(append(f"note-{number}", 0, str(number), receipt=receipt("again"))) for number in range(50)),
        return_exceptions=True,
    )
    assert [type(outcome) for outcome in outcomes].count(AlreadyAnswered) == 49
    assert len(await everything(log)) == 1


@pytest.mark.parametrize("origin", OTHERS, ids=["another account", "the other mode"])
async def test_keys_of_other_accounts_and_modes_are_other_keys(log: Log, origin: object) -> None:
    await log.append(append("note-1", 0, "a", receipt=receipt("again", body=b"mine")))
    await log.append(append("note-2", 0, "b", receipt=receipt("again", body=b"theirs"), origin=origin))  # type: ignore[arg-type]  # an Origin
    mine = await log.receipt(Scope("acct_1", False), "again")
    assert mine is not None
    assert mine.body == b"mine"


async def test_a_key_nobody_used_has_no_answer(log: Log) -> None:
    assert await log.receipt(Scope("acct_1", False), "never") is None


async def test_an_answer_is_kept_for_24_hours(harness: LogHarness) -> None:
    await harness.log.append(append("note-1", 0, "a", receipt=receipt("again")))
    await harness.pass_time(timedelta(hours=23, minutes=59))
    assert await harness.log.receipt(Scope("acct_1", False), "again") == receipt("again")
    with pytest.raises(AlreadyAnswered):
        await harness.log.append(append("note-2", 0, "b", receipt=receipt("again")))


async def test_after_24_hours_a_key_may_be_used_anew(harness: LogHarness) -> None:
    await harness.log.append(append("note-1", 0, "a", receipt=receipt("again", body=b"old")))
    await harness.pass_time(timedelta(hours=24, seconds=1))
    assert await harness.log.receipt(Scope("acct_1", False), "again") is None
    await harness.log.append(append("note-2", 0, "b", receipt=receipt("again", body=b"new")))
    kept = await harness.log.receipt(Scope("acct_1", False), "again")
    assert kept is not None
    assert kept.body == b"new"


async def test_text_of_every_script_comes_back_as_it_went(log: Log) -> None:
    origin = ORIGIN._replace(actor="ключ_😀", idempotency_key="'; DROP TABLE events.log; --")
    await log.append(append("note-😀", 0, "\\N\n\t\"{}'", origin=origin))
    [record] = await stream(log, "note-😀")
    assert record.origin == origin
    assert note(record) == "\\N\n\t\"{}'"


def together(leader: Append, *beside: Append) -> Append:
    return leader._replace(with_=beside)


async def test_what_stands_together_is_stored_together_in_order(log: Log) -> None:
    group = together(append("note-1", 0, "a", "b"), append("note-2", 0, "c"), append("note-3", 0, "d"))
    first, alone = await asyncio.gather(log.append(group), log.append(append("note-4", 0, "e")))
    assert {first, alone} in ({1, 5}, {1, 2})
    order = await everything(log)
    assert [one for one in order if one != "e"] == ["a", "b", "c", "d"]
    assert order.index("d") - order.index("a") == 3
    for name in ("note-1", "note-2", "note-3"):
        assert chain.first_break(await stream(log, name)) is None


@pytest.mark.parametrize("stale", ["leader", "neighbour"])
async def test_one_stale_stream_has_its_whole_group_refused_and_nobody_else(log: Log, stale: str) -> None:
    await log.append(append("note-1", 0, "first"))
    good, bad = append("note-2", 0, "a"), append("note-1", 0, "b")
    group = together(bad, good) if stale == "leader" else together(good, bad)
    outcomes = await asyncio.gather(
        log.append(append("note-8", 0, "x")),
        log.append(group._replace(receipt=receipt("again"))),
        log.append(append("note-9", 0, "y")),
        return_exceptions=True,
    )
    assert [type(outcome) for outcome in outcomes] == [int, StaleStream, int]
    assert await everything(log) == ["first", "x", "y"]
    assert await log.receipt(Scope("acct_1", False), "again") is None


async def test_a_group_whose_key_has_an_answer_is_reported_as_used_even_when_it_is_stale(log: Log) -> None:
    group = together(append("note-1", 0, "a")._replace(receipt=receipt("again")), append("note-2", 0, "b"))
    await log.append(group)
    with pytest.raises(AlreadyAnswered):
        await log.append(group)
    assert await everything(log) == ["a", "b"]


async def test_an_append_without_events_checks_the_version_of_its_stream(log: Log) -> None:
    await log.append(append("note-1", 0, "a"))
    await log.append(together(append("note-2", 0, "b"), append("note-1", 1)))
    with pytest.raises(StaleStream):
        await log.append(together(append("note-3", 0, "c"), append("note-1", 2)))
    assert await everything(log) == ["a", "b"]
    assert [record.version for record in await stream(log)] == [1]


async def test_groups_that_share_a_stream_go_one_after_another(log: Log) -> None:
    """Each counts on the shared stream at version 0: one is right."""
    groups = [together(append(f"note-{n}", 0, str(n)), append("shared", 0, f"s{n}")) for n in range(1, 21)]
    outcomes = await asyncio.gather(*(log.append(group) for group in groups), return_exceptions=True)
    assert sum(isinstance(outcome, int) for outcome in outcomes) == 1
    assert len(await everything(log)) == 2
