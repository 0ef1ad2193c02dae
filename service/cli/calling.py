"""What the commands that call the API share: where it is, which key they call with, and how they end."""

import sys
from collections.abc import Coroutine
from typing import Annotated, Any

import typer

from service import settings

DEVELOPMENT_KEY = "sk_test_rollbook"  # as in service.keys, whose import takes a while

ApiKey = Annotated[str, typer.Option(help="secret key to call the API with", envvar="ROLLBOOK_API_KEY")]
ApiUrl = Annotated[
    str, typer.Option(help="where the API is; unset: where `rollbook api` would listen", envvar="ROLLBOOK_URL")
]


def run(work: Coroutine[Any, Any, None]) -> None:
    """Do something on a fast event loop."""
    import uvloop

    uvloop.run(work)


def call(work: Coroutine[Any, Any, None]) -> None:
    """Do what calls the API, and say what it declined."""
    from service import client

    try:
        run(work)
    except (client.Refused, client.Away) as error:
        print(error, file=sys.stderr)
        raise typer.Exit(1) from None


def url_of(given: str) -> str:
    """The URL of the API: the one that was given, or where it would listen."""
    read = settings.read()
    return given or f"http://{read.host}:{read.port}"
