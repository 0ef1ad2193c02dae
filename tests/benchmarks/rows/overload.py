"""Overload: creates over 5,000 connections, an account that floods beside one that does not, and answers left unread.

The flood comes from eight accounts; connections that are shed wait for a second, as Retry-After says. A polite account
creates over one connection, alone and then beside one account's 500. For the last, sixty connections of one key ask for
a list of the largest customers and read nothing, while `/healthz` is asked over and over from another process.
"""

import asyncio
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlencode

import psutil

from tests.benchmarks.api import Api, production_apis
from tests.benchmarks.figures import Bound, Figure
from tests.benchmarks.load import Blast, Generator, generator, request
from tests.benchmarks.servers import Bench

ACCOUNTS, CONNECTIONS, WINDOW_S = 8, 5_000, 10.0
FLOODING, POLITE_S = 500, 6.0
UNREAD, LARGE_CUSTOMERS, UNREAD_S = 60, 100, 8.0
SETTLED_S = 5.0  # after which what was free is given back
LARGEST = urlencode(
    {f"metadata[{n:02}{'k' * 38}]": "\u20ac" * 500 for n in range(50)}
    | {f"address[{line}]": "\u20ac" * 500 for line in ("city", "line1", "line2", "state")}
)


async def overload(bench: Bench) -> Sequence[Figure]:
    """How long the admitted take, how many are shed, and what it takes of memory."""
    async with bench.database() as dsn, production_apis(bench, dsn, accounts=ACCOUNTS) as apis, generator() as load:
        process = _listening(apis[0].port)
        calm = await _creates(load, apis[:1], 1, bench.seconds(POLITE_S))
        flood = await _flood(load, apis, bench.seconds(WINDOW_S), process)
        async with generator() as flooding:
            polite = await _polite(load, flooding, apis, bench.seconds(POLITE_S), calm)
        unread = await _unread(load, apis, bench.seconds(UNREAD_S), process)
    return [flood, polite, unread]


async def _flood(load: Generator, apis: Sequence[Api], duration_s: float, process: psutil.Process) -> Figure:
    requests = [api.create() for api in apis]
    blast = Blast(
        port=apis[0].port, requests=requests, duration_s=duration_s, connections=CONNECTIONS, may_be_shed=True
    )
    answered = await load.run(blast)
    admitted = answered.rate * duration_s
    return _milliseconds(
        what=f"creates over {CONNECTIONS:,} connections, p99 of the admitted",
        subject_s=answered.p99_s,
        baseline_is="p50 of the admitted",
        baseline_s=answered.p50_s,
        bound=Bound("at most", 2000),
        note=f"{answered.rate:,.0f}/s admitted; {answered.shed / (answered.shed + admitted):.0%} of answers shed, p99 "
        f"{answered.shed_p99_s * 1000:,.0f} ms; peak RSS {_peak_mib(process):.0f} MiB",
    )


async def _polite(
    load: Generator, flooding: Generator, apis: Sequence[Api], duration_s: float, calm_s: float
) -> Figure:
    blast = Blast(
        port=apis[0].port,
        requests=[apis[1].create()],
        duration_s=duration_s + 1,
        connections=FLOODING,
        may_be_shed=True,
    )
    flood = asyncio.create_task(flooding.run(blast))
    beside_s = await _creates(load, apis[:1], 1, duration_s)
    flooded = await flood
    return _milliseconds(
        what=f"create of a polite account beside {FLOODING} connections of another, p99",
        subject_s=beside_s,
        baseline_is="the same alone",
        baseline_s=calm_s,
        note=f"the other: {flooded.rate:,.0f}/s, p99 {flooded.p99_s * 1000:,.0f} ms, {flooded.shed:,} shed",
    )


async def _unread(load: Generator, apis: Sequence[Api], duration_s: float, process: psutil.Process) -> Figure:
    api = apis[2]
    headers = {"Authorization": f"Bearer {api.key}"}
    create = request("POST", "/v1/customers", headers, LARGEST)
    made = 0.0
    while made < LARGE_CUSTOMERS:
        made += (await load.run(Blast(port=api.port, requests=[create], duration_s=1.0, connections=4))).rate
    health = Blast(port=api.port, requests=[request("GET", "/healthz")], duration_s=duration_s, connections=1)
    calm = await load.run(health)
    with _not_reading(api.port, request("GET", "/v1/customers?limit=100", headers).encode()):
        beside = await load.run(health)
    await asyncio.sleep(SETTLED_S)
    return _milliseconds(
        what=f"/healthz beside {UNREAD} lists of the largest customers that nobody reads, longest",
        subject_s=beside.longest_s,
        baseline_is="the same without them",
        baseline_s=calm.longest_s,
        bound=Bound("at most", 100),
        note=f"p99 {beside.p99_s * 1000:.1f} ms; peak RSS of all {_peak_mib(process):.0f} MiB, "
        f"{SETTLED_S:g} s later {process.memory_info().rss / 2**20:.0f} MiB",
    )


async def _creates(load: Generator, apis: Sequence[Api], connections: int, duration_s: float) -> float:
    """The 99th percentile of creates, in seconds."""
    requests = [api.create() for api in apis]
    blast = Blast(port=apis[0].port, requests=requests, duration_s=duration_s, connections=connections)
    return (await load.run(blast)).p99_s


@contextmanager
def _not_reading(port: int, asked: bytes) -> Iterator[None]:
    with ExitStack() as stack:
        for _ in range(UNREAD):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            client.sendall(asked)
        yield


def _listening(port: int) -> psutil.Process:
    """Our child that listens on a port."""
    for child in psutil.Process().children(recursive=True):
        if any(each.status == psutil.CONN_LISTEN and each.laddr.port == port for each in child.connections("inet")):
            return child
    raise RuntimeError(f"nobody listens on {port}")


def _peak_mib(process: psutil.Process) -> float:
    """The most that was resident, ever."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def _milliseconds(
    *,
    what: str,
    subject_s: float,
    baseline_is: str,
    baseline_s: float,
    note: str,
    bound: Bound | None = None,
) -> Figure:
    value = subject_s * 1000
    return Figure(
        row="overload",
        what=what,
        unit="ms",
        baseline_is=baseline_is,
        baseline=baseline_s * 1000,
        subject=value,
        value=value,
        value_unit="ms",
        lowest=value,
        highest=value,
        bound=bound,
        note=note,
    )
