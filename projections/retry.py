"""Retries of parked streams: each is taken in again, alone, and stays parked where that still fails."""

from collections.abc import Mapping
from typing import Protocol

import asyncpg

from events.database import Pool, load_sql
from projections.parked import ParkedStream, described, is_poison, listed, name_of, park, unpark
from projections.rebuild import shadow
from projections.rebuild.model import InlineModel
from projections.rebuild.write import upsert
from projections.runner import Projection, Touched

Retried = tuple[ParkedStream, str | None]  # and the error, if it is parked still


class Repair(Protocol):
    """Brings the rows of one stream to how it stands now, in the transaction of the caller."""

    async def __call__(self, connection: asyncpg.Connection, stream: Touched) -> None:
        """Raises whatever the stream still makes fail."""
        ...


def following(projection: Projection) -> Mapping[str, Repair]:
    """How a stream of a projection that follows is taken in, by the projection's name."""

    async def repair(connection: asyncpg.Connection, stream: Touched) -> None:
        await projection.apply(connection, [stream])

    return {name_of(projection.name): repair}


def inline(model: InlineModel) -> Mapping[str, Repair]:
    """How a stream of the inline read models is folded again. Appends wait meanwhile, as in an append."""

    async def repair(connection: asyncpg.Connection, stream: Touched) -> None:
        head = await connection.fetchval("SELECT position FROM events.head FOR UPDATE")
        made = await model.make(connection, [stream], head, contiguous=False)
        if made.parked:
            raise StillBroken(made.parked[0].error)
        for table in model.tables:
            await upsert(connection, shadow.CURRENT, table, made.rows[table.name])
        kind, _, id = stream.stream.partition("-")
        due = [(row[4], row[5]) for row in made.rows["due"]]
        await connection.execute(
            load_sql("projections", "drop_other_due"), kind, id, [task for task, _ in due], [of for _, of in due]
        )
        await connection.executemany(load_sql("projections", "put_due"), [row[:-1] for row in made.rows["due"]])

    return {model.name: repair}


class StillBroken(Exception):
    """The stream cannot be folded still; the message says why."""


async def retry(pool: Pool, repairs: Mapping[str, Repair], stream: str | None = None) -> list[Retried]:
    """Take parked streams in again, or only one; gives each with the error that it still has. Raises LogUnavailable."""
    retried: list[Retried] = []
    for one in await listed(pool):
        if stream is not None and one.stream != stream:
            continue
        touched = Touched(*one.scope, one.stream)
        error: str | None = None
        try:
            async with pool.acquire() as connection, connection.transaction():
                await repairs[one.projection](connection, touched)
                await unpark(connection, one.projection, [one.stream])
        except Exception as fault:
            if not is_poison(fault):
                raise
            error = str(fault) if isinstance(fault, StillBroken) else described(fault)
            async with pool.acquire() as connection:
                await park(connection, one.projection, one.scope, one.stream, error)
        retried.append((one, error))
    return retried
