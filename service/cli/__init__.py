"""The `rollbook` command."""

import asyncio
import io
import re
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from events.errors import LogUnavailable
from service import logging, settings
from service.cli.calling import DEVELOPMENT_KEY, ApiKey, ApiUrl, Json, Yes, call, confirm, output, run, url_of
from service.cli.master_key import master_key_app
from service.cli.output import complain, say
from service.cli.panels import PanelGroup
from service.cli.proof import checkpoint_key_app
from service.cli.replay import replay
from service.cli.webhooks import deliveries_app, endpoints_app
from service.dev.cluster import PostgresFailed

if TYPE_CHECKING:  # its import takes a while
    from service.wiring import Core

EXIT_CODES = (
    "Exit codes: 0 done; 1 refused, or a server cannot be reached; 2 invalid usage or settings, a retry does not help; "
    "130 interrupted."
)
SETTINGS = "Settings are environment variables: `rollbook config` prints each with its value and meaning."
SERVER_SETTINGS = (
    "Settings (environment variables): DATABASE_URL, AMQP_URL, ROLLBOOK_ENV, ROLLBOOK_MASTER_KEY (or "
    "ROLLBOOK_MASTER_KEY_FILE or ROLLBOOK_MASTER_KEY_COMMAND), ROLLBOOK_DATA_DIR, "
    "ROLLBOOK_LOG_LEVEL, {}. `rollbook config` prints all of them."
)
PERMISSIONS = (
    "audit:read, or RESOURCE:read or RESOURCE:write, where RESOURCE is coupons, customers, events, payment_methods, "
    "privacy, promotion_codes, sources, subscriptions, tax_ids, test_clocks, tokens or webhook_endpoints"
)

app = typer.Typer(
    cls=PanelGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="An event-sourced customer service.",
    epilog=f"{SETTINGS} {EXIT_CODES}",
)
keys_app = typer.Typer(no_args_is_help=True, help="API keys.")
app.add_typer(keys_app, name="keys")
app.add_typer(master_key_app, name="master-key")
app.command()(replay)
parked_app = typer.Typer(no_args_is_help=True, help="Streams that a read model cannot take in.")
app.add_typer(parked_app, name="parked")
subscribers_app = typer.Typer(no_args_is_help=True, help="Queues of services on RabbitMQ.")
app.add_typer(subscribers_app, name="subscribers")
app.add_typer(checkpoint_key_app, name="checkpoint-key")
app.add_typer(endpoints_app, name="endpoints")
app.add_typer(deliveries_app, name="deliveries")

SURROGATE = re.compile("[\ud800-\udfff]")
ALL_ROLES = frozenset({"api", "relay", "worker"})


