"""The `rollbook` command."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from events.errors import LogUnavailable
from service import observe, settings
from service.cli.calling import DEVELOPMENT_KEY, ApiKey, ApiUrl, call, run, url_of
from service.cli.webhooks import deliveries_app, endpoints_app
from service.dev.cluster import PostgresFailed

if TYPE_CHECKING:  # its import takes a while
    from service.wiring import Core

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="An event-sourced customer service.",
)
keys_app = typer.Typer(no_args_is_help=True, help="API keys.")
app.add_typer(keys_app, name="keys")
rebuild_app = typer.Typer(no_args_is_help=True, help="Rebuild read models from the log.")
app.add_typer(rebuild_app, name="rebuild")
subscribers_app = typer.Typer(no_args_is_help=True, help="Services that have notices from a queue of their own.")
app.add_typer(subscribers_app, name="subscribers")
app.add_typer(endpoints_app, name="endpoints")
app.add_typer(deliveries_app, name="deliveries")
console = Console()

ALL_ROLES = frozenset({"api", "relay", "worker"})


def main() -> None:
    """Run the command line."""
    try:
        app()
    except settings.Misconfigured as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    except (LogUnavailable, PostgresFailed) as error:
        print(error, file=sys.stderr)
        sys.exit(1)


def _over_core(work: Callable[["Core"], Awaitable[None]]) -> None:
    """Do what may be refused, or need a broker that is not there, and say so."""
    from events.errors import Refusal
    from service import commands
    from webhooks.amqp import BROKER_ERRORS

    try:
        asyncio.run(commands.over_core(settings.read(), work))
    except Refusal as refusal:
        print(refusal.message, file=sys.stderr)
    except BROKER_ERRORS as error:
        print(f"RabbitMQ: {str(error) or type(error).__name__}", file=sys.stderr)
    else:
        return
    raise typer.Exit(1)


def _play(roles: frozenset[str]) -> None:
    from service import roles as playing

    read = settings.read()
    observe.configure(level=read.log_level, production=read.production)
    run(playing.run(read, roles))


@app.command()
def serve() -> None:
    """Play every role in one process: API, relay, worker."""
    _play(ALL_ROLES)


@app.command()
def api() -> None:
    """Serve the HTTP API."""
    _play(frozenset({"api"}))


@app.command()
def relay() -> None:
    """Publish notices to RabbitMQ; one of several is active."""
    _play(frozenset({"relay"}))


@app.command()
def worker() -> None:
    """Deliver webhooks; any number of workers share the work."""
    _play(frozenset({"worker"}))


@app.command()
def listen(
    forward_to: Annotated[str, typer.Option(help="URL to post notices to, such as http://127.0.0.1:4242/webhook")],
    events: Annotated[
        list[str] | None, typer.Option(help="only notices of this type, like 'customer.*'; may be repeated")
    ] = None,
    since: Annotated[
        int | None, typer.Option(help="position to go on from; unset: what happens from now on", min=0)
    ] = None,
    api_key: ApiKey = DEVELOPMENT_KEY,
    url: ApiUrl = "",
) -> None:
    """Forward notices, signed like webhooks, to a receiver that only this machine can reach."""
    from service import listen as listening

    call(
        listening.run(
            url=url_of(url),
            key=api_key,
            forward_to=forward_to,
            types=tuple(events or ()),
            since=since,
            say=lambda line: print(line, flush=True),
        )
    )


@app.command()
def trigger(
    type: Annotated[str, typer.Argument(help="type of notice, like customer.created")] = "",
    list_all: Annotated[bool, typer.Option("--list", help="list the types there are recipes for")] = False,
    api_key: ApiKey = DEVELOPMENT_KEY,
    url: ApiUrl = "",
) -> None:
    """Have something realistic happen in test mode, so that a notice of this type is told."""
    from service import trigger as triggering

    if list_all:
        for known in sorted(triggering.RECIPES):
            print(known)
    else:
        call(triggering.run(url=url_of(url), key=api_key, type=type, say=print))


@app.command()
def asyncapi() -> None:
    """Print what services that listen on the broker find there, as an AsyncAPI document."""
    from service import asyncapi as described

    print(described.dumps(settings.read().exchange).decode())


@app.command()
def config() -> None:
    """Print every setting as it is in force, secrets hidden."""
    table = Table("variable", "value", "meaning")
    for row in settings.effective():
        table.add_row(*row)
    console.print(table)


@app.command()
def migrate() -> None:
    """Bring the database to the shape this version needs; safe to run from several places at once."""
    from service import commands

    asyncio.run(commands.migrate(settings.read(), console))


@keys_app.command("create")
def keys_create(
    account: Annotated[str, typer.Option(help="the account the key acts for; unset: a new one")] = "",
    live: Annotated[bool, typer.Option("--live", help="a live mode key instead of a test mode one")] = False,
    restricted: Annotated[
        list[str] | None, typer.Option(help="make an rk_ key with this right, like customers:read; may be repeated")
    ] = None,
    publishable: Annotated[bool, typer.Option("--publishable", help="make a pk_ key")] = False,
    name: Annotated[str, typer.Option(help="what to remember it by")] = "",
) -> None:
    """Issue an API key and print it, this once."""
    from service import commands

    asyncio.run(
        commands.create_key(
            settings.read(),
            console,
            account=account,
            live=live,
            rights=tuple(restricted or ()),
            publishable=publishable,
            name=name,
        )
    )


@keys_app.command("list")
def keys_list() -> None:
    """List the API keys of every account."""
    from service import commands

    asyncio.run(commands.list_keys(settings.read(), console))


@keys_app.command("revoke")
def keys_revoke(id: Annotated[str, typer.Argument(help="the key's id, key_…")]) -> None:
    """End an API key for good."""
    from service import commands

    asyncio.run(commands.revoke_key(settings.read(), console, id))


@subscribers_app.command("add")
def subscribers_add(
    name: Annotated[str, typer.Argument(help="what the subscriber is called; its queue is rollbook.NAME")],
    types: Annotated[list[str], typer.Option(help="types of notices, like 'customer.*'; may be repeated")],
    account: Annotated[str, typer.Option(help="only notices of this account")] = "*",
    mode: Annotated[str, typer.Option(help="only notices of this mode, live or test")] = "*",
) -> None:
    """Declare a subscriber's queue, or change what it is bound to; again after the broker was lost."""
    from service import subscribers

    _over_core(lambda core: subscribers.add(core, console, name=name, types=tuple(types), account=account, mode=mode))


