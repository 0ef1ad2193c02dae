"""`rollbook export` and `rollbook import`: the log as a file, and back into an empty database."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from events import export, log_import
from events.database import connect
from events.export import ForeignFile
from events.log_import import NotImportable
from events.scope import Scope
from service.cli.output import Output
from service.commands import audit
from service.wiring import Core
from webhooks.broker import subscribers

WHOLE_LOG = Scope(subscribers.OWNER, subscribers.LIVEMODE)  # where reads of what is of all accounts are recorded


async def export_log(core: Core, out: Output, path: Path | None, keys: Path | None) -> None:
    """Write the log to a file, or continue that; and the keys to another."""
    connection = await connect(core.dsn, application="export")
    try:
        for what, file in (("events", path), ("keys", keys)):
            if file is not None:
                origin = audit.operator(WHOLE_LOG, core.clock)
                await audit.record_read(core.executor, origin, "rollbook export", filters={"what": what})
        written = {}
        if path is not None:
            written["events"] = await _progress(out, "export", export.export(connection, path))
        if keys is not None:
            written["keys"] = await export.export_keys(connection, keys)
    except (ForeignFile, OSError) as error:
        raise _refused(out, error, path or keys) from None
    finally:
        await connection.close()
    out.document(written)
    if path is not None:
        out.line(f"{path} has {written['events']:,} events.")
    if keys is not None:
        out.line(
            f"{keys} has {written['keys']:,} wrapped keys. Keep it apart from the events, and from the master key."
        )


async def import_log(core: Core, out: Output, path: Path, keys: Path | None) -> None:
    """Store the events of a file in the database, which is empty or has the first of them; and keys of another."""
    connection = await connect(core.dsn, application="import")
    try:
        stored = {"keys": 0 if keys is None else await log_import.load_keys(connection, keys, core.master_keys)}
        stored["events"] = await _progress(out, "import", log_import.load(connection, path))
    except (NotImportable, OSError) as error:
        raise _refused(out, error, path) from None
    finally:
        await connection.close()
    out.document(stored)
    out.line(f"The database has {stored['events']:,} events, each at its position, and every chain is whole.")
    if keys is None:
        out.line("Without keys, personal data stays sealed: `rollbook import FILE --keys FILE` adds them.")
    out.line("The read models are empty: rebuild them (`rollbook rebuild --help`).")


def _refused(out: Output, error: Exception, path: Path | None) -> typer.Exit:
    out.hint(f"{error.filename or path}: {error.strerror}" if isinstance(error, OSError) else str(error))
    return typer.Exit(1)


async def _progress(out: Output, what: str, work: AsyncIterator[tuple[int, int]]) -> int:
    """Draw the progress of some work, and give how many events are done at its end."""
    bar = Progress(
        TextColumn(what),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]:,.0f} events/s"),
        TimeRemainingColumn(),
        console=out.remarks,
    )
    done, first, started = 0, None, time.monotonic()
    with bar:
        task = bar.add_task(what, total=None, rate=0.0)
        async for done, total in work:
            first = done if first is None else first  # what an earlier run did counts for no rate
            rate = (done - first) / max(time.monotonic() - started, 1e-3)
            bar.update(task, completed=done, total=total, rate=rate)
    return done
