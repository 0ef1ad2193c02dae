"""Logging: one line for each unit of work, at its end; JSON in production, readable in development.

Lines carry ids, never personal data, and no values of variables. The logger of a package bears its name.
"""

import asyncio
import atexit
import logging
import sys
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any, BinaryIO

import orjson
import structlog

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def configure(*, level: str, production: bool) -> None:
    """Set logging up, once, before anything is logged."""
    if production:
        structlog.configure(
            processors=[_json],
            wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
            logger_factory=Lines(sys.stdout.buffer),
            cache_logger_on_first_use=True,
        )
    else:
        structlog.configure(
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                readable(colors=sys.stdout.isatty()),
            ],
            wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
            logger_factory=structlog.PrintLoggerFactory(sys.stdout),
            cache_logger_on_first_use=True,
        )
    logging.basicConfig(level=logging.WARNING, stream=sys.stdout, format="%(levelname)s %(name)s %(message)s")


def readable(*, colors: bool) -> structlog.dev.ConsoleRenderer:
    """Makes lines for people; their tracebacks do not show what variables hold."""
    return structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=structlog.dev.plain_traceback)


class Lines:
    """Writes lines as soon as the event loop is done with what is ready: under load several at a time."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._waiting: list[bytes] = []
        atexit.register(self._write)

    def __call__(self, *_: Any) -> "Lines":
        """The logger of every name; see structlog's logger factories."""
        return self

    def msg(self, line: bytes) -> None:
        """Have a line written."""
        self._waiting.append(line)
        if len(self._waiting) == 1:
            try:
                asyncio.get_running_loop().call_soon(self._write)
            except RuntimeError:  # no loop runs here
                self._write()

    debug = info = warning = error = critical = exception = msg

    def _write(self) -> None:
        lines, self._waiting = self._waiting, []
        if lines:
            self._file.write(b"\n".join(lines) + b"\n")
            self._file.flush()


def _json(logger: Any, level: str, line: MutableMapping[str, Any]) -> bytes:
    """One processor does it all: a line is written for every request."""
    line["level"] = level
    line["timestamp"] = datetime.now(UTC)
    if "exc_info" in line:
        structlog.processors.format_exc_info(logger, level, line)
    return orjson.dumps(line, default=str)
