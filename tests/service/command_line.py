"""The `rollbook` command line: each command in a process of its own, with its own environment and output.

The processes are forked from one that has the modules loaded: importing them takes a command longer than what it does.
What an interpreter that starts with nothing does is tested by the processes of `launch` and by `make run`.
"""

import asyncio
import io
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.service.serving import environment

LOADED = ["service.cli", "service.cli.output", "service.commands", "service.subscribers", "service.wiring", __name__]
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(LOADED)
TIMEOUT_S = 60


async def rollbook(database: str, directory: Path, *words: str, **more: str) -> tuple[int, str]:
    """Run a command to its end: its exit code and its output, in the order in which it was written."""
    code, output, errors = await run(environment(database, directory, **more), *words, together=True)
    assert errors == ""
    return code, output


async def output_of(database: str, directory: Path, *words: str, **more: str) -> str:
    """The output of a command that succeeds."""
    code, output = await rollbook(database, directory, *words, **more)
    assert code == 0, output
    return output


async def run(variables: Mapping[str, str], *words: str, together: bool = False) -> tuple[int, str, str]:
    """Run a command to its end: its exit code, its output and its errors, which may be among the output."""
    return await asyncio.to_thread(_run, words, dict(variables), together)


def _run(words: tuple[str, ...], variables: dict[str, str], together: bool) -> tuple[int, str, str]:
    with tempfile.TemporaryDirectory(prefix="rollbook-test-") as directory:
        output, errors = Path(directory, "output"), Path(directory, "errors")
        output.touch()
        errors.touch()
        process = FORKS.Process(target=_main, args=(words, variables, output, output if together else errors))
        process.start()
        process.join(TIMEOUT_S)
        code = process.exitcode
        process.kill()
        process.join()
        assert code is not None, f"{words} has not ended after {TIMEOUT_S} s: {output.read_text()}"
        return code, output.read_text(), errors.read_text()


def _main(words: tuple[str, ...], variables: dict[str, str], output: Path, errors: Path) -> None:
    """What the forked process does."""
    from service.cli import main

    os.environ.clear()
    os.environ.update(variables)
    sys.stdout, sys.stderr = _redirected(1, output), _redirected(2, errors)
    sys.argv = ["rollbook", *words]
    main()


def _redirected(descriptor: int, path: Path) -> io.TextIOWrapper:
    """A stream over a file that replaces what was open as `descriptor`; nothing is buffered."""
    file = os.open(path, os.O_WRONLY | os.O_APPEND)
    os.dup2(file, descriptor)
    os.close(file)
    encoding = os.environ.get("PYTHONIOENCODING", "utf-8")
    return io.TextIOWrapper(io.FileIO(descriptor, "w", closefd=False), encoding=encoding, write_through=True)
