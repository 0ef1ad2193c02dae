"""Tables as commands print them: a line a row, wider than most terminals where need be, for scripts read them too."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table

WIDTH_MIN = 240


def show(console: Console, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table; nothing in it is cut short, for half of an id is of no use."""
    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, no_wrap=True, overflow="ignore")
    for row in rows:
        table.add_row(*row)
    Console(file=console.file, width=max(console.width, WIDTH_MIN)).print(table)
