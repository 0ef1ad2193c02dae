"""Deleted customers are erased when their time has come, and nobody else is."""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path

import asyncpg
import pytest

from events.customer import CUSTOMER
from events.customer.erasure import PlaceHold
from events.record import Origin
from service.jobs import retention
from service.jobs.retention import Pass
from tests.acting import update
from tests.service.command_line import output_of, rollbook
from tests.service.serving import ACCOUNT, Api
from tests.waiting import until


async def deleted(api: Api) -> str:
    id: str = (await api.customer("name=Jenny"))["id"]
    assert (await api.delete(f"/v1/customers/{id}")).status == 200
    return id


async def erased(database: str) -> list[str]:
    connection = await asyncpg.connect(database)
    try:
        rows = await connection.fetch("SELECT stream FROM events.log WHERE type = 'customer.erased' ORDER BY position")
    finally:
        await connection.close()
    return [row["stream"].removeprefix("customer-") for row in rows]


async def test_who_was_deleted_before_a_time_is_erased_unless_under_a_hold(
    api: Api, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "SLICE", 2)
    await api.customer("name=Living")
    first, held, second = [await deleted(api) for _ in range(3)]
    await api.customer("name=Living")
    origin = Origin(account=ACCOUNT, livemode=False, at=api.core.clock.now(), actor="system")
    await update(api.core.executor, CUSTOMER, held, PlaceHold(id="hold_1", at=1, reason="a dispute"), origin)
    moment: datetime = api.core.clock.now()
    later = await deleted(api)
    assert await retention.erase_deleted(api.core, moment - timedelta(days=1)) == Pass(0, 0)
    assert await retention.erase_deleted(api.core, moment) == Pass(2, 1)
    assert sorted(await erased(database)) == sorted([first, second])
    assert await retention.erase_deleted(api.core, moment) == Pass(0, 1), "once is enough"
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(retention.run(api.core, 0, stop))

        async def all_erased() -> bool:
            return later in await erased(database)

        await until(all_erased)
        stop.set()
    assert len((await api.get("/v1/customers")).json["data"]) == 2


async def test_the_command_makes_one_pass(api: Api, database: str, tmp_path: Path) -> None:
    id = await deleted(api)
    words = ("retain", "--erase-deleted-after")
    assert "0 customers" in await output_of(database, tmp_path, *words, "90d", "--yes")
    assert await erased(database) == []
    assert "1 customers" in await output_of(database, tmp_path, *words, "0d", "--yes")
    assert await erased(database) == [id]
    assert (await rollbook(database, tmp_path, *words, "soon", "--yes"))[0] == 2
