"""Stack traces for log lines: types of exceptions and locations in our own code, without messages and without values.

A parser's, a driver's or a library's message quotes what it failed on: the bytes of a request, a row, a card number. So
of an exception only its type is logged, with the SQLSTATE or errno it may carry, and the lines of our own source that
it passed through. The messages of our own errors (`events.errors`) are made of ids and positions and are shown, but for
refusals, which quote their caller.
"""

import os
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from events import errors
from events.errors import Refusal

ROOT = Path(__file__).resolve().parents[1]
OWN_CODE = tuple(str(ROOT / package) + os.sep for package in ("events", "projections", "webhooks", "service"))
FRAMES_MAX = 30
LINKED_MAX = 8  # exceptions of one chain or group that are shown


def render(error: BaseException) -> str:
    """The stack trace of an exception and of those that caused it, the first cause first."""
    shown = []
    for number, (link, linked) in enumerate(_chain(error)):
        if number == LINKED_MAX:
            shown.append("... and others")
            break
        shown.append(f"{link}{_one(linked)}")
    return "\n".join(reversed(shown))


def formatter(
    file: TextIO, exc_info: tuple[type[BaseException], BaseException, TracebackType | None]
) -> None:  # the form that structlog's ConsoleRenderer asks for
    """Format the stack trace of an exception."""
    file.write(render(exc_info[1]))


def raised(exc_info: Any) -> BaseException | None:
    """The exception that a log call means by `exc_info`: an exception, a triple of it, or True for the current one."""
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple):
        return exc_info[1] if isinstance(exc_info[1], BaseException) else None
    return sys.exc_info()[1] if exc_info else None


def _chain(error: BaseException) -> Iterator[tuple[str, BaseException]]:
    """The exception, what it was raised from or during, and the members of a group, each with how it is linked."""
    waiting, seen = [("", error)], set[int]()
    while waiting:
        link, one = waiting.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield link, one
        if isinstance(one, BaseExceptionGroup):
            waiting.extend(("", member) for member in one.exceptions)
        if one.__cause__ is not None:
            waiting.append(("", one.__cause__))
        elif one.__context__ is not None and not one.__suppress_context__:
            waiting.append(("", one.__context__))


def _one(error: BaseException) -> str:
    frames = [
        (frame, line)
        for frame, line in traceback.walk_tb(error.__traceback__)
        if frame.f_code.co_filename.startswith(OWN_CODE)
    ]
    summary = traceback.StackSummary.extract(iter(frames[-FRAMES_MAX:]), lookup_lines=True)
    return "".join((*summary.format(), named(error)))


def named(error: BaseException) -> str:
    """The type of an exception, and of its message only what cannot quote anything."""
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    if kind.__module__ == errors.__name__ and not isinstance(error, Refusal):
        return f"{name}: {error}"
    sqlstate = getattr(error, "sqlstate", None)  # asyncpg's
    if isinstance(sqlstate, str):
        return f"{name} (SQLSTATE {sqlstate})"
    if isinstance(error, OSError) and error.errno is not None:
        return f"{name} (errno {error.errno}: {os.strerror(error.errno)})"
    return name