def main() -> None:
    """Run the command line."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a locale whose encoding has not every character
    for word in sys.argv[1:]:
        if not word.isascii() and SURROGATE.search(word):  # what Python makes of bytes that it cannot decode
            complain(f"The argument {word!a} is not valid in the encoding of the locale.")
            sys.exit(2)
    for line in settings.unknown_variables():
        complain(line)
    try:
        app()
    except settings.Misconfigured as error:
        complain(error)
        sys.exit(2)
    except LogUnavailable as error:
        complain(getattr(error, "advised", error))
        sys.exit(2 if getattr(error, "hopeless", False) else 1)
    except PostgresFailed as error:
        complain(error)
        sys.exit(1)


def _version(wanted: bool) -> None:
    if wanted:
        from events.version import VERSION

        print(f"rollbook {VERSION}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="print the version", callback=_version, is_eager=True, metavar="")
    ] = False,
) -> None:
    """An event-sourced customer service."""


def _over_core(work: Callable[["Core"], Awaitable[None]], *, make: bool = False) -> None:
    """Do what may be refused, or need a broker that is not there, and say so."""
    from events.errors import Refusal
    from service import broker
    from service.cli import admin
    from webhooks.broker import broker_url
    from webhooks.broker.amqp import BROKER_ERRORS

    given = settings.read()
    broker.url(given)  # its files are read before a database is waited for
    try:
        asyncio.run(admin.over_core(given, work, make=make))
    except typer.Exit:  # a RuntimeError, as are some of the broker's
        raise
    except Refusal as refusal:
        complain(refusal.message)
    except BROKER_ERRORS as error:
        url = given.amqp_url
        cause = f": {error}" if url is None else f" at {broker_url.cause(url.get_secret_value(), error)}"
        complain("\n".join([f"RabbitMQ{cause}", *getattr(error, "__notes__", ())]))
    else:
        return
    raise typer.Exit(1)


def _play(roles: frozenset[str]) -> None:
    from service import roles as playing

    read = settings.read()
    logging.configure(level=read.log_level, production=read.production)
    run(playing.run(read, roles))


@app.command(epilog=SERVER_SETTINGS.format("ROLLBOOK_HOST, ROLLBOOK_PORT (8420)"))
def serve() -> None:
    """Run every role in one process: API, relay, worker."""
    _play(ALL_ROLES)


@app.command(epilog=SERVER_SETTINGS.format("ROLLBOOK_HOST, ROLLBOOK_PORT (8420), ROLLBOOK_POOL_SIZE_MAX"))
def api() -> None:
    """Serve the HTTP API; any number of processes."""
    _play(frozenset({"api"}))


@app.command(epilog=SERVER_SETTINGS.format("ROLLBOOK_EXCHANGE, ROLLBOOK_OPERATIONS_PORT"))
def relay() -> None:
    """Publish events to RabbitMQ; one of several processes is active."""
    _play(frozenset({"relay"}))


@app.command(epilog=SERVER_SETTINGS.format("ROLLBOOK_OPERATIONS_PORT, and those that begin with ROLLBOOK_WEBHOOK_"))
def worker() -> None:
    """Deliver webhooks; any number of processes share the work."""
    _play(frozenset({"worker"}))


@app.command()
def listen(
    forward_to: Annotated[
        str, typer.Option(help="URL to post events to, such as 127.0.0.1:4242/webhook", metavar="URL")
    ],
    events: Annotated[
        list[str] | None,
        typer.Option(help="filter by event type, such as 'customer.*'; repeatable", metavar="TYPE"),
    ] = None,
    since: Annotated[
        int | None,
        typer.Option(help="position to continue from; unset: only new events", min=0, metavar="POSITION"),
    ] = None,
    json: Json = False,
    api_key: ApiKey = DEVELOPMENT_KEY,
    url: ApiUrl = "",
) -> None:
    """Forward events, signed like webhooks, to a receiver that only this machine can reach.

    With --json each event that was answered is a line; remarks go to standard error.
    """
    from service import listen as listening

    call(
        listening.run(
            url=url_of(url),
            key=api_key,
            forward_to=forward_to,
            types=tuple(events or ()),
            since=since,
            say=complain if json else say,
            report=lambda done: print(done.json(), flush=True) if json else say(done.text()),
        )
    )


@app.command()
def trigger(
    type: Annotated[
        str, typer.Argument(help="type of event, like customer.created", metavar="TYPE", show_default=False)
    ] = "",
    list_all: Annotated[bool, typer.Option("--list", help="list the supported event types", metavar="")] = False,
    json: Json = False,
    api_key: ApiKey = DEVELOPMENT_KEY,
    url: ApiUrl = "",
) -> None:
    """Create an event of this type in test mode, with realistic objects."""
    from service import trigger as triggering

    out = output(json)
    if list_all:
        out.document(sorted(triggering.RECIPES))
        if not json:
            print("\n".join(sorted(triggering.RECIPES)))
    elif not type:
        raise typer.BadParameter("say which type of event; --list prints those there are recipes for")
    else:
        call(triggering.run(url=url_of(url), key=api_key, type=type, out=out))


@app.command()
def asyncapi() -> None:
    """Print an AsyncAPI document of the exchange, queues and messages on RabbitMQ."""
    from service import asyncapi as described

    print(described.dumps(settings.read().exchange).decode())


@app.command()
def config(json: Json = False) -> None:
    """Print the effective settings, with secrets masked."""
    out = output(json)
    rows = settings.effective()
    out.document([{"variable": name, "value": value, "meaning": meaning} for name, value, meaning in rows])
    out.table(
        ("variable", "value", "meaning"),
        [(name, "(unset)" if value is None else value, meaning) for name, value, meaning in rows],
    )


@app.command()
def migrate(
    check: Annotated[
        bool, typer.Option("--check", help="dry run: list pending migrations, exit 1 if there are any", metavar="")
    ] = False,
    json: Json = False,
) -> None:
    """Apply the database migrations of this version; safe to run concurrently.

    Run it as the role that owns the database, before the processes of a new version start.

    Processes of the previous version keep working.
    """
    from service.cli import admin

    if check:
        if not asyncio.run(admin.check_migrations(settings.read(), output(json))):
            raise typer.Exit(1)
    else:
        asyncio.run(admin.migrate(settings.read(), output(json)))


@app.command()
def verify(
    sample: Annotated[
        int | None,
        typer.Option(help="number of streams to fold, at random; unset: all", min=0, metavar="N", show_default=False),
    ] = None,
    checkpoint: Annotated[
        list[Path] | None, typer.Option(help="checkpoint that was kept elsewhere; repeatable", metavar="FILE")
    ] = None,
    key: Annotated[
        list[str] | None,
        typer.Option(help="verifier key of the log; unset: those of the key file; repeatable", metavar="KEY"),
    ] = None,
    json: Json = False,
) -> None:
    """Verify the log: hash chains, Merkle tree, checkpoints, no gap, and objects against their events.

    Exit code 1 where something is not as it was written; the first position is named.
    """
    from service.cli import verification

    asyncio.run(
        verification.verify(
            settings.read(), output(json), sample=sample, checkpoints=tuple(checkpoint or ()), keys=tuple(key or ())
        )
    )


@app.command()
def checkpoint(
    key: Annotated[
        bool, typer.Option("--key", help="print the verifier key (C2SP), to verify checkpoints with", metavar="")
    ] = False,
    json: Json = False,
) -> None:
    """Print the newest signed checkpoint of the log."""
    from service.cli import checkpoints

    if key:
        checkpoints.show_key(settings.read(), output(json))
    else:
        asyncio.run(checkpoints.show_newest(settings.read(), output(json)))


@app.command()
def roles(
    sql: Annotated[
        bool, typer.Option("--sql", help="print the statement that a superuser executes once", metavar="")
    ] = False,
    owner: Annotated[
        str, typer.Option(help="role that owns the database and migrates; unset: DATABASE_URL's", metavar="ROLE")
    ] = "",
    processes: Annotated[
        str, typer.Option(help="role that api, relay and worker log in as", metavar="ROLE")
    ] = "rollbook_processes",
    json: Json = False,
) -> None:
    """Show the PostgreSQL roles of a deployment, none of them a superuser."""
    from service.cli import admin

    admin.show_roles(settings.read(), output(json), sql=sql, owner=owner, processes=processes)


@app.command("history")
def show_history(
    id: Annotated[str, typer.Argument(help="id such as cus_..., or a stream such as subscriber-NAME", metavar="ID")],
    at: Annotated[
        str | None,
        typer.Option(help="show the object as it was: version, position:N or time", metavar="MOMENT"),
    ] = None,
    to: Annotated[str | None, typer.Option(help="show what changed from --at to this", metavar="MOMENT")] = None,
    json: Json = False,
) -> None:
    """Show every event of an object, who caused it and what it changed.

    Of any account, deleted or not. A moment is a version (12), a position (position:812) or a time
    (2026-11-01T12:00Z). Reading is recorded in the audit trail of the account.
    """
    from service.cli import history

    if to is not None and at is None:
        raise typer.BadParameter("--to needs --at")
    out = output(json)
    _over_core(lambda core: history.show(core, out, id, at, to))


@app.command()
def erase(
    customer: Annotated[str, typer.Argument(help="id of the customer", metavar="CUSTOMER", show_default=False)] = "",
    basis: Annotated[str, typer.Option(help="legal basis, stored with the erasure", metavar="TEXT")] = "GDPR Art. 17",
    cancel_subscriptions: Annotated[
        bool, typer.Option("--cancel-subscriptions", help="cancel those that run, which forbid it", metavar="")
    ] = False,
    list_all: Annotated[
        bool, typer.Option("--list", help="list the erasures of every account; with --json for --replay", metavar="")
    ] = False,
    replay: Annotated[
        Path | None, typer.Option(help="after a restore: erase again whom this list names", metavar="FILE")
    ] = None,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Erase a customer: delete it, and destroy the keys of its personal data.

    This cannot be undone. A legal hold forbids it. Keep the output of `rollbook erase --list --json` apart from the
    database: a restore of an older backup brings back whom it names.
    """
    from service.cli import erasure

    if bool(customer) + list_all + (replay is not None) != 1:
        raise typer.BadParameter("name a customer, --list or --replay FILE")
    out = output(json)
    if list_all:
        _over_core(lambda core: erasure.show(core, out))
    elif replay is not None:
        entries = erasure.read(replay)
        confirm(f"Erase the {len(entries)} customers of {replay}? This cannot be undone.", yes=yes)
        _over_core(lambda core: erasure.replay(core, out, entries))
    else:
        confirm(f"Erase {customer}? This cannot be undone.", yes=yes)
        _over_core(lambda core: erasure.erase(core, out, customer, basis, cancel_subscriptions=cancel_subscriptions))


