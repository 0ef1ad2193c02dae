"""The master key's verifier: who is let in, with which keys, and who is not."""

import asyncio
import os

import asyncpg
import pytest

from events import master_key
from events.keys import MasterKeys
from events.master_key import WrongMasterKey

OLD, NEW, OTHER = (bytes([number]) * 32 for number in (1, 2, 3))


async def verify(database: str, *secrets: bytes) -> None:
    connection = await asyncpg.connect(database, server_settings={"role": "rollbook_service"})
    try:
        async with connection.transaction():
            await master_key.verify(connection, MasterKeys(*secrets))
    finally:
        await connection.close()


async def registered(owner: asyncpg.Connection) -> set[bytes]:
    return {row["name"] for row in await owner.fetch("SELECT name FROM keys.master")}


async def seal_one(
    owner: asyncpg.Connection, *secrets: bytes, stream: str = "customer-cus_1", position: int = 1
) -> None:
    """Put a stream with a key into the log, as earlier releases left it."""
    await owner.execute("SELECT events.extend_log($1)", position)
    await owner.execute(
        "INSERT INTO events.log VALUES ($1, $2, 1, 'acct_1', false, 'customer.created', 1, '', '', now(), 'system')",
        position,
        stream,
    )
    await owner.execute("INSERT INTO keys.subject VALUES ($1, $2)", stream, MasterKeys(*secrets).mint(stream)[1])


async def test_the_first_key_is_registered_and_no_other_is_let_in_after_it(
    database: str, owner: asyncpg.Connection
) -> None:
    await verify(database, OLD)
    await verify(database, OLD)
    with pytest.raises(WrongMasterKey, match="ROLLBOOK_MASTER_KEY: .*" + MasterKeys(OLD).names[0].hex()):
        await verify(database, OTHER)
    assert await registered(owner) == set(MasterKeys(OLD).names)


async def test_a_new_key_is_let_in_together_with_the_old_one_and_from_then_on_both_are_needed(
    database: str, owner: asyncpg.Connection
) -> None:
    await verify(database, OLD)
    await verify(database, OLD, NEW)
    assert await registered(owner) == set(MasterKeys(OLD).names), "nothing is sealed with a key that comes second"
    with pytest.raises(WrongMasterKey):
        await verify(database, NEW)
    with pytest.raises(WrongMasterKey):
        await verify(database, NEW, OTHER)
    await verify(database, NEW, OLD)
    assert await registered(owner) == set(MasterKeys(NEW, OLD).names)
    for keys in ((OLD,), (NEW,)):
        with pytest.raises(WrongMasterKey):
            await verify(database, *keys)
    await verify(database, OLD, NEW)


async def test_of_processes_that_start_at_once_with_different_keys_one_is_let_in(
    database: str, owner: asyncpg.Connection
) -> None:
    keys = [os.urandom(32) for _ in range(8)]
    came = await asyncio.gather(*(verify(database, key) for key in keys), return_exceptions=True)
    assert sorted(type(each).__name__ for each in came) == ["NoneType"] + ["WrongMasterKey"] * 7
    [name] = await registered(owner)
    assert name == MasterKeys(keys[came.index(None)]).names[0]


async def test_a_database_of_an_earlier_release_takes_the_key_that_sealed_its_first_stream(
    database: str, owner: asyncpg.Connection
) -> None:
    await seal_one(owner, OLD)
    await seal_one(owner, OTHER, stream="customer-cus_2", position=2)  # by a mistyped key, before there was a verifier
    with pytest.raises(WrongMasterKey, match=MasterKeys(OLD).names[0].hex()):
        await verify(database, OTHER)
    assert await registered(owner) == set()
    await verify(database, OLD, OTHER)
    assert await registered(owner) == set(MasterKeys(OLD).names)


async def test_a_key_of_the_same_name_does_not_pass_for_another(database: str, owner: asyncpg.Connection) -> None:
    await verify(database, OLD)
    await owner.execute("UPDATE keys.master SET verifier = substring(verifier FROM 1 FOR 10) || '\\x00'")
    with pytest.raises(WrongMasterKey):
        await verify(database, OLD)


async def test_the_verifier_is_no_more_than_a_sealed_text(database: str, owner: asyncpg.Connection) -> None:
    await verify(database, OLD)
    verifier = await owner.fetchval("SELECT verifier FROM keys.master")
    assert OLD not in verifier
    assert len(verifier) == 4 + 12 + len(master_key.TEXT) + 16  # name, nonce, ciphertext, tag
    assert MasterKeys(OLD).unseal(verifier, master_key.CONTEXT) == master_key.TEXT
