"""The signing key of checkpoints: the file of ROLLBOOK_CHECKPOINT_KEY; in development one made on the first run.

In production without one nothing is signed: the tree is sealed all the same, and /readyz and the metrics say so.
"""

import os
from pathlib import Path

import structlog

from events import checkpoint_keys
from events.checkpoint import InvalidNote
from events.checkpoint_keys import CheckpointKeys
from service import data_directory
from service.settings import Misconfigured, Settings

log = structlog.get_logger("service")

FILE = "checkpoint.key"
DEVELOPMENT_NAME = "rollbook.localhost"


def path(settings: Settings) -> Path | None:
    """Where the keys are, or would be made; None in production without ROLLBOOK_CHECKPOINT_KEY."""
    if settings.checkpoint_key is not None:
        return settings.checkpoint_key.expanduser()
    return None if settings.production else data_directory.prepare(settings.data_dir) / FILE


def require(settings: Settings) -> None:
    """Raises Misconfigured for a file of keys, or a directory of checkpoints, that cannot be used."""
    if settings.checkpoint_key is not None:
        read(settings, settings.checkpoint_key.expanduser())
    directory = settings.checkpoint_dir
    if directory is not None and not os.access(directory, os.R_OK | os.W_OK | os.X_OK):
        raise Misconfigured(f"ROLLBOOK_CHECKPOINT_DIR: {directory} is no directory that can be written to")


def prepared(settings: Settings) -> "KeyFile | None":
    """The keys to sign with; in development they are made if missing, where that can be done.

    Raises Misconfigured for a file in ROLLBOOK_CHECKPOINT_KEY that is none.
    """
    if settings.checkpoint_key is not None or settings.production:
        file = path(settings)
        return None if file is None else KeyFile(file, read(settings, file))
    try:
        file = data_directory.prepare(settings.data_dir) / FILE
        if not file.exists():
            make(file, settings.log_name or DEVELOPMENT_NAME)
        return KeyFile(file, read(settings, file))
    except Misconfigured as error:
        log.warning("checkpoint_key.missing", error=str(error))
        return None


def read(settings: Settings, file: Path) -> CheckpointKeys:
    """The keys in a file, which have the log's name. Raises Misconfigured."""
    try:
        keys = checkpoint_keys.read(file)
    except OSError as error:
        raise Misconfigured(
            f"ROLLBOOK_CHECKPOINT_KEY: {file} cannot be read: {error.strerror}; `rollbook checkpoint-key new` makes it"
        ) from None
    except InvalidNote as error:
        raise Misconfigured(f"ROLLBOOK_CHECKPOINT_KEY: {file} is no file of checkpoint keys: {error}") from None
    if settings.log_name not in (None, keys.name):
        raise Misconfigured(f"ROLLBOOK_LOG_NAME: the keys in {file} are of the log {keys.name}")
    return keys


def make(file: Path, name: str) -> CheckpointKeys | None:
    """Make a file with a first key; None where there is one. Raises Misconfigured."""
    try:
        made = checkpoint_keys.new(name)
        return made if checkpoint_keys.create(file, made) else None
    except InvalidNote as error:
        raise Misconfigured(f"ROLLBOOK_LOG_NAME: {error}") from None
    except OSError as error:
        raise Misconfigured(f"ROLLBOOK_CHECKPOINT_KEY: {file} cannot be written: {error.strerror}") from None


class KeyFile:
    """The keys as the file has them now: a rotation needs no restart. What cannot be read leaves them as they were."""

    def __init__(self, file: Path, keys: CheckpointKeys) -> None:
        self._file = file
        self._keys = keys
        self._fault: str | None = None

    def __call__(self) -> CheckpointKeys:
        """The keys."""
        try:
            keys = checkpoint_keys.read(self._file)
            if keys.name != self._keys.name:
                raise InvalidNote("its keys are of another log")
        except (OSError, InvalidNote) as error:
            if str(error) != self._fault:
                self._fault = str(error)
                log.warning("checkpoint_key.unreadable", error=self._fault)
        else:
            self._keys, self._fault = keys, None
        return self._keys