@app.command()
def hold(
    customer: Annotated[str, typer.Argument(help="id of the customer", metavar="CUSTOMER")],
    reason: Annotated[
        str | None, typer.Option(help="place a legal hold for this reason, which is stored sealed", metavar="TEXT")
    ] = None,
    release: Annotated[bool, typer.Option("--release", help="release every hold of the customer", metavar="")] = False,
    json: Json = False,
) -> None:
    """Forbid the erasure of a customer (legal hold), or list its holds.

    Deleted customers may be held too.
    """
    from service.cli import erasure

    if reason is not None and release:
        raise typer.BadParameter("--reason places a hold and --release ends them: give one of them")
    if reason is not None and not reason.strip():
        raise typer.BadParameter("--reason is empty")
    out = output(json)
    _over_core(lambda core: erasure.hold(core, out, customer, reason, release=release))


@app.command()
def retain(
    erase_deleted_after: Annotated[
        str, typer.Option(help="days since its deletion, such as 90d, after which a customer is erased", metavar="DAYS")
    ],
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Erase every customer, of every account, that was deleted long enough ago.

    This cannot be undone. Who is under a legal hold is left. Workers do the same every hour where
    ROLLBOOK_ERASE_DELETED_AFTER_DAYS is set.
    """
    from service.cli import erasure

    found = re.fullmatch(r"(\d{1,5})d", erase_deleted_after, re.ASCII)
    if found is None:
        raise typer.BadParameter("--erase-deleted-after takes a number of days, such as 90d")
    confirm(f"Erase every customer deleted over {erase_deleted_after} ago? This cannot be undone.", yes=yes)
    out = output(json)
    _over_core(lambda core: erasure.retain(core, out, int(found[1])))


@app.command("export")
def export_log(
    to: Annotated[
        Path | None, typer.Option(help="file of the events; continued if it is an export already", metavar="FILE")
    ] = None,
    keys: Annotated[
        Path | None,
        typer.Option(help="file of the wrapped keys that unseal personal data", metavar="FILE"),
    ] = None,
    format: Annotated[Literal["ndjson"], typer.Option(help="CloudEvents 1.0, a line of JSON each")] = "ndjson",
    json: Json = False,
) -> None:
    """Export the log, of every account, to a file.

    An export that was killed is continued by the same command, and one of yesterday gets what is new.
    """
    from service.cli import export

    if to is None and keys is None:
        raise typer.BadParameter("name a file in --to, --keys or both")
    out = output(json)
    _over_core(lambda core: export.export_log(core, out, to, keys))


@app.command("import")
def import_log(
    file: Annotated[Path, typer.Argument(help="an export", metavar="FILE")],
    keys: Annotated[Path | None, typer.Option(help="file of the wrapped keys", metavar="FILE")] = None,
    json: Json = False,
) -> None:
    """Import an export into an empty database, and verify every chain.

    Without DATABASE_URL a database is made in ROLLBOOK_DATA_DIR, where no service may have been started before.

    An import that was killed is continued by the same command. Rebuild the read models afterwards.
    """
    from service.cli import export

    out = output(json)
    _over_core(lambda core: export.import_log(core, out, file, keys), make=file.is_file())


@keys_app.command("create")
def keys_create(
    account: Annotated[
        str,
        typer.Option(help="account of the key; unset: a new one (sk_test_rollbook's is acct_rollbook)", metavar="ID"),
    ] = "",
    live: Annotated[
        bool, typer.Option("--live", help="create a live mode key; the default is test mode", metavar="")
    ] = False,
    restricted: Annotated[
        list[str] | None,
        typer.Option(help=f"permission of a restricted (rk_) key; repeatable: {PERMISSIONS}", metavar="PERMISSION"),
    ] = None,
    publishable: Annotated[
        bool, typer.Option("--publishable", help="create a publishable (pk_) key", metavar="")
    ] = False,
    name: Annotated[str, typer.Option(help="description of the key", metavar="TEXT")] = "",
    json: Json = False,
) -> None:
    """Create an API key and print it; it cannot be shown again."""
    from service.cli import admin

    asyncio.run(
        admin.create_key(
            settings.read(),
            output(json),
            account=account,
            live=live,
            permissions=tuple(restricted or ()),
            publishable=publishable,
            name=name,
        )
    )


@keys_app.command("list")
def keys_list(json: Json = False) -> None:
    """List the API keys of every account."""
    from service.cli import admin

    asyncio.run(admin.list_keys(settings.read(), output(json)))


@keys_app.command("revoke")
def keys_revoke(
    id: Annotated[str, typer.Argument(help="the key's id, key_…", metavar="KEY")], yes: Yes = False, json: Json = False
) -> None:
    """Revoke an API key permanently."""
    from service.cli import admin

    confirm(f"Revoke {id} permanently?", yes=yes)
    asyncio.run(admin.revoke_key(settings.read(), output(json), id))


@subscribers_app.command("add")
def subscribers_add(
    name: Annotated[str, typer.Argument(help="name of the subscriber; its queue is rollbook.NAME", metavar="NAME")],
    types: Annotated[list[str], typer.Option(help="event types, such as 'customer.*'; repeatable", metavar="TYPE")],
    account: Annotated[str, typer.Option(help="only events of this account", metavar="ID")] = "*",
    mode: Annotated[Literal["live", "test", "*"], typer.Option(help="only events of this mode")] = "*",
    json: Json = False,
) -> None:
    """Declare the queue of a subscriber, or change its bindings."""
    from service import subscribers

    out = output(json)
    _over_core(lambda core: subscribers.add(core, out, name=name, types=tuple(types), account=account, mode=mode))


@subscribers_app.command("list")
def subscribers_list(json: Json = False) -> None:
    """List the subscribers with the state of their queues."""
    from service import subscribers

    out = output(json)
    _over_core(lambda core: subscribers.show(core, out))


@subscribers_app.command("remove")
def subscribers_remove(
    name: Annotated[str, typer.Argument(help="the subscriber's name", metavar="NAME")],
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Remove a subscriber and delete its queues with the messages in them."""
    from service import subscribers

    confirm(f"Remove {name}, and delete its queues with the messages in them?", yes=yes)
    out = output(json)
    _over_core(lambda core: subscribers.remove(core, out, name))


@subscribers_app.command("replay")
def subscribers_replay(
    name: Annotated[str, typer.Argument(help="the subscriber's name", metavar="NAME")],
    start: Annotated[
        str,
        typer.Option("--from", help="position after which to begin, or a time such as 2026-11-23T12:00:00Z"),
    ],
    json: Json = False,
) -> None:
    """Publish past events to the queue of one subscriber, in order."""
    from service import subscribers

    out = output(json)
    _over_core(lambda core: subscribers.replay_to(core, out, name, start))


@app.command()
def rebuild(
    name: Annotated[
        str,
        typer.Argument(help="customers (with every object of the API) or search", metavar="NAME", show_default=False),
    ] = "",
    every: Annotated[bool, typer.Option("--all", help="every read model", metavar="")] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="only compare with what the log says; exit 1 if rows differ", metavar="")
    ] = False,
    rollback: Annotated[
        bool, typer.Option("--rollback", help="put the version before the last rebuild in use again", metavar="")
    ] = False,
    drop_previous: Annotated[
        bool, typer.Option("--drop-previous", help="drop the version kept for --rollback", metavar="")
    ] = False,
    workers: Annotated[int, typer.Option(help="processes that fill side by side", min=1, max=64, metavar="N")] = 2,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Rebuild a read model from the log beside the one in use, and swap them.

    The service goes on. A rebuild that was stopped goes on where it was when it is run again.

    Run it as the role that owns the database, as for migrate.
    """
    from service.cli import rebuilds

    if bool(name) == every or (name and name not in rebuilds.NAMES):
        raise typer.BadParameter(f"name one of {', '.join(rebuilds.NAMES)}, or say --all")
    if verify + rollback + drop_previous > 1:
        raise typer.BadParameter("--verify, --rollback and --drop-previous exclude each other")
    names, out, given = rebuilds.NAMES if every else (name,), output(json), settings.read()
    what = " and ".join(names)
    if verify:
        work = rebuilds.verify(given, out, names, workers=workers)
    elif rollback:
        confirm(f"Put the earlier version of {what} in use again?", yes=yes)
        work = rebuilds.rollback(given, out, names)
    elif drop_previous:
        confirm(f"Drop the earlier version of {what}?", yes=yes)
        work = rebuilds.drop_previous(given, out, names)
    else:
        confirm(f"Rebuild {what} from the log?", yes=yes)
        work = rebuilds.rebuild(given, out, names, workers=workers)
    asyncio.run(work)


@parked_app.command("list")
def parked_list(json: Json = False) -> None:
    """List the parked streams of every read model, with their errors."""
    from service.cli import rebuilds

    asyncio.run(rebuilds.list_parked(settings.read(), output(json)))


@parked_app.command("retry")
def parked_retry(
    stream: Annotated[
        str, typer.Argument(help="stream, such as customer-cus_…; unset: all", metavar="STREAM", show_default=False)
    ] = "",
    json: Json = False,
) -> None:
    """Take parked streams in again; exit 1 if one is parked still."""
    from service.cli import rebuilds

    asyncio.run(rebuilds.retry_parked(settings.read(), output(json), stream))
