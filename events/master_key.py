"""The verifier of master keys: checks at startup that a process has the keys that encrypted the database's data.

The first process registers the key that it encrypts with, as a known text encrypted by it, which reveals nothing of the
key. Every later process must have all registered keys, and registers the one it encrypts with. So a rotation to a new
key works only together with the older keys, until `rollbook master-key rotate` has retired these; and a mistyped key is
found before anything is encrypted with it.

The database also keeps the secrets of keyed digests, sealed by a master key: the first process derives them from the
key that the database was made with, every other adopts them.
"""

from typing import Any

from events.errors import DatabaseUnsuitable
from events.keys import DIGEST_PURPOSES, MasterKeys

CONTEXT = "master key verifier"
TEXT = b"rollbook"
REGISTER_LOCK = 0x0_7011_B00D

REGISTERED = "SELECT name, verifier, retired_at, emptied_at FROM keys.master ORDER BY registered_at, name"
REGISTER = "INSERT INTO keys.master (name, verifier) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING"
# The first wrapped key in the log: it was encrypted with the key that the database was created with.
FIRST_SEALED = """
SELECT k.wrapped, k.stream FROM events.log l JOIN keys.subject k ON k.stream = l.stream ORDER BY l.position LIMIT 1
"""


DIGESTS = "SELECT purpose, wrapped FROM keys.digest"
ADD_DIGEST = "INSERT INTO keys.digest (purpose, wrapped) VALUES ($1, $2) ON CONFLICT (purpose) DO NOTHING"
# From the catalogs, for roles that may not use the schema.
KEY_TABLES = """
SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'keys' AND c.relkind = 'r'
"""
TABLES = frozenset({"digest", "master", "receipt_day", "subject"})
NO_KEYS = "SELECT NOT EXISTS (SELECT FROM keys.master) AND NOT EXISTS (SELECT FROM keys.subject)"
# Of many a log has one among its first events; where all of them are plain there is nothing to miss.
SEALED_EVENT = """
SELECT true FROM events.log WHERE position <= 1000 AND position('"sealed":"'::bytea IN payload) > 0 LIMIT 1
"""
RETIRED = "SELECT true FROM keys.master WHERE name = $1 AND retired_at IS NOT NULL"


class WrongMasterKey(DatabaseUnsuitable):
    """The process lacks a master key that data in the database is encrypted with."""

    def __init__(self, missing: bytes, given: tuple[bytes, ...]) -> None:
        super().__init__(
            f"ROLLBOOK_MASTER_KEY: this database holds data sealed with the master key {missing.hex()}, and we were "
            f"given {', '.join(name.hex() for name in given)}: set that key; to change keys set both, NEW,OLD",
            state="ROLLBOOK_MASTER_KEY is not the one that this database was made with",
        )


class RetiredMasterKey(DatabaseUnsuitable):
    """The process would encrypt with a master key that was retired."""

    def __init__(self, name: bytes) -> None:
        super().__init__(
            f"ROLLBOOK_MASTER_KEY: its first key, {name.hex()}, was retired by `rollbook master-key rotate`: put the "
            "new one first",
            state="ROLLBOOK_MASTER_KEY begins with a retired key",
        )


class MissingKeys(DatabaseUnsuitable):
    """The database was restored without its keys."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"The database was restored without its keys ({what}), and what they seal cannot be read: restore the dump "
            "of the schema keys too (pg_dump --schema=keys)",
            state="restored without keys",
        )


def digest_context(purpose: str) -> str:
    """What the secret of a purpose is sealed for."""
    return f"digest {purpose}"


async def require_keys(connection: Any) -> None:
    """Check that a migrated database has its keys: a backup may leave them out. Raises MissingKeys."""
    found = {row["relname"] for row in await connection.fetch(KEY_TABLES)}
    if missing := sorted(TABLES - found):
        raise MissingKeys("the schema keys is not there" if not found else f"keys.{missing[0]} is not there")
    if await connection.fetchval(NO_KEYS) and await connection.fetchval(SEALED_EVENT):
        raise MissingKeys("the tables of the schema keys are empty")


async def verify(connection: Any, keys: MasterKeys) -> None:
    """Check the master keys against the database; the first one is registered where it is new, and the secrets of
    digests are adopted. One transaction.

    Of processes that start at once over a new database with different keys exactly one is accepted.
    Raises WrongMasterKey or RetiredMasterKey, having written nothing.
    """
    if not await _is_registered(connection, keys):
        await connection.execute("SELECT pg_advisory_xact_lock($1)", REGISTER_LOCK)
        if not await _is_registered(connection, keys):
            await connection.execute(REGISTER, keys.names[0], keys.seal(TEXT, CONTEXT))
    secrets = await _digest_secrets(connection, keys)
    if missing := [purpose for purpose in DIGEST_PURPOSES if purpose not in secrets]:
        first = await _first(connection, keys)
        for purpose in missing:
            wrapped = keys.seal(keys.digest_secret(purpose, first), digest_context(purpose))
            await connection.execute(ADD_DIGEST, purpose, wrapped)
        secrets = await _digest_secrets(connection, keys)
    keys.adopt_digest_secrets(secrets)


async def require_sealing(connection: Any, keys: MasterKeys) -> None:
    """Check that the key that a running process encrypts with is not retired. Raises RetiredMasterKey."""
    if await connection.fetchval(RETIRED, keys.names[0]):
        raise RetiredMasterKey(keys.names[0])


async def _digest_secrets(connection: Any, keys: MasterKeys) -> dict[str, bytes]:
    found = {}
    for row in await connection.fetch(DIGESTS):
        context = digest_context(row["purpose"])
        if not keys.opens(row["wrapped"], context):
            raise WrongMasterKey(MasterKeys.name_of(row["wrapped"]), keys.names)
        found[row["purpose"]] = keys.unseal(row["wrapped"], context)
    return found


async def _first(connection: Any, keys: MasterKeys) -> bytes:
    """The name of the key that the database was made with, which earlier releases made digests with.

    In `OLD,NEW` that one comes first and in `NEW,OLD` last, so the order does not say which it is.
    """
    sealed = [MasterKeys.name_of(row["wrapped"]) for row in await connection.fetch(FIRST_SEALED)]
    registered = [row["name"] for row in await connection.fetch(REGISTERED)]
    return next((name for name in (*sealed, *registered) if name in keys.names), keys.names[-1])


async def _is_registered(connection: Any, keys: MasterKeys) -> bool:
    """Whether the key that is sealed with is known. Raises WrongMasterKey when another that is known was not given."""
    rows = await connection.fetch(REGISTERED)
    for row in rows:
        if row["emptied_at"] is None and not keys.opens(row["verifier"], CONTEXT):
            raise WrongMasterKey(row["name"], keys.names)
        if row["retired_at"] is not None and row["name"] == keys.names[0]:
            raise RetiredMasterKey(row["name"])
    if not rows:  # a database of an earlier release, or a new one
        for row in await connection.fetch(FIRST_SEALED):
            if not keys.opens(row["wrapped"], row["stream"]):
                raise WrongMasterKey(MasterKeys.name_of(row["wrapped"]), keys.names)
    return keys.names[0] in {row["name"] for row in rows}