@subscribers_app.command("list")
def subscribers_list() -> None:
    """List the subscribers, and how their queues are."""
    from service import subscribers

    _over_core(lambda core: subscribers.show(core, console))


@subscribers_app.command("remove")
def subscribers_remove(name: Annotated[str, typer.Argument(help="the subscriber's name")]) -> None:
    """Remove a subscriber and its queues, with what is in them."""
    from service import subscribers

    _over_core(lambda core: subscribers.remove(core, console, name))


@subscribers_app.command("replay")
def subscribers_replay(
    name: Annotated[str, typer.Argument(help="the subscriber's name")],
    start: Annotated[
        str, typer.Option("--from", help="position after which to begin, or a time such as 2026-11-23T12:00:00Z")
    ],
) -> None:
    """Put notices that were told before on one subscriber's queue, in order, and on no other."""
    from service import subscribers

    _over_core(lambda core: subscribers.replay_to(core, console, name, start))


@rebuild_app.command("customers")
def rebuild_customers() -> None:
    """Empty the customers' read model and fill it from the log."""
    from service import commands

    asyncio.run(commands.rebuild_customers(settings.read(), console))


@rebuild_app.command("search")
def rebuild_search() -> None:
    """Empty what customers are found by and fill it from the log."""
    from service import commands

    asyncio.run(commands.rebuild_search(settings.read(), console))
