"""The command: measure the rows, print the table, write `results/figures.csv` and `results/figures.png`; or soak."""

import argparse
import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence

import uvloop
from rich.console import Console

from tests.benchmarks import machine, report, soak, soak_report
from tests.benchmarks.figures import Figure, Missing, Unmeasurable
from tests.benchmarks.rows import (
    append,
    facets,
    isolation,
    latency,
    lists,
    long_streams,
    many_lanes,
    one_to_many,
    overload,
    requests,
    search,
    throughput,
    transfer,
    verify,
)
from tests.benchmarks.servers import RESULTS, Bench, bench

Row = Callable[[Bench], Awaitable[Sequence[Figure]]]

ROWS: dict[str, Row] = {
    "create": requests.creates,
    "read": requests.reads,
    "list": lists.lists,
    "facets": facets.facets,
    "search": search.search,
    "overload": overload.overload,
    "append": append.append,
    "long-streams": long_streams.long_streams,
    "latency": latency.without_broker,
    "latency-rabbitmq": latency.through_rabbitmq,
    "throughput": throughput.throughput,
    "isolation": isolation.isolation,
    "fairness": isolation.fairness,
    "one-to-many": one_to_many.one_to_many,
    "many-lanes": many_lanes.many_lanes,
    "verify": verify.verify,
    "transfer": transfer.transfer,
}


PIPED_WIDTH = 160  # columns, where no terminal says


def main() -> int:
    """Run the benchmarks; the status is 0 unless a row broke, whatever the figures are."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--only", action="append", choices=list(ROWS), help="measure this row; may be repeated")
    parser.add_argument("--quick", action="store_true", help="measure a quarter as long: for trying out")
    parser.add_argument("--soak", type=float, metavar="SECONDS", help="measure no row, but a steady load for so long")
    options = parser.parse_args()
    try:
        if options.soak is not None:
            return uvloop.run(_soak(options.soak))
        return uvloop.run(_run(options.only or list(ROWS), quick=options.quick))
    except asyncio.CancelledError:
        print("Stopped; nothing was written.", file=sys.stderr)
        return 130


async def _run(names: Sequence[str], *, quick: bool) -> int:
    _stop_on_signals()
    console = Console() if sys.stdout.isatty() else Console(width=PIPED_WIDTH)
    figures: list[Figure] = []
    missing: list[Missing] = []
    status = 0
    async with bench(quick=quick) as servers:
        described = await machine.describe(servers)
        console.print(str(described))
        for name in names:
            with console.status(f"measuring {name}"):
                try:
                    found = await ROWS[name](servers)
                except Unmeasurable as reason:
                    missing.append(Missing(name, str(reason)))
                    continue
                except Exception as error:  # a row that breaks spoils no other
                    console.print_exception()
                    missing.append(Missing(name, f"it broke: {type(error).__name__}: {error}"))
                    status = 1
                    continue
            figures.extend(found)
            for figure in found:
                console.print(f"{figure.what}: {figure.value:.2f}", highlight=False)
    report.print_table(console, described, figures, missing)
    report.write_csv(RESULTS / "figures.csv", described, figures, missing)
    report.write_chart(RESULTS / "figures.png", described, figures)
    console.print(f"Written: {RESULTS / 'figures.csv'} and {RESULTS / 'figures.png'}", soft_wrap=True)
    return status


async def _soak(duration_s: float) -> int:
    _stop_on_signals()
    console = Console() if sys.stdout.isatty() else Console(width=PIPED_WIDTH)
    async with bench(quick=False) as servers:
        described = await machine.describe(servers)
        console.print(str(described))
        with console.status(f"soaking for {duration_s:,.0f} s"):
            soaked = await soak.soak(servers, duration_s)
    if not soaked.settled:
        console.print(f"Too short: nothing was sampled in {duration_s:,.0f} s.")
        return 1
    soak_report.print_summary(console, described, soaked)
    soak_report.write_csv(RESULTS / "soak.csv", soaked)
    soak_report.write_chart(RESULTS / "soak.png", described, soaked)
    console.print(f"Written: {RESULTS / 'soak.csv'} and {RESULTS / 'soak.png'}", soft_wrap=True)
    return 0


def _stop_on_signals() -> None:
    """Cancel the run on SIGINT, SIGTERM and SIGHUP, so that everything it started is ended on the way out."""
    run = asyncio.current_task()
    assert run is not None
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, run.cancel)


if __name__ == "__main__":
    sys.exit(main())
