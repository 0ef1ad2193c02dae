"""The log in Postgres, and its owner's own connection."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from events.commit import GroupCommit, NoReadModels
from events.database import connect, create_pool
from events.log import PostgresLog
from tests.events.customer_store import KEYS


@pytest.fixture
async def owner(database: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection as who owns the tables, who may do anything."""
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


@pytest.fixture
async def service(database: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection as the service has it."""
    connection = await connect(database, application="test")
    yield connection
    await connection.close()


@pytest.fixture
async def log(database: str) -> AsyncIterator[PostgresLog]:
    """The log in Postgres, with nothing beside it."""
    commit = GroupCommit(database, NoReadModels())
    pool = await create_pool(database, application="test", size_max=2)
    yield PostgresLog(commit, pool, KEYS)
    await commit.close()
    await pool.close()
