"""A log to seal, and a process that seals it until it is killed.

python -m tests.events.sealing DSN KEYFILE DIRECTORY   seals in small batches, a line for each
"""

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import asyncpg

from events import checkpoint_keys
from events.checkpoint_keys import CheckpointKeys
from events.database import Pool, create_pool
from events.log import PostgresLog
from events.sealer import Sealer
from tests.events.appends import append

NAME = "rollbook.example/log"
KEYS = checkpoint_keys.new(NAME)


def sealer(
    pool: Pool, keys: CheckpointKeys | None = KEYS, *, directory: Path | None = None, batch: int = 300
) -> Sealer:
    """A sealer with a key, by default."""
    return Sealer(pool, lambda: keys, directory=directory, every_s=0, batch=batch)


async def appended(log: PostgresLog, stream: str, events: int) -> None:
    """So many events of one new stream."""
    await log.append(append(stream, 0, *map(str, range(events))))


async def hashes(owner: asyncpg.Connection) -> Sequence[bytes]:
    """The entries of the tree: what is stored as the hash of each event, in order."""
    return [row["hash"] for row in await owner.fetch("SELECT hash FROM events.log ORDER BY position")]


async def main(dsn: str, keyfile: str, directory: str) -> None:
    """Seal without a pause."""
    pool = await create_pool(dsn, application="sealer", size_max=2)
    sealing = sealer(pool, checkpoint_keys.read(Path(keyfile)), directory=Path(directory), batch=50)
    while True:
        if not await sealing.advance():
            await sealing.catch_up()
        os.write(1, f"{sealing.sealed}\n".encode())


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
