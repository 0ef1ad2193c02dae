"""Key rotation: all that the old master key sealed is sealed by the new one, and the old one seals nothing any more."""

import asyncio
import re
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from events import master_key
from events.keys import DIGEST_PURPOSES, MasterKeys
from events.master_key import RetiredMasterKey, WrongMasterKey
from events.receipts import day_context
from events.rewrap import BATCH_MAX, Batch, NotRotated, SealedSnapshots, WrappedKeys, known, rotate
from events.snapshots import context
from tests.waiting import until

OLD, NEW, NEWEST = (bytes([number]) * 32 for number in (1, 2, 3))
TABLES = (WrappedKeys(), SealedSnapshots())


@pytest.fixture
async def service(database: str) -> Any:
    connection = await asyncpg.connect(database, server_settings={"role": "rollbook_service"})
    yield connection
    await connection.close()


async def verified(service: Any, *secrets: bytes) -> MasterKeys:
    keys = MasterKeys(*secrets)
    async with service.transaction():
        await master_key.verify(service, keys)
    return keys


async def fill(service: Any, keys: MasterKeys, number: int = 3) -> dict[str, bytes]:
    """Streams with keys, and the key of a day; gives the secrets of the streams."""
    streams = [f"customer-cus_{each:05}" for each in range(number)]
    minted = {stream: keys.mint(stream) for stream in streams}
    wrapped = [wrapped for _, wrapped in minted.values()]
    await service.execute("INSERT INTO keys.subject SELECT * FROM unnest($1::text[], $2::bytea[])", streams, wrapped)
    day = await service.fetchval("SELECT current_date")
    sealed = keys.seal(bytes(32), day_context(day.toordinal()))
    await service.execute("INSERT INTO keys.receipt_day VALUES ($1, $2) ON CONFLICT DO NOTHING", day, sealed)
    return {stream: key.secret for stream, (key, _) in minted.items()}


async def rotated(service: Any, keys: MasterKeys) -> int:
    return sum([rows async for rows in rotate(service, keys, TABLES)])


async def test_what_the_old_key_sealed_is_sealed_by_the_new_one_and_the_old_one_is_needed_no_more(
    service: Any,
) -> None:
    old = await verified(service, OLD)
    secrets = await fill(service, old, BATCH_MAX + 1)
    both = await verified(service, NEW, OLD)
    assert await rotated(service, both) == BATCH_MAX + 1 + 1 + len(DIGEST_PURPOSES)
    new = await verified(service, NEW)
    rows = await service.fetch("SELECT stream, wrapped FROM keys.subject")
    assert {row["stream"]: new.unwrap(row["wrapped"], row["stream"]).secret for row in rows} == secrets
    assert await rotated(service, new) == 0, "there is nothing left to do"
    [first, second] = await known(service, new, TABLES)
    assert (first.name, first.counts, second.name) == (old.names[0], (), new.names[0])
    assert {(count.what, count.number) for count in second.counts} == {
        ("keys of streams", BATCH_MAX + 1),
        ("keys of days", 1),
        ("digest secrets", len(DIGEST_PURPOSES)),
    }


async def test_snapshots_of_streams_without_a_key_are_sealed_anew_or_dropped(service: Any) -> None:
    old = await verified(service, OLD)
    whole = old.seal(b"state", context("coupon-1", 7, b"code"))
    insert = "INSERT INTO events.snapshot VALUES ($1, 'code', 7, now(), $2)"
    for stream, body in (("coupon-1", whole), ("coupon-2", whole), ("customer-cus_1", old.names[0] + bytes(40))):
        await service.execute(insert, stream, body)
    await service.execute("INSERT INTO keys.subject VALUES ($1, $2)", "customer-cus_1", old.mint("customer-cus_1")[1])
    await rotated(service, await verified(service, NEW, OLD))
    kept = {row["stream"]: row["body"] for row in await service.fetch("SELECT stream, body FROM events.snapshot")}
    assert MasterKeys(NEW).unseal(kept.pop("coupon-1"), context("coupon-1", 7, b"code")) == b"state"
    assert kept == {"customer-cus_1": old.names[0] + bytes(40)}, "one of a stream with a key is none of ours"


