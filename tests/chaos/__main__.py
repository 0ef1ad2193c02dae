"""The command: break everything for a while and say what was lost."""

import argparse
import asyncio
import logging
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from random import SystemRandom

import uvloop
from rich.console import Console
from rich.table import Table

from service.dev.cluster import PostgresFailed
from tests.chaos import breakage, latency, tally
from tests.chaos.run import Plan, Report, run
from tests.servers.rabbitmq import PrivateRabbit

PIPED_WIDTH = 160  # columns, where no terminal says


def main() -> int:
    """Run it; the status is 0 when nothing was lost and nothing else is wrong, 1 when not, 2 where it cannot run."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=None, help="draw as in the run that printed it")
    parser.add_argument("--seconds", type=float, default=180.0, help="how long things break (default: 180)")
    parser.add_argument("--rate", type=float, default=50.0, help="requests a second (default: 50)")
    parser.add_argument("--only", action="append", choices=list(breakage.ALL), help="break this; may be repeated")
    options = parser.parse_args()
    if not PrivateRabbit.installed():
        print("This needs a RabbitMQ to start and to kill, and none is installed.", file=sys.stderr)
        return 2
    plan = Plan(
        seed=SystemRandom().randrange(2**32) if options.seed is None else options.seed,
        seconds=options.seconds,
        rate=options.rate,
        faults=options.only or tuple(breakage.ALL),
    )
    try:
        return uvloop.run(_run(plan))
    except asyncio.CancelledError:
        print("Stopped.", file=sys.stderr)
        return 130
    except PostgresFailed as failure:
        print(failure, file=sys.stderr)
        return 2


async def _run(plan: Plan) -> int:
    _stop_on_signals()
    for library in ("aio_pika", "aiormq"):
        logging.getLogger(library).setLevel(logging.CRITICAL)  # they log without end that a broker is away
    console = Console() if sys.stdout.isatty() else Console(width=PIPED_WIDTH)
    console.print(f"seed {plan.seed}, {plan.seconds:g} s at {plan.rate:g} requests/s", highlight=False)
    began = time.monotonic()

    def say(line: str) -> None:
        console.print(f"[dim]{time.monotonic() - began:6.1f} s[/]  {line}", highlight=False, soft_wrap=True)

    directory = Path(tempfile.mkdtemp(prefix="rollbook-chaos-"))
    try:
        report = await run(plan, directory, say)
    except BaseException:
        console.print(f"What the processes said is in {directory}.", highlight=False, soft_wrap=True)
        raise
    _print(console, plan, report)
    if report.verdict.wrong:
        console.print(f"Seed {plan.seed}; what the processes said is in {directory}.", soft_wrap=True, highlight=False)
        return 1
    shutil.rmtree(directory, ignore_errors=True)
    return 0


def _print(console: Console, plan: Plan, report: Report) -> None:
    broken = Table(title="What broke", title_justify="left")
    broken.add_column("what", no_wrap=True)
    broken.add_column("times", justify="right")
    for name in plan.faults:
        broken.add_row(name, str(report.broken[name]))
    for name, tries in report.bad_receivers.items():
        broken.add_row(f"receiver that {name.replace('-', ' ')}", f"{tries} tries")
    for name, times in sorted(report.did.items()):
        broken.add_row(f"hostile tenant, {name}", f"{times:,}")
    console.print(broken)
    console.print(latency.table(report.api, report.webhooks))
    console.print(
        f"Under load for {report.load_s:.0f} s; all had arrived {report.mended_s:.1f} s after it.", highlight=False
    )
    tally.print_verdict(console, report.verdict)


def _stop_on_signals() -> None:
    """Cancel the run on SIGINT, SIGTERM and SIGHUP, so that everything it started is ended on the way out."""
    running = asyncio.current_task()
    assert running is not None
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, running.cancel)


if __name__ == "__main__":
    sys.exit(main())
