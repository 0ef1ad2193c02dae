"""Search follows the log in real processes: `serve` and the worker, killed in between."""

import asyncio
from dataclasses import replace
from urllib.parse import quote

import aiohttp
import asyncpg
import pytest

from service.commands.keys import DEVELOPMENT_KEY
from tests.service.serving import Api, Launch, Process
from tests.waiting import until

CUSTOMERS = 20
LATCH = 4242
# Whoever has written rows, and is about to move the checkpoint, waits for the session with the latch.
LATCHED = f"""
CREATE FUNCTION projections.wait_for_latch() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_advisory_xact_lock_shared({LATCH}); RETURN new; END $$;
CREATE TRIGGER wait_for_latch BEFORE UPDATE ON projections.checkpoint
    FOR EACH ROW EXECUTE FUNCTION projections.wait_for_latch();
"""


async def found(api: Api, query: str) -> list[str]:
    answer = await api.get(f"/v1/customers/search?limit=100&query={quote(query)}")
    assert answer.status == 200, answer.body
    return [one["id"] for one in answer.json["data"]]


async def no_lag(process: Process) -> bool:
    async with aiohttp.ClientSession() as session, session.get(f"{process.url}/metrics") as answer:
        return "projections_search_lag_events 0.0" in (await answer.text()).splitlines()


async def test_a_service_finds_what_was_written(api: Api, launch: Launch) -> None:
    process = await launch("serve", ROLLBOOK_LOOK_EVERY_S="0.1")
    elsewhere = replace(api, port=process.port, key=DEVELOPMENT_KEY)
    id = (await elsewhere.customer("name=Ada"))["id"]
    await until(lambda: found(elsewhere, "name:'ada'"))
    await elsewhere.delete(f"/v1/customers/{id}")
    assert await found(elsewhere, "name:'ada'") == [], "found until search follows, but never shown"
    await until(lambda: no_lag(process))


@pytest.mark.faults
async def test_a_worker_killed_between_rows_and_checkpoint_leaves_neither(
    api: Api, launch: Launch, database: str
) -> None:
    owner, latch = await asyncpg.connect(database), await asyncpg.connect(database)
    ids = [(await api.customer(f"name=Number {n}"))["id"] for n in range(CUSTOMERS)]
    assert await found(api, "name~'number'") == [], "without a worker a search answers with what was followed so far"
    await owner.execute(LATCHED)
    await latch.execute("SELECT pg_advisory_lock($1)", LATCH)
    worker = await launch("worker", ROLLBOOK_OPERATIONS_PORT="0")
    waiting = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = $1 AND NOT granted"
    pid = await until(lambda: owner.fetchval(waiting, LATCH))
    await worker.kill9()
    await latch.close()

    async def ended() -> bool:
        return not await owner.fetchval("SELECT count(*) FROM pg_stat_activity WHERE pid = $1", pid)

    await until(ended)
    state = "SELECT c.position, (SELECT count(*) FROM projections.search) FROM projections.checkpoint c"
    assert tuple(await owner.fetchrow(state)) == (0, 0)
    await asyncio.gather(*(launch("worker", ROLLBOOK_OPERATIONS_PORT="0") for _ in range(2)))

    async def all_found() -> bool:
        return await found(api, "name~'number'") == ids[::-1]

    await until(all_found, timeout_s=30)
    await owner.close()
