"""The follower of the log that keeps the search index, beside an application."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from events.follow import Wakeup
from projections.runner import Runner
from projections.search.rows import SearchProjection
from tests.service.serving import Api
from tests.waiting import until


@asynccontextmanager
async def following(api: Api) -> AsyncIterator[None]:
    """The follower of the log for search, beside an application."""
    stop, wakeup = asyncio.Event(), Wakeup(api.core.dsn, "rollbook_log")
    runner = Runner(api.core.pool, SearchProjection())
    tasks = [asyncio.create_task(wakeup.run(stop)), asyncio.create_task(runner.run(wakeup, stop))]
    yield
    stop.set()
    wakeup.poke()
    await asyncio.gather(*tasks)


async def caught_up(api: Api) -> None:
    """Return when search has followed all there is."""
    owner = await asyncpg.connect(api.core.dsn)
    same = "SELECT c.position = h.position FROM projections.checkpoint c, events.head h"

    async def is_so() -> bool:
        return bool(await owner.fetchval(same))

    await until(is_so)
    await owner.close()
