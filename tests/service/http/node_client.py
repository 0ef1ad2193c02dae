"""Stripe's official client for Node.js, run by the scripts of tests/node."""

import asyncio
from pathlib import Path

SCRIPTS = Path(__file__).parents[2] / "node"


async def run_script(node: Path, script: str, *arguments: str) -> None:
    """Run a script of tests/node. Raises AssertionError with its output when it fails."""
    process = await asyncio.create_subprocess_exec(
        str(node),
        str(SCRIPTS / script),
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert (process.returncode, output.decode().strip()) == (0, "ok"), output.decode()
