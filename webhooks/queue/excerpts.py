"""Redaction of attempts: an answer of a receiver may repeat the event, so an erasure empties what is kept of it."""

from collections.abc import Sequence

import asyncpg

from events.database import load_sql
from events.scope import Scope

BLANK = load_sql("webhooks", "blank_excerpts")


async def blank(connection: asyncpg.Connection, scope: Scope, sequences: Sequence[int]) -> None:
    """Empty the excerpts of every attempt at these notices; see projections.erasure.Redactor."""
    await connection.execute(BLANK, *scope, sequences)
