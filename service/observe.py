"""Logging: one line for each unit of work, at its end; JSON in production, readable in development.

Lines carry ids, never personal data. The logger of a package bears its name.
"""

import logging
import sys
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any

import orjson
import structlog

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def configure(*, level: str, production: bool) -> None:
    """Set logging up, once, before anything is logged."""
    if production:
        structlog.configure(
            processors=[_json],
            wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
            logger_factory=structlog.BytesLoggerFactory(sys.stdout.buffer),
            cache_logger_on_first_use=True,
        )
    else:
        structlog.configure(
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty()),
            ],
            wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
            logger_factory=structlog.PrintLoggerFactory(sys.stdout),
            cache_logger_on_first_use=True,
        )
    logging.basicConfig(level=logging.WARNING, stream=sys.stdout, format="%(levelname)s %(name)s %(message)s")


def _json(logger: Any, level: str, line: MutableMapping[str, Any]) -> bytes:
    """One processor does it all: a line is written for every request."""
    line["level"] = level
    line["timestamp"] = datetime.now(UTC)
    if "exc_info" in line:
        structlog.processors.format_exc_info(logger, level, line)
    return orjson.dumps(line, default=str)