async def test_digests_stay_the_same_in_every_order_of_keys_and_without_the_old_one(service: Any) -> None:
    before = MasterKeys(OLD).digest("fingerprint", b"4242")  # of a process of the release before
    for keys in ((OLD,), (OLD, NEW), (NEW, OLD)):
        assert (await verified(service, *keys)).digest("fingerprint", b"4242") == before
    await rotated(service, await verified(service, NEW, OLD))
    assert (await verified(service, NEW)).digest("fingerprint", b"4242") == before
    await rotated(service, await verified(service, NEWEST, NEW))
    assert (await verified(service, NEWEST)).digest("fingerprint", b"4242") == before
    for row in await service.fetch("SELECT purpose, wrapped FROM keys.digest"):
        stored = MasterKeys(NEWEST).unseal(row["wrapped"], master_key.digest_context(row["purpose"]))
        assert stored != OLD, "it gives no master key away"


@pytest.mark.parametrize("given", [(OLD, NEW), (NEW, OLD)])
async def test_a_database_that_was_rotated_by_an_earlier_release_keeps_the_digests_of_its_first_key(
    service: Any, owner: asyncpg.Connection, given: tuple[bytes, ...]
) -> None:
    """There the verifier of the new key may be the only one: the first stream says which key was first."""
    stream = "customer-cus_1"
    await owner.execute("SELECT events.extend_log(1)")
    await owner.execute(
        "INSERT INTO events.log VALUES (1, $1, 1, 'acct_1', false, 'customer.created', 1, '', '', now(), 'x')", stream
    )
    await service.execute("INSERT INTO keys.subject VALUES ($1, $2)", stream, MasterKeys(OLD).mint(stream)[1])
    new = MasterKeys(NEW)
    await service.execute(master_key.REGISTER, new.names[0], new.seal(master_key.TEXT, master_key.CONTEXT))
    keys = await verified(service, *given)
    assert keys.digest("fingerprint", b"4242") == MasterKeys(OLD).digest("fingerprint", b"4242")


async def test_a_retired_key_is_refused_by_the_database_whoever_seals_with_it(service: Any) -> None:
    await verified(service, OLD)
    running = await verified(service, OLD, NEW)
    await rotated(service, await verified(service, NEW, OLD))
    for statement, id in (
        ("subject", "customer-cus_1"),
        ("receipt_day", await service.fetchval("SELECT current_date")),
    ):
        with pytest.raises(asyncpg.PostgresError, match=f"{running.names[0].hex()} is retired") as caught:
            await service.execute(f"INSERT INTO keys.{statement} VALUES ($1, $2)", id, running.mint("x")[1])
        assert caught.value.sqlstate == "RB001"
    for keys in ((OLD,), (OLD, NEW)):
        with pytest.raises((RetiredMasterKey, WrongMasterKey)):
            await verified(service, *keys)
    with pytest.raises(RetiredMasterKey):
        await master_key.require_sealing(service, running)
    await master_key.require_sealing(service, MasterKeys(NEW))


async def test_nothing_is_retired_while_a_process_seals_with_the_old_key(service: Any, database: str) -> None:
    old = await verified(service, OLD)
    await fill(service, old)
    both = await verified(service, NEW, OLD)
    rotating = rotate(service, both, (WrappedKeys(), _Meanwhile(database, old), SealedSnapshots()))
    with pytest.raises(
        NotRotated, match=f"1 keys or secrets were sealed by the master key {old.names[0].hex()} during"
    ):
        async for _ in rotating:
            pass
    assert [row async for row in rotate(service, both, TABLES)], "it may be run again"
    await verified(service, NEW)


