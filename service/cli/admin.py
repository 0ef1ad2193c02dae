"""Administration from the command line: migrations, roles, API keys."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
import typer

from events.api_key import API_KEY, KeyType
from events.database_url import parse
from events.errors import Missing
from events.migrate import GRANTS
from events.migrate import check as check_database
from events.migrate import migrate as migrate_database
from events.outage import SERVICE_ROLE
from events.pooler import require_sessions
from events.roles import setup_statement
from events.scope import Scope
from events.unit_of_work import UnitOfWork
from service import logging, suitability
from service.cli.output import Output
from service.commands import keys
from service.dev import postgres
from service.dev.postgres import EmbeddedPostgres
from service.roles import database_url
from service.settings import Misconfigured, Settings
from service.wiring import Core, build
from webhooks.broker.subscriber import ACCOUNT


@asynccontextmanager
async def _dsn(settings: Settings, *, make: bool = False) -> AsyncIterator[str]:
    """The database of the service that a command looks after. Raises Misconfigured where there is none yet.

    A command makes no database: in another directory than the service's it would make a second one, and what it printed
    would be of no use there. Only an import does, for which a service that was started has an event too many.
    """
    if not make and settings.database_url is None and not postgres.is_made(settings.data_dir):
        raise Misconfigured(
            f"There is no database in {settings.data_dir.resolve()}: start the service there first, or name its data "
            "directory in ROLLBOOK_DATA_DIR or its database in DATABASE_URL."
        )
    embedded = EmbeddedPostgres()
    try:
        yield await database_url(settings, embedded)
    finally:
        await asyncio.to_thread(embedded.stop)


@asynccontextmanager
async def _core(settings: Settings, *, make: bool = False) -> AsyncIterator[Core]:
    logging.configure(level="warning", production=settings.production)
    async with _dsn(settings, make=make) as dsn:
        core = await build(settings, dsn)
        try:
            await suitability.prepare(core)
            yield core
        finally:
            await core.close()


async def over_core(settings: Settings, work: Callable[[Core], Awaitable[None]], *, make: bool = False) -> None:
    """Do some work over a core of its own; `make` the database in the data directory if there is none."""
    async with _core(settings, make=make) as core:
        await work(core)


async def migrate(settings: Settings, out: Output) -> None:
    """Apply what the database has not had, and print what that was."""
    async with _dsn(settings) as dsn:
        await require_sessions(dsn)
        applied = await migrate_database(dsn)
    out.document({"applied": applied})
    for name in applied:
        out.line(f"applied {_shown(name)}")
    out.line("The database is up to date.")


async def check_migrations(settings: Settings, out: Output) -> bool:
    """Print what `migrate` would apply; gives whether there is nothing. Raises DatabaseUnsuitable where it may not."""
    async with _dsn(settings) as dsn:
        await require_sessions(dsn)
        found = await check_database(dsn)
    out.document({"pending": found.pending, "newer": [*found.newer, *found.compatible], "edited": found.edited})
    if found.newer or found.edited:
        found.require()
    for name in found.pending:
        out.line(f"pending {_shown(name)}")
    if found.compatible:
        out.line("The database was migrated by a newer version, and this one works with it.")
    elif not found.pending:
        out.line("The database is up to date.")
    return not found.pending


def _shown(name: str) -> str:
    return f"{GRANTS}: the privileges of the role {SERVICE_ROLE}" if name == GRANTS else name


def show_roles(settings: Settings, out: Output, *, sql: bool, owner: str, processes: str) -> None:
    """Print what the roles are for, or the statement that makes them."""
    if not owner and settings.database_url is not None:
        owner = parse(settings.database_url.get_secret_value()).role
    if not owner:
        raise Misconfigured("--owner: name the role that owns the database, or set DATABASE_URL")
    statement = setup_statement(owner, processes)
    out.document({"owner": owner, "service": SERVICE_ROLE, "processes": processes, "sql": statement})
    if sql and not out.json:
        out.console.print(statement, end="", markup=False, highlight=False, soft_wrap=True)
    if sql:
        return
    out.record(
        {
            owner: "owns the database and its schemas; runs `rollbook migrate`",
            SERVICE_ROLE: "has the privileges of the service, owns nothing, cannot log in",
            processes: "api, relay and worker log in as it; a member of the one before, owns nothing",
        }
    )
    out.hint("A superuser makes them once: rollbook roles --sql | psql ...")


async def create_key(
    settings: Settings,
    out: Output,
    *,
    account: str,
    live: bool,
    permissions: tuple[str, ...],
    publishable: bool,
    name: str,
) -> None:
    """Issue a key and print it with its account."""
    if permissions and publishable:
        raise typer.BadParameter("a publishable key has no permissions to restrict")
    for permission in permissions:
        if permission not in keys.PERMISSIONS:
            raise typer.BadParameter(f"{permission} is not a permission; permissions are {', '.join(keys.PERMISSIONS)}")
    if account and not ACCOUNT.fullmatch(account):
        raise typer.BadParameter("an account's id has letters, digits, - and _ only: it is a word of AMQP routing keys")
    new = not account
    account = account or keys.new_account()
    key_type: KeyType = "publishable" if publishable else "restricted" if permissions else "secret"

    async def act(unit: UnitOfWork) -> tuple[str, str]:
        return await keys.issue(unit, key_type=key_type, permissions=permissions, name=name)

    async with _core(settings) as core:
        id, key = await core.executor.transact(act, keys.origin(Scope(account, live), core.clock))
    made = {"id": id, "account": account, "key": key}
    out.document(made)
    out.record(made)
    out.line("The key is shown this once; only its digest is kept.")
    if new:
        out.line(f"{account} is a new account: name it in --account for another key of it.")


def _listed(stored: dict[str, Any]) -> dict[str, Any]:
    """A key as it is printed; a process of the release before writes two fields under other names."""
    names = {"power": "key_type", "rights": "permissions"}
    return {names.get(name, name): value for name, value in stored.items()}


async def list_keys(settings: Settings, out: Output) -> None:
    """Print all keys, of every account."""
    async with _core(settings) as core:
        found = [_listed(orjson.loads(body)) for body in await core.reader.api_keys()]
    out.document(found)
    rows = [
        (
            key["id"],
            key["account"],
            "live" if key["livemode"] else "test",
            key["key"],
            key["key_type"],
            " ".join(key["permissions"]),
            key["name"],
            "revoked" if key["revoked"] else "active",
        )
        for key in found
    ]
    out.table(("id", "account", "mode", "key", "type", "permissions", "name", "state"), rows)


async def revoke_key(settings: Settings, out: Output, id: str) -> None:
    """Revoke a key."""

    async def act(unit: UnitOfWork) -> None:
        await keys.revoke(unit, id)

    async with _core(settings) as core:
        try:
            origin = keys.origin(await keys.scope_of(core.log, id), core.clock)
            await core.executor.transact(act, origin, serialized_on=(API_KEY.stream(id),))
        except Missing as missing:
            out.hint(missing.message)
            raise typer.Exit(1) from None
    out.document({"id": id, "revoked": True})
    out.line(f"{id} is revoked.")
