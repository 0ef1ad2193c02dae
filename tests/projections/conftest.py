"""The real thing over Postgres: commands carried out with the read models written inline, and a reader of them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import asyncpg
import pytest

from events.commit import GroupCommit
from events.database import create_pool
from events.log import PostgresLog
from projections import api_keys
from projections.customers import CustomerProjection
from projections.inline import InlineReadModels, RowsOfKinds
from projections.read import Reader
from tests.events.customer_store import KEYS, CustomerStore

API_VERSION = "2026-10-28.endive"


@dataclass
class ReadableCustomerStore(CustomerStore):
    """One whose read models are written inline, with a reader of them."""

    reader: Reader = None  # type: ignore[assignment]  # always given
    pool: asyncpg.Pool = None


@pytest.fixture
async def store(database: str) -> AsyncIterator[ReadableCustomerStore]:
    """One process: its own executor and reader over the test's database."""
    commit = GroupCommit(database, InlineReadModels())
    pool = await create_pool(database, application="test", size_max=4)
    rows_of = RowsOfKinds({"customer": CustomerProjection(API_VERSION).rows, "api_key": api_keys.rows})
    reader = Reader(database, pool)
    yield ReadableCustomerStore(PostgresLog(commit, pool, KEYS), rows_of=rows_of, reader=reader, pool=pool)
    await commit.close()
    await reader.close()
    await pool.close()


@pytest.fixture
async def owner(database: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection as who owns the tables, who may do anything."""
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()
