"""The commands `rollbook master-key`: a fresh key, what each key seals, and the rotation to the newest."""

import asyncio
import base64
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

import typer

from service import settings
from service.cli.calling import Json, Yes, confirm, output
from service.cli.output import complain

if TYPE_CHECKING:  # their import takes a while
    from events.rewrap import Known
    from service.cli.output import Output
    from service.wiring import Core

master_key_app = typer.Typer(no_args_is_help=True, help="The master key: make one, list what keys seal, rotate.")

NOTHING = "Everything is sealed by the newest master key, and the others are retired."


@master_key_app.command("new")
def new(json: Json = False) -> None:
    """Print a new master key: 32 random bytes in base64. It is stored nowhere."""
    key = base64.b64encode(os.urandom(32)).decode()
    output(json).document({"master_key": key})
    if not json:
        print(key)


@master_key_app.command("list")
def list_keys(json: Json = False) -> None:
    """List the master keys of the database with what each one seals, by the name of the key."""
    from service.cli import admin

    out = output(json)
    asyncio.run(admin.over_core(settings.read(), lambda core: _list(core, out)))


@master_key_app.command("rotate")
def rotate(yes: Yes = False, json: Json = False) -> None:
    """Seal everything by the newest master key, and retire the others.

    Before: give the new key first in every process, ROLLBOOK_MASTER_KEY=NEW,OLD.

    The service keeps running. A rotation that was killed is run again.

    Afterwards: remove OLD from every process, and destroy it.
    """
    from events.rewrap import NotRotated
    from service.cli import admin

    confirm("Seal everything by the newest master key, and retire the others for good?", yes=yes)
    out = output(json)
    try:
        asyncio.run(admin.over_core(settings.read(), lambda core: _rotate(core, out)))
    except NotRotated as error:
        complain(error)
        raise typer.Exit(1) from None


async def _list(core: "Core", out: "Output") -> None:
    from events import rewrap
    from webhooks.endpoints.rewrap import TABLES

    async with _connection(core) as connection:
        found = await rewrap.known(connection, core.master_keys, TABLES)
    out.document([_document(key, core) for key in found])
    out.table(
        ("name", "state", "since", "seals"),
        [
            (
                key.name.hex(),
                _state(key, core),
                _time(key.emptied_at or key.retired_at or key.registered_at) or "",
                ", ".join(f"{count.number} {count.what}" for count in key.counts) or "nothing",
            )
            for key in found
        ],
    )


async def _rotate(core: "Core", out: "Output") -> None:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from events import rewrap
    from projections.progress import Meter
    from webhooks.endpoints.rewrap import TABLES

    bar = Progress(
        TextColumn("master key"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]:,.0f}/s"),
        TimeRemainingColumn(),
        console=out.remarks,
    )
    done = 0
    async with _connection(core) as connection:
        before = await rewrap.known(connection, core.master_keys, TABLES)
        meter = Meter(sum(count.number for key in before for count in key.counts))
        with bar:
            task = bar.add_task("rotate", total=meter.total, rate=0.0)
            async for rows in rewrap.rotate(connection, core.master_keys, TABLES):
                done += rows
                bar.update(task, completed=done, rate=meter.at(done).rate)
        after = await rewrap.known(connection, core.master_keys, TABLES)
    newest = core.master_keys.names[0]
    sealed = sum(count.number for key in before if key.name != newest for count in key.counts)
    retired = [key.name.hex() for key in after if key.emptied_at is not None]
    out.document({"newest": newest.hex(), "resealed": sealed, "retired": retired})
    out.line(f"{sealed} keys and secrets were sealed anew by {newest.hex()}." if sealed else NOTHING)
    if retired:
        out.line(f"Retired: {', '.join(retired)}. Remove them from ROLLBOOK_MASTER_KEY, and destroy them.")


@asynccontextmanager
async def _connection(core: "Core") -> AsyncIterator[Any]:
    from events.database import connect

    connection = await connect(core.dsn, application="master key")
    try:
        yield connection
    finally:
        await connection.close()


def _state(key: "Known", core: "Core") -> str:
    if key.emptied_at is not None:
        return "retired"
    if key.retired_at is not None:
        return "retiring"
    if key.name not in core.master_keys.names:
        return "missing"
    return "newest" if key.name == core.master_keys.names[0] else "older"


def _document(key: "Known", core: "Core") -> dict[str, Any]:
    return {
        "name": key.name.hex(),
        "state": _state(key, core),
        "registered_at": _time(key.registered_at),
        "retired_at": _time(key.retired_at),
        "emptied_at": _time(key.emptied_at),
        "seals": {count.what: count.number for count in key.counts},
    }


def _time(at: datetime | None) -> str | None:
    return None if at is None else at.strftime("%Y-%m-%dT%H:%M:%SZ")
