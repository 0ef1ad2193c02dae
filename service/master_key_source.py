"""The source of the master key: the environment, a file, or the output of a command, so that any KMS can hold it.

Without one, development makes a key on the first run and keeps it in the data directory. What a file or a command gives
is never shown: not in an error, and not in the log.
"""

import base64
import os
import re
import select
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from events.keys import MasterKeys
from service import data_directory
from service.settings import Misconfigured, Settings

MASTER_KEY_FILE = "master.key"
COMMAND_TIMEOUT_S = 30.0
BYTES_MAX = 64 * 1024  # of a file or an output: a thousand keys
REASON_MAX = 200
SECRET = re.compile(r"[A-Za-z0-9+/_=-]{20,}")  # what may be a key or a token, in what a command says of its failure
NO_KEY = "not a master key: 32 bytes in base64, or several of them separated by commas, the newest first"


def master_keys(settings: Settings) -> MasterKeys:
    """The master keys that were given; in development one made on the first run, kept in the data directory.

    Waits for a command, up to its timeout. Raises Misconfigured.
    """
    if settings.master_key is not None:
        return MasterKeys.parse(settings.master_key.get_secret_value())
    if settings.master_key_file is not None:
        return _of_file(settings.master_key_file)
    if settings.master_key_command is not None:
        return _of_command(settings.master_key_command.get_secret_value())
    assert not settings.production, "settings refuse production without a master key"
    return _of_development(settings.data_dir)


def _of_file(path: Path) -> MasterKeys:
    try:
        with path.expanduser().open("rb") as file:
            read = file.read(BYTES_MAX)
    except OSError as error:
        raise Misconfigured(f"ROLLBOOK_MASTER_KEY_FILE: {path} cannot be read: {error.strerror}") from None
    return _parse(read, f"ROLLBOOK_MASTER_KEY_FILE: {path} is {NO_KEY}")


def _of_command(command: str) -> MasterKeys:
    deadline = time.monotonic() + COMMAND_TIMEOUT_S
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            ["/bin/sh", "-c", command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        )
        assert process.stdout is not None
        try:
            output = _read(process.stdout.fileno(), deadline)
            code = process.wait(max(0.0, deadline - time.monotonic())) if len(output) < BYTES_MAX else 0
        except (TimeoutError, subprocess.TimeoutExpired):
            raise Misconfigured(
                f"ROLLBOOK_MASTER_KEY_COMMAND: the command has not ended within {COMMAND_TIMEOUT_S:g} s"
            ) from None
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # what it started, too
            process.wait()
            process.stdout.close()
        if code != 0:
            errors.seek(0)
            why = _reason(errors.read(BYTES_MAX))
            raise Misconfigured(f"ROLLBOOK_MASTER_KEY_COMMAND: the command {_ended(code)}{why}")
    return _parse(output, f"ROLLBOOK_MASTER_KEY_COMMAND: the output of the command is {NO_KEY}")


def _read(descriptor: int, deadline: float) -> bytes:
    """What is written to a pipe, of which so much is enough. Raises TimeoutError."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    read = b""
    while len(read) < BYTES_MAX:
        if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            raise TimeoutError
        part = os.read(descriptor, BYTES_MAX)
        if not part:
            break
        read += part
    return read


def _ended(code: int) -> str:
    return f"ended with exit code {code}" if code > 0 else f"was ended by signal {-code}"


def _reason(errors: bytes) -> str:
    """The last line of its errors, without what could be a secret."""
    lines = errors.decode(errors="replace").strip().splitlines()
    return f": {SECRET.sub('***', lines[-1])[:REASON_MAX]}" if lines else ""


def _parse(read: bytes, otherwise: str) -> MasterKeys:
    try:
        if len(read) >= BYTES_MAX:
            raise ValueError("too long")
        return MasterKeys.parse(read.decode().strip())
    except ValueError:
        raise Misconfigured(otherwise) from None


def _of_development(data_dir: Path) -> MasterKeys:
    path = data_directory.prepare(data_dir) / MASTER_KEY_FILE
    try:
        if not path.exists():
            _make_key(path)
        return MasterKeys.parse(path.read_text())
    except OSError as error:
        raise Misconfigured(f"{path}: the master key cannot be stored there: {error.strerror}") from None
    except ValueError:
        raise Misconfigured(
            f"{path}: this is not a master key (32 bytes in base64). Put the one back that the data was sealed with."
        ) from None


def _make_key(path: Path) -> None:
    """Make a master key, whole from the moment it is there, unless another process was first."""
    file, unfinished = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)  # readable by its owner alone
    try:
        with os.fdopen(file, "w") as writing:
            writing.write(base64.b64encode(os.urandom(32)).decode())
            writing.flush()
            os.fsync(writing.fileno())
        with suppress(FileExistsError):
            os.link(unfinished, path)
    finally:
        os.unlink(unfinished)
