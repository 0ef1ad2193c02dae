"""A process that appends and says what was acknowledged, a line for each append.

python -m tests.events.writer DSN NAME overlapping   twenty tasks on five streams, versions stale, right and future
python -m tests.events.writer DSN NAME endless       eight tasks, each on streams of its own, until killed
"""

import asyncio
import itertools
import os
import random
import sys

from events.commit import GroupCommit, NoReadModels
from events.database import create_pool
from events.errors import StaleStream
from events.log import PostgresLog
from tests.events.appends import after, append
from tests.events.customer_store import KEYS

TASKS = 20
APPENDS = 15  # of each task
STREAMS = 5
FAR = 1_000_000  # versions ahead: nobody ever gets there


def acknowledge(*words: object) -> None:
    """One line, out of this process before anything else happens."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


async def overlapping(log: PostgresLog, name: str) -> None:
    """Append to streams that others append to as well; every refusal must be of a version that was not right."""
    chance = random.Random(name)

    async def write(task: int) -> None:
        for number in range(APPENDS):
            tag = f"{name}-{task}-{number}"
            notes = [tag] * chance.randint(1, 3)
            stream = f"shared-{chance.randrange(STREAMS)}"
            match chance.choice(["right", "right", "right", "stale", "future"]):
                case "right":
                    await until_first(log, stream, tag, notes)
                case "stale":
                    records = (await log.load(stream)).records
                    stale = after(records[:-1], *notes) if len(records) > 1 else append(stream, 0, *notes)
                    if records:
                        await must_be_stale(log, stale)
                case "future":
                    await must_be_stale(log, append(stream, FAR, *notes))

    async with asyncio.TaskGroup() as tasks:
        for task in range(TASKS):
            tasks.create_task(write(task))


async def until_first(log: PostgresLog, stream: str, tag: str, notes: list[str]) -> None:
    """Append as soon as nobody else is faster."""
    while True:
        records = (await log.load(stream)).records
        try:
            position = await log.append(after(records, *notes) if records else append(stream, 0, *notes))
        except StaleStream:
            continue
        acknowledge("stored", tag, len(notes), position)
        return


async def must_be_stale(log: PostgresLog, item: object) -> None:
    """Append at a version that is certainly wrong."""
    try:
        await log.append(item)  # type: ignore[arg-type]  # an Append
    except StaleStream:
        acknowledge("stale")
    else:
        acknowledge("stored at a wrong version")


async def endless(log: PostgresLog, name: str) -> None:
    """Append until killed."""

    async def write(task: int) -> None:
        for number in itertools.count():
            tag = f"{name}-{task}-{number}"
            position = await log.append(append(tag, 0, tag, tag, tag))
            acknowledge("stored", tag, 3, position)

    async with asyncio.TaskGroup() as tasks:
        for task in range(8):
            tasks.create_task(write(task))


async def main(dsn: str, name: str, plan: str) -> None:
    """Carry out a plan."""
    commit = GroupCommit(dsn, NoReadModels())
    pool = await create_pool(dsn, application="writer", size_max=4)
    await {"overlapping": overlapping, "endless": endless}[plan](PostgresLog(commit, pool, KEYS), name)
    await commit.close()
    await pool.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
