"""The verifier of master keys: checks at startup that a process has the keys that encrypted the database's data.

The first process registers the key that it encrypts with, as a known text encrypted by it, which reveals nothing of the
key. Every later process must have all registered keys, and registers the one it encrypts with. So a rotation to a new
key works only together with the older keys, and a mistyped key is found before anything is encrypted with it.
"""

from typing import Any

from events.errors import DatabaseUnsuitable
from events.keys import MasterKeys

CONTEXT = "master key verifier"
TEXT = b"rollbook"
REGISTER_LOCK = 0x0_7011_B00D

REGISTERED = "SELECT name, verifier FROM keys.master ORDER BY registered_at, name"
REGISTER = "INSERT INTO keys.master (name, verifier) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING"
# The first wrapped key in the log: it was encrypted with the key that the database was created with.
FIRST_SEALED = """
SELECT k.wrapped, k.stream FROM events.log l JOIN keys.subject k ON k.stream = l.stream ORDER BY l.position LIMIT 1
"""


class WrongMasterKey(DatabaseUnsuitable):
    """The process lacks a master key that data in the database is encrypted with."""

    def __init__(self, missing: bytes, given: tuple[bytes, ...]) -> None:
        super().__init__(
            f"ROLLBOOK_MASTER_KEY: this database holds data sealed with the master key {missing.hex()}, and we were "
            f"given {', '.join(name.hex() for name in given)}: set that key; to change keys set both, NEW,OLD",
            state="ROLLBOOK_MASTER_KEY is not the one that this database was made with",
        )


async def verify(connection: Any, keys: MasterKeys) -> None:
    """Check the master keys against the database; the first one is registered where it is new. One transaction.

    Of processes that start at once over a new database with different keys exactly one is accepted.
    Raises WrongMasterKey, having written nothing.
    """
    if not await _is_registered(connection, keys):
        await connection.execute("SELECT pg_advisory_xact_lock($1)", REGISTER_LOCK)
        if not await _is_registered(connection, keys):
            await connection.execute(REGISTER, keys.names[0], keys.seal(TEXT, CONTEXT))


async def _is_registered(connection: Any, keys: MasterKeys) -> bool:
    """Whether the key that is sealed with is known. Raises WrongMasterKey when another that is known was not given."""
    rows = await connection.fetch(REGISTERED)
    for row in rows:
        if not keys.opens(row["verifier"], CONTEXT):
            raise WrongMasterKey(row["name"], keys.names)
    if not rows:  # a database of an earlier release, or a new one
        for row in await connection.fetch(FIRST_SEALED):
            if not keys.opens(row["wrapped"], row["stream"]):
                raise WrongMasterKey(MasterKeys.name_of(row["wrapped"]), keys.names)
    return keys.names[0] in {row["name"] for row in rows}
