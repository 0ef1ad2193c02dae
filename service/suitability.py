"""Startup check of the database: pending migrations and the master key."""

import time

import structlog

from events import master_key
from events.database import Pool
from events.errors import DatabaseUnsuitable
from events.keys import MasterKeys
from events.migrate import Difference, difference, migrate
from events.pooler import require_sessions
from service.wiring import Core

log = structlog.get_logger("service")

UNCHECKED = "The database has not been checked yet."
TRUSTED_S = 2.0  # /readyz is asked often, and by several


async def prepare(core: Core) -> None:
    """Bring the database to shape; in production that is `rollbook migrate`'s part. Nothing is appended before.

    Raises DatabaseUnsuitable, LogUnavailable.
    """
    await require_sessions(core.dsn)
    try:
        if not core.settings.production:
            applied = await migrate(core.dsn)
            if applied:
                log.info("database.migrated", applied=len(applied))
        await require(core)
    except DatabaseUnsuitable as error:
        core.log.refused = str(error)
        raise
    core.log.refused = None


async def require(core: Core) -> None:
    """Check the database before anything is written to it. Raises DatabaseUnsuitable, LogUnavailable."""
    async with core.pool.acquire() as connection:
        (await difference(connection)).require(functions=True)
        await master_key.require_keys(connection)
        async with connection.transaction():
            await master_key.verify(connection, core.master_keys)


class Migrations:
    """Whether a running process can work with the database's migrations, and with its master keys; looked up every two
    seconds at most.
    """

    def __init__(self, pool: Pool, keys: MasterKeys) -> None:
        self._pool = pool
        self._keys = keys
        self._until = 0.0
        self._found = Difference()

    async def check(self) -> None:
        """Raises DatabaseUnsuitable when it cannot; what the pool raises."""
        if time.monotonic() >= self._until:
            self._found = await difference(self._pool)
            if self._found.fault is None:
                await master_key.require_sealing(self._pool, self._keys)
            self._until = time.monotonic() + TRUSTED_S
        self._found.require()
