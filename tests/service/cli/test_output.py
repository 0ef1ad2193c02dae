"""Output of commands: what fits a terminal, what a pipe gets, and what a terminal is kept from."""

import io
import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from service.cli.output import Output, complain, escaped, json_text, say


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Jenny Rosén 日本", "Jenny Rosén 日本"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("a\x9b31mb\x7f", "a\\x9b31mb\\x7f"),
        ("abc\u202edef\u2028", "abc\\u202edef\\u2028"),
        ("\U000e0041", "\\U000e0041"),
        ("👨\u200d👩\u200d👧", "👨\u200d👩\u200d👧"),
    ],
)
def test_control_characters_are_escaped(text: str, shown: str) -> None:
    assert escaped(text) == shown


def test_lines_that_quote_others_keep_their_line_ends_alone(capsys: pytest.CaptureFixture[str]) -> None:
    said = "evt_1  -> the answer begins with \x1b[31m\rOK\nand goes on\x9b"
    shown = "evt_1  -> the answer begins with \\x1b[31m\\x0dOK\nand goes on\\x9b\n"
    say(said)
    complain(ValueError(said))
    assert capsys.readouterr() == (shown, shown)


@given(st.text())
def test_json_is_printable_and_says_the_same(text: str) -> None:
    printed = json_text({"text": text})
    assert json.loads(printed) == {"text": text}
    assert escaped(printed.replace("\n", "")) == printed.replace("\n", "")


def printed(rows: Sequence[Sequence[str]], *, width: int, terminal: bool) -> list[str]:
    file = io.StringIO()
    console = Console(file=file, width=width, force_terminal=terminal, no_color=True, highlight=False)
    Output(console=console).table(("id", "url", "state"), rows)
    lines = file.getvalue().replace("\x1b[1m", "").replace("\x1b[0m", "").replace("\x1b[2m", "").splitlines()
    return [line.rstrip() for line in lines]


ROWS = [("we_1", "https://example.com/" + "x" * 60, "enabled"), ("we_2", "[b]\x1b", "")]


def test_a_narrow_terminal_gets_records_whole() -> None:
    assert printed(ROWS, width=80, terminal=True) == [
        "id     we_1",
        "url    https://example.com/" + "x" * 60,
        "state  enabled",
        "",
        "id   we_2",
        "url  [b]\\x1b",
    ]


def test_a_wide_terminal_and_a_pipe_get_a_line_a_row() -> None:
    table = printed(ROWS, width=200, terminal=True)
    assert len(table) == 3
    assert printed(ROWS, width=80, terminal=False) == table
    assert table[1].split() == list(ROWS[0])
