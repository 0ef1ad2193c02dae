"""The commands `rollbook checkpoint-key`: keys that sign checkpoints of the log."""

from typing import Annotated

import typer

from service import settings
from service.cli.calling import Json, Yes, confirm, output

checkpoint_key_app = typer.Typer(no_args_is_help=True, help="Keys that sign checkpoints of the log, in a file.")


@checkpoint_key_app.command("new")
def checkpoint_key_new(
    name: Annotated[
        str,
        typer.Option(
            help="name of the log, such as rollbook.example.com/log; unset: ROLLBOOK_LOG_NAME", metavar="NAME"
        ),
    ] = "",
    json: Json = False,
) -> None:
    """Make the file of ROLLBOOK_CHECKPOINT_KEY with a first key, and print its verifier key."""
    from service.cli import checkpoints

    checkpoints.new(settings.read(), output(json), name)


@checkpoint_key_app.command("rotate")
def checkpoint_key_rotate(yes: Yes = False, json: Json = False) -> None:
    """Make a new key that signs; the one before it signs too, until it is retired."""
    from service.cli import checkpoints

    confirm("Make a new key that signs checkpoints?", yes=yes)
    checkpoints.rotate(settings.read(), output(json))


@checkpoint_key_app.command("retire")
def checkpoint_key_retire(yes: Yes = False, json: Json = False) -> None:
    """Destroy the private keys of all but the newest; their public keys stay listed."""
    from service.cli import checkpoints

    confirm("Destroy the older private keys?", yes=yes)
    checkpoints.retire(settings.read(), output(json))


@checkpoint_key_app.command("list")
def checkpoint_key_list(json: Json = False) -> None:
    """Print the verifier key of every key there was, the newest first."""
    from service.cli import checkpoints

    checkpoints.list_all(settings.read(), output(json))
