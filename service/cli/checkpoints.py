"""What `rollbook checkpoint` and `rollbook checkpoint-key` do: the newest checkpoint, and the keys that sign them."""

from pathlib import Path

import typer

from events import checkpoint_keys
from events.checkpoint_keys import CheckpointKeys
from events.sealed_tree import SealedTree
from service import checkpoint_key
from service.cli import admin
from service.cli.output import Output, complain
from service.settings import Misconfigured, Settings
from service.wiring import Core


async def show_newest(read: Settings, out: Output) -> None:
    """Print the newest checkpoint, a signed note. Exit code 1 where there is none."""

    async def show(core: Core) -> None:
        newest = await SealedTree(core.pool).checkpoint()
        if newest is None:
            complain("No checkpoint was signed yet: a relay or a worker with ROLLBOOK_CHECKPOINT_KEY signs them.")
            raise typer.Exit(1)
        out.document(
            {
                "origin": newest.origin,
                "size": newest.size,
                "root": newest.root.hex(),
                "signed_at": newest.signed_at.isoformat(),
                "note": newest.note,
            }
        )
        if not out.json:
            print(newest.note, end="")

    await admin.over_core(read, show)


def show_key(read: Settings, out: Output) -> None:
    """Print the verifier key of the newest signing key."""
    keys = _read(read)
    out.document({"verifier_key": str(keys.verifiers[0])})
    if not out.json:
        print(keys.verifiers[0])


def new(read: Settings, out: Output, name: str) -> None:
    """Make the file of keys with a first one. Exit code 1 where it is there."""
    named = name or read.log_name or ("" if read.production else checkpoint_key.DEVELOPMENT_NAME)
    if not named:
        raise Misconfigured("ROLLBOOK_LOG_NAME: name the log, for everybody who verifies its checkpoints knows it so")
    file = _file(read)
    made = checkpoint_key.make(file, named)
    if made is None:
        complain(f"{file} is there already: `rollbook checkpoint-key rotate` makes a further key.")
        raise typer.Exit(1)
    _print(out, file, made)


def rotate(read: Settings, out: Output) -> None:
    """Put a new key in front."""
    _write(_file(read), _read(read).rotated(), out)


def retire(read: Settings, out: Output) -> None:
    """Leave no private key but the newest."""
    _write(_file(read), _read(read).retired(), out)


def list_all(read: Settings, out: Output) -> None:
    """Print the verifier key of every key there was."""
    _print(out, _file(read), _read(read))


def _file(read: Settings) -> Path:
    file = checkpoint_key.path(read)
    if file is None:
        raise Misconfigured("ROLLBOOK_CHECKPOINT_KEY: name the file of the keys that sign checkpoints")
    return file


def _read(read: Settings) -> CheckpointKeys:
    return checkpoint_key.read(read, _file(read))


def _write(file: Path, keys: CheckpointKeys, out: Output) -> None:
    try:
        checkpoint_keys.write(file, keys)
    except OSError as error:
        raise Misconfigured(f"ROLLBOOK_CHECKPOINT_KEY: {file} cannot be written: {error.strerror}") from None
    _print(out, file, keys)


def _print(out: Output, file: Path, keys: CheckpointKeys) -> None:
    signs = {signer.verifier for signer in keys.signers}
    out.document(
        {
            "file": str(file),
            "keys": [{"verifier_key": str(each), "signs": each in signs} for each in keys.verifiers],
        }
    )
    out.table(
        ("verifier key", "state"), [(str(each), "signs" if each in signs else "retired") for each in keys.verifiers]
    )
