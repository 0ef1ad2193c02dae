"""What `rollbook verify` does: the log against itself and against checkpoints, and read models against the log."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from events import published_checkpoint
from events.checkpoint import Checkpoint, InvalidNote, Verifier
from events.checkpoint_keys import CheckpointKeys
from events.verify import Broken, read_checkpoint
from events.verify_database import DatabaseVerifier
from service import checkpoint_key, refold
from service.cli import admin
from service.cli.output import Output
from service.settings import Misconfigured, Settings
from service.wiring import Core

STREAMS = "SELECT count(*) FROM events.stream"


async def verify(
    read: Settings, out: Output, *, sample: int | None, checkpoints: Sequence[Path], keys: Sequence[str]
) -> None:
    """Verify everything. Exit code 1 where something is not as it was written."""
    verifiers = _verifiers(read, keys)
    outside = _outside(read, checkpoints, verifiers)

    async def work(core: Core) -> None:
        verifier = DatabaseVerifier(core.pool, outside=outside, keys=verifiers)
        try:
            with _bar(out, "events") as bar:
                task = bar.add_task("", total=None)
                async for done in verifier.run():
                    bar.update(task, completed=done, total=verifier.total)
            compared = await _refold(core, out, sample)
        except (Broken, refold.Differs) as error:
            position = getattr(error, "position", None)
            out.document({"verified": False, "position": position, "reason": getattr(error, "reason", str(error))})
            out.line(f"BROKEN: {error}")
            raise typer.Exit(1) from None
        log = verifier.verifier
        out.document(
            {
                "verified": True,
                "events": log.size,
                "streams": len(log.streams),
                "checkpoints": verifier.checkpoints,
                "signatures": verifier.signatures,
                "checkpoints_from_outside": len(outside),
                "proven": log.proven,
                "refolded": compared,
            }
        )
        out.line(f"{log.size} events of {len(log.streams)} streams are as they were written.")
        out.line(
            f"Checkpoints prove those up to position {log.proven}: {verifier.checkpoints} stored, "
            f"{len(outside)} from outside."
        )
        out.line(f"The objects of {compared} streams are shown as their events say.")
        if not outside:
            out.line("Without a checkpoint from outside, a log that was rewritten with its checkpoints is not noticed.")

    await admin.over_core(read, work)


async def _refold(core: Core, out: Output, sample: int | None) -> int:
    compared, total = 0, sample
    if sample is None:
        total = await core.pool.fetchval(STREAMS)
    with _bar(out, "objects") as bar:
        task = bar.add_task("", total=total)
        async for compared in _compared(core, sample):
            bar.update(task, completed=compared)
    return compared


async def _compared(core: Core, sample: int | None) -> AsyncIterator[int]:
    if sample != 0:
        async for done in refold.streams(core, sample):
            yield done


def _bar(out: Output, what: str) -> Progress:
    return Progress(
        TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=out.remarks, transient=True
    )


def _verifiers(read: Settings, given: Sequence[str]) -> tuple[Verifier, ...]:
    """The keys that were given, or those of the key file."""
    if given:
        try:
            return tuple(Verifier.parse(key) for key in given)
        except InvalidNote as error:
            raise Misconfigured(f"--key: {error}") from None
    file = checkpoint_key.path(read)
    found: CheckpointKeys | None = None if file is None or not file.exists() else checkpoint_key.read(read, file)
    return () if found is None else found.verifiers


def _outside(read: Settings, files: Sequence[Path], keys: Sequence[Verifier]) -> list[Checkpoint]:
    """The checkpoints in files, and the newest in ROLLBOOK_CHECKPOINT_DIR."""
    if (files or read.checkpoint_dir) and not keys:
        raise Misconfigured("--key: checkpoints are verified with the verifier key of the log")
    try:
        found = [read_checkpoint(file, keys) for file in files]
        newest = published_checkpoint.read(read.checkpoint_dir, keys) if read.checkpoint_dir else None
    except InvalidNote as error:
        raise Misconfigured(f"--checkpoint: {error}") from None
    except OSError as error:
        raise Misconfigured(f"--checkpoint: {error.filename} cannot be read: {error.strerror}") from None
    return [*found, *([newest] if newest is not None else [])]
