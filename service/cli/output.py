"""Output of commands: tables and records for people, JSON for scripts.

A table that is wider than the terminal is printed as records, one field a line; into a pipe it is always a line a row,
and nothing in it is cut. Text from outside (names, URLs, answers of receivers) is printed with its control characters
escaped, so that it cannot command the terminal.
"""

import sys
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

GAP = 2
CONTROL = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})  # Unicode categories: controls, bidi overrides, separators of lines
JOINERS = "\u200c\u200d"  # of category Cf, and part of words and emoji
STATE_STYLES = {
    "active": "green",
    "closed": "green",
    "delivered": "green",
    "enabled": "green",
    "failed": "red",
    "missing": "red",
    "open": "red",
    "canceled": "dim",
    "disabled": "yellow",
    "half_open": "yellow",
    "held": "yellow",
    "paused": "yellow",
    "pending": "cyan",
    "revoked": "dim",
}


def escaped(text: str) -> str:
    """`text` with each control character as a backslash escape; safe to print to a terminal."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escape(each) if _controls(each) else each for each in text)


def say(text: str) -> None:
    """Print lines at once, each safe to print to a terminal: for what quotes servers and receivers."""
    print("\n".join(map(escaped, text.split("\n"))), flush=True)


def complain(text: object) -> None:
    """The same to standard error."""
    print("\n".join(map(escaped, str(text).split("\n"))), file=sys.stderr)


def _controls(character: str) -> bool:
    return unicodedata.category(character) in CONTROL and character not in JOINERS


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


class Output:
    """Where a command prints its results; `json` for JSON documents instead of text."""

    def __init__(self, *, json: bool = False, console: Console | None = None) -> None:
        self.json = json
        self.console = console or Console(highlight=False)
        # Progress and remarks go beside the results where somebody parses those.
        self.remarks = Console(stderr=True, highlight=False) if json else self.console

    def line(self, text: str) -> None:
        """A sentence for people; with JSON it goes to standard error."""
        self.remarks.print(escaped(text), markup=False, highlight=False, soft_wrap=True)

    def hint(self, text: str) -> None:
        """A remark that is no result, such as how to get the next page: to standard error."""
        print(escaped(text), file=sys.stderr)

    def document(self, value: Any) -> None:
        """A JSON document, where JSON is asked for; nothing otherwise."""
        if self.json:
            sys.stdout.write(json_text(value) + "\n")
            sys.stdout.flush()

    def record(self, shown: Mapping[str, str]) -> None:
        """The fields of one thing, a line each."""
        if self.json or not shown:
            return
        width = max(map(len, shown))
        for name, value in shown.items():
            line = Text(name.ljust(width) + " " * GAP, style="bold" if self.console.is_terminal else "")
            self.console.print(line.append(_styled(value)), soft_wrap=True)

    def table(self, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Rows in columns; as records where the terminal is too narrow for that."""
        if self.json:
            return
        cells = [[escaped(cell) for cell in row] for row in rows]
        widths = [max(map(cell_len, column)) for column in zip(headings, *cells, strict=True)]
        if self.console.is_terminal and sum(widths) + GAP * (len(widths) - 1) > self.console.width:
            for number, row in enumerate(cells):
                if number:
                    self.console.print()
                self.record({name: cell for name, cell in zip(headings, row, strict=True) if cell})
            return
        for number, row in enumerate([list(headings), *cells]):
            line = Text(style="bold" if number == 0 and self.console.is_terminal else "")
            for cell, width in zip(row, widths, strict=True):
                line.append(_styled(cell)).append(" " * (width - cell_len(cell) + GAP))
            line.rstrip()
            self.console.print(line, soft_wrap=True)


def json_text(value: Any) -> str:
    """An indented JSON document, printable on a terminal: the controls that JSON leaves as they are become escapes."""
    text = orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
    if text.isascii() and "\x7f" not in text:
        return text
    return "".join(
        each.encode("utf-16-be", "surrogatepass").hex("\n", 2).join(("\\u", "")).replace("\n", "\\u")
        if each != "\n" and _controls(each)
        else each
        for each in text
    )


def _styled(value: str) -> Text:
    return Text(escaped(value), style=STATE_STYLES.get(value, ""))
