"""The report of a soak: a table of what grew and how fast, every sample as CSV, and a chart."""

import csv
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import linear_regression, median

from rich.console import Console
from rich.table import Table

from tests.benchmarks.figures import percentile
from tests.benchmarks.machine import Machine
from tests.benchmarks.soak import Sample, Size, Soaked

# They hold work, and should be no larger after hours than after minutes; whatever else grows holds history.
WORKING = (
    "events.head",
    "projections.notice_head",
    "webhooks.lane",
    "webhooks.delivery",
    "webhooks.fanned_out",
    "webhooks.watermark",
    "webhooks.relay_cursor",
    "webhooks.recovery",
)
PERCENTILES = (0.5, 0.99)
GREW_MIB_MIN = 1.0  # tables below that are left out, unless they hold work
DRAWN_MAX = 8  # tables that hold history

Reading = Callable[[Sample], float]
Series = dict[str, Reading]


def print_summary(console: Console, machine: Machine, soaked: Soaked) -> None:
    """Print how everything was at the start, in the median and at the end, and by how much it grew in an hour."""
    title = f"{soaked.duration_s:,.0f} s of soak: {soaked.requests:,} requests, {soaked.left_out:,} left out"
    table = Table(title=title, caption=str(machine), caption_justify="left")
    table.add_column("what")
    for name in ("at the start", "median", "at the end", "an hour"):
        table.add_column(name, justify="right")
    for name, values in _settled(soaked).items():
        times = [sample.at_s / 3600 for sample in soaked.settled]
        slope = linear_regression(times, values).slope if len(values) > 1 else 0.0
        table.add_row(name, *(f"{value:,.2f}" for value in (values[0], median(values), values[-1])), f"{slope:+,.2f}")
    console.print(table)


def write_csv(path: Path, soaked: Soaked) -> None:
    """Write a line a sample, the warm-up included."""
    series = _series(soaked)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["at_s", *series])
        for sample in soaked.samples:
            writer.writerow([round(sample.at_s, 1), *(round(read(sample), 2) for read in series.values())])


def write_chart(path: Path, machine: Machine, soaked: Soaked) -> None:
    """Draw memory, the tables that hold work, those that hold history, and latencies, over time."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    last = soaked.samples[-1].sizes
    history = sorted(set(last) - set(WORKING), key=lambda name: -(last[name].heap_mib + last[name].indexes_mib))
    panels: list[tuple[str, Series, bool]] = [
        ("memory, MiB", _memory(soaked), False),
        ("what holds work, MiB", _whole(WORKING), True),
        ("rows", {"deliveries that wait": _pending, **_dead(WORKING)}, False),
        ("what holds history, MiB", _whole(history[:DRAWN_MAX]), False),
        ("milliseconds", _latencies(), True),
    ]
    chart, axes = pyplot.subplots(len(panels), 1, figsize=(11, 3 * len(panels)), sharex=True, layout="constrained")
    minutes = [sample.at_s / 60 for sample in soaked.samples]
    for (title, series, logarithmic), axis in zip(panels, axes, strict=True):
        for name, read in series.items():
            values = [read(sample) for sample in soaked.samples]
            if max(values) > 0:
                axis.plot(minutes, values, label=name, linewidth=1)
        if logarithmic:
            axis.set_yscale("log")
        else:
            axis.set_ylim(bottom=0)
        axis.set_ylabel(title, fontsize=8)
        axis.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
        axis.spines[["top", "right"]].set_visible(False)
    axes[-1].set_xlabel("minutes", fontsize=8)
    chart.suptitle(f"Rollbook under a steady load\n{machine}", fontsize=9)
    chart.savefig(path, dpi=120)
    pyplot.close(chart)


def _settled(soaked: Soaked) -> dict[str, list[float]]:
    """The values, since the warm-up, that the summary shows."""
    settled = {name: [read(sample) for sample in soaked.settled] for name, read in _series(soaked).items()}
    last = soaked.samples[-1].sizes
    small = {name for name, size in last.items() if size.heap_mib + size.indexes_mib < GREW_MIB_MIN}
    return {
        name: values
        for name, values in settled.items()
        if any(values) and name.partition(", ")[0] not in small - set(WORKING)
    }


def _series(soaked: Soaked) -> Series:
    """Every series of the report, by name."""
    names = sorted(soaked.samples[-1].sizes)
    return {
        **{f"{name}, MiB": read for name, read in _memory(soaked).items()},
        **{f"{name}, ms": read for name, read in _latencies().items()},
        "deliveries that wait, rows": _pending,
        **{f"{name}, MiB": read for name, read in (_tables(names) | _indexes(names)).items()},
        **{f"{name}, rows": read for name, read in _dead(names).items()},
    }


def _memory(soaked: Soaked) -> Series:
    def reader(name: str) -> Reading:
        return lambda sample: sample.memory_mib.get(name, 0.0)

    return {name: reader(name) for name in sorted({name for sample in soaked.samples for name in sample.memory_mib})}


def _latencies() -> Series:
    def reader(kind: str, share: float) -> Reading:
        return lambda sample: percentile(sample.latencies_ms[kind] or [0.0], share)

    return {
        f"{kind}, p{share * 100:.0f}": reader(kind, share) for kind in ("requests", "webhooks") for share in PERCENTILES
    }


def _pending(sample: Sample) -> float:
    return sample.pending


def _of_tables(names: Iterable[str], ending: str, read: Callable[[Size], float]) -> Series:
    def reader(name: str) -> Reading:
        return lambda sample: read(sample.sizes[name]) if name in sample.sizes else 0.0

    return {f"{name}{ending}": reader(name) for name in names}


def _tables(names: Iterable[str]) -> Series:
    return _of_tables(names, "", lambda size: size.heap_mib)


def _indexes(names: Iterable[str]) -> Series:
    return _of_tables(names, ", its indexes", lambda size: size.indexes_mib)


def _whole(names: Iterable[str]) -> Series:
    return _of_tables(names, "", lambda size: size.heap_mib + size.indexes_mib)


def _dead(names: Iterable[str]) -> Series:
    return _of_tables(names, ", dead", lambda size: size.dead)
