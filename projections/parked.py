"""Parked streams (poison events): what a read model cannot take in is set aside alone, visibly, until it is mended.

A stream is parked for one projection. Its rows stay as they were, nobody else waits, and it is never skipped in
silence: it is in the table `projections.parked`, in the metric `projections_parked`, and in a log line. It is tried
again whenever it has new events, and by `rollbook parked retry`.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import asyncpg
import structlog

from events.database import Pool, load_sql
from events.errors import LogUnavailable
from events.scope import Scope

log = structlog.get_logger("projections")

LIST = "SELECT projection, stream, account, livemode, error, tries, parked_at FROM projections.parked ORDER BY 1, 2"
UNPARK = "DELETE FROM projections.parked WHERE projection = $1 AND stream = ANY ($2)"


NOT_POISON = (LogUnavailable, TimeoutError, OSError, asyncpg.InterfaceError, asyncpg.InternalClientError)
DATA_CLASSES = ("22", "23", "54")  # of PostgreSQL's errors: of data, of constraints, of limits


class ParkedStream(NamedTuple):
    """A stream that a projection could not take in."""

    projection: str
    stream: str
    account: str
    livemode: bool
    error: str
    tries: int
    parked_at: datetime

    @property
    def scope(self) -> Scope:
        """The account and mode of the stream."""
        return Scope(self.account, self.livemode)


async def park(connection: asyncpg.Connection, projection: str, scope: Scope, stream: str, error: str) -> None:
    """Park a stream, or count another try of one that is parked, in the transaction of the caller."""
    await connection.execute(load_sql("projections", "park"), projection, stream, *scope, error)
    log.error("projection.parked", projection=projection, stream=stream, error=error)


async def unpark(connection: asyncpg.Connection, projection: str, streams: Sequence[str]) -> None:
    """Forget streams that were taken in."""
    await connection.execute(UNPARK, projection, list(streams))


def is_poison(error: Exception) -> bool:
    """Whether an error is about what was to be stored, rather than about the database."""
    if isinstance(error, asyncpg.PostgresError):
        return str(error.sqlstate)[:2] in DATA_CLASSES
    return not isinstance(error, NOT_POISON)


def name_of(checkpoint: str) -> str:
    """The name of a projection, whose checkpoint has a number too."""
    return checkpoint.partition(".")[0]


def described(error: Exception) -> str:
    """An error without the data that it may quote: its class, and where it is one of ours its words."""
    words = str(error) if type(error).__module__ == "events.errors" else ""
    return f"{type(error).__name__}: {words}".removesuffix(": ")


async def listed(pool: Pool) -> list[ParkedStream]:
    """The streams that are parked, of every projection."""
    return [ParkedStream(*row) for row in await pool.fetch(LIST)]
