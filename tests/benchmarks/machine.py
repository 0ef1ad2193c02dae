"""The machine a run was made on, so that its figures are not taken for those of another."""

import os
import platform
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import asyncpg

from tests.benchmarks.servers import Bench

SYNCS = 100
PAGE_BYTES = 8192


@dataclass(frozen=True, slots=True)
class Machine:
    """What figures depend on."""

    cores: int
    cpu: str
    python: str
    postgres: str
    fsync_ms: float  # median, of one page, where our own PostgreSQL would keep its data
    quick: bool

    def __str__(self) -> str:
        return (
            f"{self.cores} cores, {self.cpu}, Python {self.python}, PostgreSQL {self.postgres}, "
            f"fsync {self.fsync_ms:.2f} ms{', --quick' if self.quick else ''}"
        )


async def describe(bench: Bench) -> Machine:
    """This machine."""
    connection = await asyncpg.connect(bench.server)
    try:
        postgres = await connection.fetchval("SHOW server_version")
        if await connection.fetchval("SHOW fsync") == "off":
            postgres += " WITH FSYNC OFF: nothing is durable"
    finally:
        await connection.close()
    return Machine(
        cores=len(os.sched_getaffinity(0)),
        cpu=_cpu(),
        python=platform.python_version(),
        postgres=postgres,
        fsync_ms=_fsync_ms(bench.directory / "fsync"),
        quick=bench.quick,
    )


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(": ")[2]
    return platform.machine()


def _fsync_ms(path: Path) -> float:
    took_ms = []
    with path.open("wb", buffering=0) as file:
        for _ in range(SYNCS):
            started = time.perf_counter()
            file.write(bytes(PAGE_BYTES))
            os.fdatasync(file.fileno())
            took_ms.append((time.perf_counter() - started) * 1000)
    path.unlink()
    return median(took_ms)
