"""Several processes on one log: what they acknowledge is what is stored, and who follows sees it once, in order."""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections import Counter
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from events import chain
from events.log import PostgresLog
from events.record import Record
from tests.events.appends import note

ROOT = Path(__file__).parents[2]


async def writer(dsn: str, name: str, plan: str) -> Process:
    """Start a process of tests/events/writer.py."""
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.events.writer", dsn, name, plan, stdout=PIPE, stderr=PIPE, cwd=ROOT
    )


async def printed(process: Process) -> list[list[str]]:
    """The words of all the lines that a process printed before it ended well."""
    out, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return [line.split() for line in out.decode().splitlines()]


async def follow(log: PostgresLog, seen: list[Record], writing: asyncio.Future[Any]) -> None:
    """Read on, above the position reached, until all is written and read."""
    while True:
        over = writing.done()
        records = await log.read(seen[-1].position if seen else 0, 7)
        seen.extend(records)
        if over and not records:
            return


async def test_two_processes_append_to_the_same_streams_while_a_third_follows(log: PostgresLog, database: str) -> None:
    processes = [await writer(database, name, "overlapping") for name in ("left", "right")]
    writing = asyncio.gather(*map(printed, processes))
    seen: list[Record] = []
    await follow(log, seen, writing)
    acknowledged = [line for lines in await writing for line in lines]

    stored = list(await log.read(0, 100_000))
    assert [record.position for record in stored] == list(range(1, len(stored) + 1)), "no gap"
    assert seen == stored, "a follower misses nothing, repeats nothing and sees it in order"

    verdicts = Counter(line[0] for line in acknowledged)
    assert set(verdicts) == {"stored", "stale"}
    expected: dict[str, list[int]] = {}
    for _, tag, count, position in (line for line in acknowledged if line[0] == "stored"):
        expected[tag] = list(range(int(position), int(position) + int(count)))
    found: dict[str, list[int]] = {}
    for record in stored:
        found.setdefault(note(record), []).append(record.position)
    assert found == expected, "acknowledged is stored, whole, where it was said to be; and nothing else is"

    by_stream = sorted(stored, key=lambda record: record.stream)
    for _, records in groupby(by_stream, key=lambda record: record.stream):
        assert chain.first_break(records) is None


@pytest.mark.faults
async def test_what_a_killed_process_had_acknowledged_is_stored_and_every_item_is_whole(
    log: PostgresLog, database: str
) -> None:
    for round in range(3):
        process = await writer(database, f"killed{round}", "endless")
        assert process.stdout is not None
        lines = [(await process.stdout.readline()).decode() for _ in range(200 + 37 * round)]
        process.kill()
        out, _ = await process.communicate()
        lines += [line for line in out.decode().splitlines(keepends=True) if line.endswith("\n")]
        stored = Counter(
            note(record) for record in await log.read(0, 100_000) if record.stream.startswith(f"killed{round}-")
        )
        acknowledged = {line.split()[1] for line in lines}
        assert acknowledged <= set(stored)
        assert set(stored.values()) == {3}
    positions = [record.position for record in await log.read(0, 100_000)]
    assert positions == list(range(1, len(positions) + 1))
