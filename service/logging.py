"""Logging: one line for each unit of work, at its end; JSON in production, readable in development.

Lines carry ids, never personal data, no values of variables, and no messages of foreign exceptions (see
`stack_traces`). The logger of a package bears its name; libraries' own lines are put into the same form.
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

from service import stack_traces

LIBRARY_MESSAGE_CHARACTERS_MAX = 500
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
    logging.basicConfig(level=logging.WARNING, handlers=[Libraries()])


def readable(*, colors: bool) -> structlog.dev.ConsoleRenderer:
    """Makes lines for people; their stack traces show no values and no foreign messages."""
    return structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=stack_traces.formatter)


class Libraries(logging.Handler):
    """Logs what libraries log through the standard library's `logging`: one line each, in our form.

    asyncio and aiohttp write what they failed on into their messages, the bytes of a request among it: of theirs only
    the fixed first line is logged.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Log a record."""
        quoting = record.name.partition(".")[0] in ("asyncio", "aiohttp")
        message = str(record.msg) if quoting else record.getMessage()
        error = stack_traces.raised(record.exc_info) if record.exc_info else None
        lines: dict[int, Any] = {logging.WARNING: _log.warning, logging.INFO: _log.info, logging.DEBUG: _log.debug}
        lines.get(record.levelno, _log.error)(
            "library.logged",
            logger=record.name,
            message=message.partition("\n")[0][:LIBRARY_MESSAGE_CHARACTERS_MAX],
            **({} if error is None else {"exc_info": error}),
        )


_log = structlog.get_logger("service")


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
        error = stack_traces.raised(line.pop("exc_info"))
        if error is not None:
            line["exception"] = stack_traces.render(error)
    return orjson.dumps(line, default=str)
