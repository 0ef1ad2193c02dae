"""The `rollbook` command line, run in a process of its own as people run it."""

import asyncio
from pathlib import Path

from tests.service.serving import command, environment


async def rollbook(database: str, directory: Path, *words: str, **more: str) -> tuple[int, str]:
    """Run a command to its end: its exit code and what it said."""
    process = await asyncio.create_subprocess_exec(
        *command(*words),
        env=environment(database, directory, **more),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode()


async def output_of(database: str, directory: Path, *words: str, **more: str) -> str:
    """What a command that succeeds says."""
    code, said = await rollbook(database, directory, *words, **more)
    assert code == 0, said
    return said
