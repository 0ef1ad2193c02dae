"""Processes of the benchmarks, and that none of them outlives the run.

Each has a session of its own, so that a Ctrl-C reaches only us, who then end them in order.
"""

import asyncio
import os
import re
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiohttp

REPOSITORY = Path(__file__).parents[2]
STOP_TIMEOUT_S = 15.0
START_TIMEOUT_S = 30.0
POLL_S = 0.02
LISTENS = re.compile(r"http://127\.0\.0\.1:(\d+)")
STREAM_BYTES_MAX = 64 * 1024 * 1024  # a line of a helper's answer


@asynccontextmanager
async def helper(module: str, *arguments: str) -> AsyncIterator[Process]:
    """A process of this package, `tests.benchmarks.<module>`, spoken to over its standard input and output."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        f"tests.benchmarks.{module}",
        *arguments,
        cwd=REPOSITORY,
        stdin=PIPE,
        stdout=PIPE,
        limit=STREAM_BYTES_MAX,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        await _end(process)


async def ask(process: Process, question: str) -> str:
    """A helper's answer, a line, to a question of a line."""
    assert process.stdin is not None
    process.stdin.write(question.encode() + b"\n")
    await process.stdin.drain()
    return await answer(process)


async def answer(process: Process) -> str:
    """The next line a helper says."""
    assert process.stdout is not None
    line = await process.stdout.readline()
    if not line:
        raise RuntimeError(f"a helper ended with {await process.wait()}")
    return line.decode().rstrip("\n")


SERVING = ("api", "serve")  # these answer /readyz where they serve, unless they are given another port for it


@asynccontextmanager
async def rollbook(role: str, directory: Path, *, module: str = "service.cli", **settings: str) -> AsyncIterator[int]:
    """A `rollbook` process playing `role`, on a free port, which is given; what it logs goes to a file.

    Its environment is ours without the settings of some other Rollbook, and with `settings`.
    """
    environment = {name: value for name, value in os.environ.items() if not _is_setting(name)} | {
        "ROLLBOOK_PORT": "0",
        "ROLLBOOK_DATA_DIR": str(directory),
        **({} if role in SERVING else {"ROLLBOOK_OPERATIONS_PORT": "0"}),
        **settings,
    }
    output = directory / f"{role}.log"
    with output.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            module,
            role,
            cwd=REPOSITORY,
            env=environment,
            stdin=DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    try:
        yield await _ready(process, role, output)
    finally:
        await _end(process)


async def _ready(process: Process, role: str, output: Path) -> int:
    """Its port, once it says that it is ready."""
    deadline = time.monotonic() + START_TIMEOUT_S
    async with aiohttp.ClientSession() as session:
        while process.returncode is None and time.monotonic() < deadline:
            if found := LISTENS.search(_text(output)):
                async with session.get(f"{found[0]}/readyz") as response:
                    if response.status == 200:
                        return int(found[1])
            await asyncio.sleep(POLL_S)
    raise RuntimeError(f"rollbook {role} did not get ready:\n{_text(output)[-2000:]}")


async def _end(process: Process) -> None:
    """Ask it to stop, and see to it that it and whatever it started are gone."""
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(STOP_TIMEOUT_S):
            await process.wait()
    except TimeoutError:
        pass
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


def _text(file: Path) -> str:
    return file.read_text(errors="replace")


def _is_setting(name: str) -> bool:
    return name.startswith("ROLLBOOK_") or name in ("DATABASE_URL", "AMQP_URL")
