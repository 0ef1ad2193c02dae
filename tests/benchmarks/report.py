"""The table, the CSV and the chart."""

import csv
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.benchmarks.figures import Figure, Missing
from tests.benchmarks.machine import Machine

COLUMNS = (
    "row",
    "what",
    "unit",
    "subject",
    "baseline",
    "baseline_is",
    "value",
    "value_unit",
    "lowest",
    "highest",
    "bound",
    "kept",
    "note",
    "machine",
)
KEPT, BROKEN, UNBOUND = "#2f9e6e", "#d1495b", "#6c7a89"


def print_table(console: Console, machine: Machine, figures: Sequence[Figure], missing: Sequence[Missing]) -> None:
    """Print the figures as a table."""
    table = Table(title="Rollbook benchmarks", caption=str(machine), caption_justify="left")
    for name in ("row", "what"):
        table.add_column(name)
    for name in ("measured", "baseline", "figure", "range", "promised"):
        table.add_column(name, justify="right")
    for figure in figures:
        mark = {True: " [green]✓[/]", False: " [red]✗[/]", None: ""}[figure.kept]
        note = f"\n[dim]{figure.note}[/]" if figure.note else ""
        table.add_row(
            figure.row,
            f"{figure.what}\n[dim]against: {figure.baseline_is}[/]{note}",
            f"{_short(figure.subject)} {figure.unit}",
            f"{_short(figure.baseline)} {figure.unit}",
            f"[bold]{_value(figure)}[/]{mark}",
            f"{_short(figure.lowest)} to {_short(figure.highest)}",
            str(figure.bound or ""),
        )
    for row in missing:
        table.add_row(row.row, f"[yellow]not measured: {row.why}[/]")
    console.print(table)


def write_csv(path: Path, machine: Machine, figures: Sequence[Figure], missing: Sequence[Missing]) -> None:
    """Write a line a figure; a row that is missing says why in its note."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for figure in figures:
            values = {name: getattr(figure, name) for name in COLUMNS if name != "machine"}
            writer.writerow(values | {"machine": machine, "bound": figure.bound or ""})
        for row in missing:
            writer.writerow({"row": row.row, "note": row.why, "machine": machine})


def write_chart(path: Path, machine: Machine, figures: Sequence[Figure]) -> None:
    """Draw the figures as bars, with what was promised as a line across each: ratios above, milliseconds below."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    panels = [
        (title, [figure for figure in figures if figure.value_unit == unit])
        for unit, title in (("ratio", "measured / baseline"), ("ms", "milliseconds"))
    ]
    panels = [(title, drawn) for title, drawn in panels if drawn]
    if not panels:
        return
    heights = [len(drawn) + 1 for _, drawn in panels]
    size = (11, 0.45 * sum(heights) + 1.2)
    chart, axes = pyplot.subplots(
        len(panels), 1, figsize=size, height_ratios=heights, squeeze=False, layout="constrained"
    )
    for (title, drawn), axis in zip(panels, axes[:, 0], strict=True):
        for row, figure in enumerate(drawn):
            colour = {True: KEPT, False: BROKEN, None: UNBOUND}[figure.kept]
            axis.barh(row, figure.value, color=colour, height=0.6)
            axis.plot([figure.lowest, figure.highest], [row, row], color="black", linewidth=1)
            if figure.bound is not None:
                axis.plot([figure.bound.limit] * 2, [row - 0.42, row + 0.42], color="black", linewidth=2)
            axis.annotate(
                f" {_value(figure)}" + (f"  ({figure.bound})" if figure.bound else ""),
                (max(figure.value, figure.highest, figure.bound.limit if figure.bound else 0), row),
                verticalalignment="center",
                fontsize=8,
            )
        axis.set_yticks(range(len(drawn)), [figure.what for figure in drawn], fontsize=8)
        axis.invert_yaxis()
        axis.margins(x=0.2)
        axis.set_xlabel(title, fontsize=8)
        axis.spines[["top", "right"]].set_visible(False)
    chart.suptitle(f"Rollbook benchmarks\n{machine}", fontsize=9)
    chart.savefig(path, dpi=150)
    pyplot.close(chart)


def _value(figure: Figure) -> str:
    return f"{_short(figure.value)} ms" if figure.value_unit == "ms" else f"{figure.value:.2f}"


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}"
