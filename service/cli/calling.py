"""Options and outcomes that commands share: where the API is, the key, JSON output, pages, confirmation."""

import sys
from collections.abc import Coroutine
from typing import Annotated, Any

import typer

from service import settings
from service.cli.output import Output, complain

DEVELOPMENT_KEY = "sk_test_rollbook"  # as in service.commands.keys, whose import takes a while

ApiKey = Annotated[str, typer.Option(help="secret key to call the API with", envvar="ROLLBOOK_API_KEY", metavar="KEY")]
ApiUrl = Annotated[
    str,
    typer.Option(help="URL of the API; unset: that of ROLLBOOK_HOST and _PORT", envvar="ROLLBOOK_URL", metavar="URL"),
]
Json = Annotated[bool, typer.Option("--json", help="print JSON", metavar="")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="skip the confirmation", metavar="")]
Limit = Annotated[int, typer.Option(help="number of rows", min=1, metavar="N")]
All = Annotated[bool, typer.Option("--all", help="all rows", metavar="")]
StartingAfter = Annotated[
    str | None, typer.Option(help="id of the last row of the page before", metavar="ID", show_default=False)
]


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine on uvloop."""
    import uvloop

    uvloop.run(work)


def call(work: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine that calls the API; what it refuses is one line, and exit code 1."""
    from service import client

    try:
        run(work)
    except (client.Refused, client.Away) as error:
        complain(error)
        raise typer.Exit(1) from None


def url_of(given: str) -> str:
    """The URL of the API: the one that was given, or where `rollbook api` listens with these settings."""
    if given:
        return given
    read = settings.read()
    return f"http://{read.host}:{read.port}"


def output(json: bool) -> Output:
    """Where a command prints its results."""
    return Output(json=json)


def confirm(question: str, *, yes: bool) -> None:
    """Go on if `yes` or the answer at the terminal is yes; where nobody can be asked, a usage error (exit code 2)."""
    if yes:
        return
    if not sys.stdin.isatty():
        print(f"{question} Not confirmed: say --yes where nobody can be asked.", file=sys.stderr)
        raise typer.Exit(2)
    typer.confirm(question, abort=True, err=True)
