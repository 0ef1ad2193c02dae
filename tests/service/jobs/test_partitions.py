"""Upkeep: partitions ahead of need, old days dropped, and what becomes of it when a part of it fails."""

from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from events.clock import SystemClock
from events.database import create_pool
from service.jobs import partitions


async def test_one_tables_failure_does_not_stop_the_upkeep_of_the_others(fresh_database: str) -> None:
    owner = await asyncpg.connect(fresh_database)
    await owner.execute("DROP TABLE events.receipt")
    pool = await create_pool(fresh_database, application="test", size_max=1)
    with pytest.raises(partitions.UpkeepFailed, match=r"events\.receipt"):
        await partitions.maintain(pool, SystemClock())
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    for parent in ("projections.notice", "webhooks.attempt"):
        assert await owner.fetchval("SELECT to_regclass($1) IS NOT NULL", f"{parent}_{tomorrow:%Y%m%d}")
    await pool.close()
    await owner.close()
