"""Checkpoints in a directory that an operator names: the newest, and the last one of each day.

    checkpoint               replaced by each newer one
    checkpoint-2026-11-27    the last one of that day (UTC)

Kept where those who can change the database cannot write, it shows a log that was rewritten or rolled back.
"""

import os
import tempfile
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from events.checkpoint import NOTE_BYTES_MAX, Checkpoint, Verifier, opened

NEWEST = "checkpoint"


def read(directory: Path, verifiers: Iterable[Verifier]) -> Checkpoint | None:
    """The newest checkpoint there; None without one. Raises OSError, InvalidNote."""
    try:
        with (directory / NEWEST).open(encoding="utf-8", errors="replace") as file:
            return opened(file.read(NOTE_BYTES_MAX + 1), verifiers)
    except FileNotFoundError:
        return None


def write(directory: Path, note: str, signed_at: datetime) -> None:
    """Replace the newest one, and that of its day. Raises OSError."""
    for name in (f"{NEWEST}-{signed_at:%Y-%m-%d}", NEWEST):
        file, unfinished = tempfile.mkstemp(prefix=f".{name}.", dir=directory)
        try:
            with os.fdopen(file, "w", encoding="utf-8") as writing:
                os.fchmod(file, 0o644)
                writing.write(note)
                writing.flush()
                os.fsync(writing.fileno())
            os.replace(unfinished, directory / name)
        except OSError:
            os.unlink(unfinished)
            raise
    _sync(directory)


def _sync(directory: Path) -> None:
    opened_directory = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened_directory)
    finally:
        os.close(opened_directory)
