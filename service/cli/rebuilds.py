"""Rebuilds of read models from the command line, and the streams that a read model cannot take in."""

from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from typing import Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from projections import parked
from projections.progress import Progress as Done
from projections.rebuild.bluegreen import Rebuilder
from projections.rebuild.compare import SHOWN_MAX
from projections.rebuild.model import InlineModel, Model, SearchModel
from projections.retry import following, inline, retry
from projections.search.rows import SearchProjection
from service.cli import admin
from service.cli.output import Output
from service.settings import Settings
from service.wiring import Core, inline_model

NAMES = ("customers", "search")


def _maker(settings: Settings, name: str) -> Callable[[], Model]:
    """What makes a model in any process."""
    return SearchModel if name == "search" else partial(inline_model, settings)


async def rebuild(settings: Settings, out: Output, names: Sequence[str], *, workers: int) -> None:
    """Fill the next version of read models and put them in use, with a progress bar; exit 1 if a stream is parked."""

    async def work(core: Core) -> None:
        done = []
        for name in names:
            rebuilder = Rebuilder(core.dsn, _maker(settings, name), workers=workers)
            events = await _show(out, name, rebuilder.rebuild())
            found = rebuilder.outcome
            differed = sum(len(comparison.differing) for comparison in found.comparisons)
            document = {"rebuilt": name, "events": events, "differed": differed, "parked": found.parked}
            done.append(document | {"writers_waited_ms": round(found.held_ms, 1)})
            out.line(f"{name} was rebuilt; {_rows(differed)} differed from those that were in use.")
            if found.parked:
                out.line(f"{found.parked} streams could not be read and are as they were: see `rollbook parked list`.")
        out.document(done[0] if len(done) == 1 else done)
        if any(document["parked"] for document in done):
            raise typer.Exit(1)

    await admin.over_core(settings, work)


async def verify(settings: Settings, out: Output, names: Sequence[str], *, workers: int) -> None:
    """Compare read models with what the log says, and name rows that differ; exit 1 if there are any."""

    async def work(core: Core) -> None:
        documents: list[dict[str, Any]] = []
        for name in names:
            rebuilder = Rebuilder(core.dsn, _maker(settings, name), workers=workers)
            await _show(out, name, rebuilder.verify())
            documents += [
                {
                    "table": found.table,
                    "rows": found.rows,
                    "rows_of_log": found.rows_next,
                    "checksum": found.checksum,
                    "checksum_of_log": found.checksum_next,
                    "differing": ["/".join(map(_word, key)) for key in found.differing[:SHOWN_MAX]],
                    "same": found.same,
                }
                for found in rebuilder.outcome.comparisons
            ]
        out.document(documents)
        columns = ("table", "rows", "rows_of_log", "checksum", "checksum_of_log", "same")
        out.table(columns, [tuple(str(document[column]) for column in columns) for document in documents])
        for document in documents:
            for key in document["differing"]:
                out.line(f"{document['table']} {key} differs")
        if not all(document["same"] for document in documents):
            raise typer.Exit(1)

    await admin.over_core(settings, work)


async def rollback(settings: Settings, out: Output, names: Sequence[str]) -> None:
    """Put the versions before in use again."""

    async def work(core: Core) -> None:
        for name in names:
            await Rebuilder(core.dsn, _maker(settings, name)).rollback()
            out.line(f"The earlier version of {name} is in use again, with what has happened since.")
        out.document({"rolled_back": list(names)})

    await admin.over_core(settings, work)


async def drop_previous(settings: Settings, out: Output, names: Sequence[str]) -> None:
    """Drop the versions that are kept for a rollback."""

    async def work(core: Core) -> None:
        for name in names:
            await Rebuilder(core.dsn, _maker(settings, name)).drop_previous()
            out.line(f"The earlier version of {name} is dropped.")
        out.document({"dropped": list(names)})

    await admin.over_core(settings, work)


async def _show(out: Output, what: str, work: AsyncIterator[Done]) -> int:
    """Draw the progress of some work, and give how many events that was."""
    bar = Progress(
        TextColumn(what),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]:,.0f} events/s"),
        TimeRemainingColumn(),
        console=out.remarks,
    )
    done = 0
    with bar:
        task = bar.add_task("rebuild", total=None, rate=0.0)
        async for progress in work:
            done = progress.done
            bar.update(task, completed=progress.done, total=progress.total, rate=progress.rate)
    return done


def _word(value: object) -> str:
    return ("live" if value else "test") if isinstance(value, bool) else str(value)


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"


async def list_parked(settings: Settings, out: Output) -> None:
    """Print the streams that a read model cannot take in."""

    async def work(core: Core) -> None:
        found = await parked.listed(core.pool)
        out.document([one._asdict() | {"parked_at": one.parked_at.isoformat()} for one in found])
        columns = ("read model", "stream", "error", "tries", "since")
        out.table(
            columns,
            [
                (one.projection, one.stream, one.error, str(one.tries), f"{one.parked_at:%Y-%m-%d %H:%M}")
                for one in found
            ],
        )

    await admin.over_core(settings, work)


async def retry_parked(settings: Settings, out: Output, stream: str) -> None:
    """Take parked streams in again; exit 1 if one is parked still."""

    async def work(core: Core) -> None:
        repairs = {**following(SearchProjection()), **inline(InlineModel(core.folds))}
        retried = await retry(core.pool, repairs, stream or None)
        out.document([{"projection": one.projection, "stream": one.stream, "error": error} for one, error in retried])
        for one, error in retried:
            out.line(f"{one.projection} {one.stream}: {error or 'taken in'}")
        if any(error for _, error in retried):
            raise typer.Exit(1)

    await admin.over_core(settings, work)
