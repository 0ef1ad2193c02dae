"""The command `rollbook replay`: the log up to a moment in a scratch schema, for questions in SQL."""

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from service import settings
from service.cli.calling import Json, output
from service.cli.output import complain

if TYPE_CHECKING:  # their import takes a while
    from service.cli.output import Output
    from service.wiring import Core


def replay(
    until: Annotated[
        str, typer.Option(help="last position, or time such as 2026-11-01T00:00Z", metavar="MOMENT", show_default=False)
    ] = "",
    start: Annotated[
        str,
        typer.Option(
            "--from",
            help="position or time after which to begin: then only what changed since is written",
            metavar="MOMENT",
            show_default=False,
        ),
    ] = "",
    into: Annotated[str, typer.Option(help="name of the schema to make", metavar="SCHEMA", show_default=False)] = "",
    drop: Annotated[
        str, typer.Option(help="drop a schema that a replay made", metavar="SCHEMA", show_default=False)
    ] = "",
    list_all: Annotated[bool, typer.Option("--list", help="list the schemas of replays", metavar="")] = False,
    json: Json = False,
) -> None:
    """Fold the log up to a moment into a scratch schema, to query it with SQL.

    Its tables are customer, resource, due and event. Run it as the role that owns the database.

    Nothing is published. The schema holds personal data, and erasures do not reach it: drop it after use.
    """
    from events.errors import BrokenHistory
    from projections.replay import NotReplayed
    from service.cli import admin

    if sum((bool(into or until or start), bool(drop), list_all)) != 1 or bool(into) != bool(until):
        raise typer.BadParameter("say --until MOMENT --into SCHEMA, or --drop SCHEMA, or --list")
    out = output(json)

    async def work(core: "Core") -> None:
        if into:
            await _fill(core, out, into, _moment(until, "--until"), _moment(start, "--from") if start else None)
        elif drop:
            await _drop(core, out, drop)
        else:
            await _list(core, out)

    try:
        asyncio.run(admin.over_core(settings.read(), work))
    except (NotReplayed, BrokenHistory) as error:
        complain(error)
        raise typer.Exit(1) from None


def _moment(text: str, option: str) -> int | datetime:
    from service.history import NUMBER, time_of

    try:
        return int(text) if NUMBER.fullmatch(text) else time_of(text)
    except ValueError as error:
        raise typer.BadParameter(f"{option}: {error}, and not a position") from None


async def _fill(core: "Core", out: "Output", schema: str, until: int | datetime, start: int | datetime | None) -> None:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from projections.replay import require_name
    from service.commands import replay as replays

    require_name(schema)
    bar = Progress(
        TextColumn("replay"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]:,.0f} events/s"),
        TimeRemainingColumn(),
        console=out.remarks,
    )
    async with replays.owners_connection(core) as connection:
        events = await replays.range_of(connection, until, start)
        replaying = replays.replay_over(core, connection)
        await replaying.create(schema)
        await replays.record(core, connection, schema, events)
        with bar:
            task = bar.add_task("replay", total=events.until, rate=0.0)
            async for progress in replaying.fill(schema, events):
                bar.update(task, completed=progress.done, rate=progress.rate)
        tables = ("customer", "due", "event", "resource")
        counts = {table: await connection.fetchval(f"SELECT count(*) FROM {schema}.{table}") for table in tables}
    out.document({"schema": schema, "after": events.after, "until": events.until, "rows": counts})
    out.line(f"{schema} has the log up to position {events.until}: " + ", ".join(f"{n} {t}" for t, n in counts.items()))
    out.line(f"Drop it after use: rollbook replay --drop {schema}")


async def _drop(core: "Core", out: "Output", schema: str) -> None:
    from projections import replay as projected
    from service.commands import replay as replays

    async with replays.owners_connection(core) as connection:
        await projected.drop(connection, schema)
    out.document({"schema": schema, "dropped": True})
    out.line(f"{schema} is dropped.")


async def _list(core: "Core", out: "Output") -> None:
    from projections import replay as projected
    from service.commands import replay as replays

    async with replays.owners_connection(core) as connection:
        found = await projected.scratch_schemas(connection)
    out.document([{"schema": name, "finished": finished} for name, finished in found.items()])
    out.table(("schema", "state"), [(name, "finished" if done else "unfinished") for name, done in found.items()])