class _Meanwhile(SealedSnapshots):
    """No table: a customer is created while the others are gone through."""

    def __init__(self, database: str, keys: MasterKeys) -> None:
        super().__init__()
        self._database, self._keys = database, keys

    async def counts(self, connection: Any, names: Any) -> Any:
        return []

    async def reseal(self, connection: Any, keys: MasterKeys) -> Any:
        other = await asyncpg.connect(self._database)
        await other.execute(
            "INSERT INTO keys.subject VALUES ('customer-cus_', $1)", self._keys.mint("customer-cus_")[1]
        )
        await other.close()
        yield Batch(0)


async def test_a_stream_that_is_erased_meanwhile_stays_erased(service: Any, database: str) -> None:
    old = await verified(service, OLD)
    await fill(service, old)
    both = await verified(service, NEW, OLD)
    other = await asyncpg.connect(database)
    async with other.transaction():
        await other.execute("DELETE FROM keys.subject WHERE stream = 'customer-cus_00001'")
        rotating = asyncio.create_task(rotated(service, both))
        waiting = "SELECT true FROM pg_locks WHERE pid = $1 AND NOT granted"
        await until(lambda: other.fetchval(waiting, service.get_server_pid()))
    await rotating
    await other.close()
    assert [row["stream"] for row in await service.fetch("SELECT stream FROM keys.subject ORDER BY 1")] == [
        "customer-cus_00000",
        "customer-cus_00002",
    ]


async def test_a_key_that_does_not_unseal_keeps_the_old_one_in_use(service: Any) -> None:
    await fill(service, await verified(service, OLD))
    both = await verified(service, NEW, OLD)
    await service.execute("UPDATE keys.subject SET wrapped = wrapped || '\\x00' WHERE stream = 'customer-cus_00001'")
    with pytest.raises(NotRotated, match="1 keys or secrets cannot be unsealed: customer-cus_00001: does not unseal"):
        await rotated(service, both)
    with pytest.raises(WrongMasterKey):
        await verified(service, NEW)


async def test_what_was_sealed_by_a_key_that_was_not_given_is_said(service: Any) -> None:
    stray = MasterKeys(NEWEST)
    await fill(service, await verified(service, OLD))
    await service.execute("INSERT INTO keys.subject VALUES ('customer-cus_9', $1)", stray.mint("customer-cus_9")[1])
    with pytest.raises(NotRotated, match=f"1 keys or secrets are sealed by the master key {stray.names[0].hex()}"):
        await rotated(service, await verified(service, NEW, OLD))


async def test_the_newest_key_has_to_be_the_first(service: Any) -> None:
    await verified(service, OLD)
    await verified(service, NEW, OLD)
    with pytest.raises(NotRotated, match="is older than"):
        await rotated(service, await verified(service, OLD, NEW))


async def test_two_rotations_do_not_run_at_once(service: Any, owner: asyncpg.Connection) -> None:
    await verified(service, OLD)
    both = await verified(service, NEW, OLD)
    first = rotate(service, both, TABLES)
    await anext(first)
    with pytest.raises(NotRotated, match="Another rotation"):
        await rotated(owner, both)
    assert isinstance(first, AsyncGenerator)
    await first.aclose()
    await rotated(owner, both)


def test_whatever_a_master_key_seals_is_sealed_anew_by_a_rotation() -> None:
    """Another use of MasterKeys.seal needs a table among those of webhooks/endpoints/rewrap.py, and then a row here."""
    root = Path(__file__).parents[2]
    used = re.compile(r"(?:master_keys|\bkeys)\.(?:seal|mint|wrap)\(")
    files = (
        file for package in ("events", "projections", "webhooks", "service") for file in (root / package).rglob("*.py")
    )
    assert {str(file.relative_to(root)) for file in files if used.search(file.read_text())} == {
        "events/master_key.py",  # keys.digest, and the verifiers, which stay
        "events/receipts.py",  # keys.receipt_day
        "events/snapshots.py",  # events.snapshot
        "events/unit_of_work.py",  # keys.subject
        "webhooks/endpoints/projection.py",  # projections.resource, webhooks.endpoint
    }
