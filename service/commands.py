"""What the command line does to a running or a resting system, beside playing roles."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from events import database
from events.errors import Missing
from projections import rebuild
from projections.progress import Progress as Done
from service import keys, observe, tables
from service.dev.postgres import EmbeddedPostgres
from service.roles import database_url
from service.settings import Settings
from service.wiring import Core, build


@asynccontextmanager
async def _dsn(settings: Settings) -> AsyncIterator[str]:
    embedded = EmbeddedPostgres()
    try:
        yield await database_url(settings, embedded)
    finally:
        await asyncio.to_thread(embedded.stop)


@asynccontextmanager
async def _core(settings: Settings) -> AsyncIterator[Core]:
    observe.configure(level="warning", production=settings.production)
    async with _dsn(settings) as dsn:
        core = await build(settings, dsn)
        try:
            if not settings.production:
                await database.migrate(dsn)
            yield core
        finally:
            await core.close()


async def over_core(settings: Settings, work: Callable[[Core], Awaitable[None]]) -> None:
    """Do some work over a core of its own."""
    async with _core(settings) as core:
        await work(core)


async def migrate(settings: Settings, console: Console) -> None:
    """Apply what the database has not had, and say what that was."""
    async with _dsn(settings) as dsn:
        applied = await database.migrate(dsn)
    for name in applied:
        console.print(f"applied {name}")
    console.print("The database is up to date.")


async def create_key(
    settings: Settings,
    console: Console,
    *,
    account: str,
    live: bool,
    rights: tuple[str, ...],
    publishable: bool,
    name: str,
) -> None:
    """Issue a key and print it with its account."""
    if rights and publishable:
        raise typer.BadParameter("a publishable key has no rights to restrict")
    for right in rights:
        if right not in keys.RIGHTS:
            raise typer.BadParameter(f"{right} is no right; there are {', '.join(keys.RIGHTS)}")
    async with _core(settings) as core:
        account = account or keys.new_account()
        id, key = await keys.issue(
            core,
            account=account,
            livemode=live,
            power="publishable" if publishable else "restricted" if rights else "secret",
            rights=rights,
            name=name,
        )
    console.print(f"id       {id}\naccount  {account}\nkey      {key}", soft_wrap=True)
    console.print("The key is shown this once; only its digest is kept.")


async def list_keys(settings: Settings, console: Console) -> None:
    """Print a table of all keys."""
    async with _core(settings) as core:
        bodies = await core.reader.api_keys()
    tables.show(
        console,
        ("id", "account", "mode", "key", "power", "rights", "name", "state"),
        (
            (
                key["id"],
                key["account"],
                "live" if key["livemode"] else "test",
                key["key"],
                key["power"],
                " ".join(key["rights"]),
                key["name"],
                "revoked" if key["revoked"] else "active",
            )
            for key in map(orjson.loads, bodies)
        ),
    )


async def revoke_key(settings: Settings, console: Console, id: str) -> None:
    """End a key and say so."""
    async with _core(settings) as core:
        try:
            await keys.revoke(core, id)
        except Missing as missing:
            console.print(missing.message)
            raise typer.Exit(1) from None
    console.print(f"{id} is revoked.")


async def rebuild_customers(settings: Settings, console: Console) -> None:
    """Empty the customers' read model and fill it from the log, with a progress bar."""
    async with _core(settings) as core:
        await _show(console, "customers", rebuild.customers(core.dsn, core.codec, core.master_keys))
    console.print("The customers' read model was rebuilt.")


async def rebuild_search(settings: Settings, console: Console) -> None:
    """Empty what customers are found by and fill it from the log, with a progress bar."""
    async with _core(settings) as core:
        await _show(console, "search", rebuild.search(core.pool))
    console.print("What customers are found by was rebuilt.")


async def _show(console: Console, what: str, work: AsyncIterator[Done]) -> None:
    """Draw the progress of some work."""
    bar = Progress(
        TextColumn(what),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]:,.0f} events/s"),
        TimeRemainingColumn(),
        console=console,
    )
    with bar:
        task = bar.add_task("rebuild", total=None, rate=0.0)
        async for progress in work:
            bar.update(task, completed=progress.done, total=progress.total, rate=progress.rate)
