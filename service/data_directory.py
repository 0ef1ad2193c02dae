"""The data directory: the files of development (database, master key), and the errors when it is not writable."""

import os
from pathlib import Path

from service.settings import Misconfigured


def prepare(path: Path) -> Path:
    """The directory, made when missing. Raises Misconfigured when it cannot be made or written to."""
    directory = path.expanduser().absolute()
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise _unusable(directory, "is a file, not a directory") from None
    except OSError as error:
        raise _unusable(directory, f"cannot be made: {error.strerror}") from None
    if not os.access(directory, os.R_OK | os.W_OK | os.X_OK):
        raise _unusable(directory, "cannot be written to: Permission denied")
    return directory.resolve()


def _unusable(directory: Path, why: str) -> Misconfigured:
    return Misconfigured(f"ROLLBOOK_DATA_DIR: {directory} {why}. Set it to a directory that this user may write to.")
