"""The signing keys of checkpoints, in a file outside the database: made, rotated, and retired.

The file has a key a line, the newest first: private keys, each of which signs, and verifier keys of those that sign no
more. All have the log's name. A rotation puts a new key in front, and both sign, so that verifiers may change
the key meanwhile; `retired` then leaves of the older ones only what verifies.
"""

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from events.checkpoint import InvalidNote, Signer, Verifier

BYTES_MAX = 64 * 1024


class CheckpointKeys(NamedTuple):
    """The keys in a file."""

    signers: tuple[Signer, ...]  # the newest first
    verifiers: tuple[Verifier, ...]  # of every key there was, the newest first

    @property
    def name(self) -> str:
        """The log's name: the origin of its checkpoints."""
        return self.verifiers[0].name

    @classmethod
    def parse(cls, text: str) -> "CheckpointKeys":
        """The keys in the text of a file. Raises InvalidNote."""
        signers: list[Signer] = []
        verifiers: list[Verifier] = []
        for line in text.splitlines():
            if line.startswith("PRIVATE"):
                signers.append(Signer.parse(line.strip()))
                verifiers.append(signers[-1].verifier)
            elif line.strip() and not line.startswith("#"):
                verifiers.append(Verifier.parse(line))
        if not signers:
            raise InvalidNote("there is no private key in it")
        if len({verifier.name for verifier in verifiers}) > 1:
            raise InvalidNote("its keys have several names, and a log has one")
        return cls(tuple(signers), tuple(verifiers))

    @property
    def text(self) -> str:
        """The text of the file."""
        secrets = {signer.verifier: signer.secret_text for signer in self.signers}
        return "".join(f"{secrets.get(verifier, verifier)}\n" for verifier in self.verifiers)

    def rotated(self) -> "CheckpointKeys":
        """With a new key in front; the one that was newest signs too."""
        new = Signer.new(self.name)
        return CheckpointKeys((new, self.signers[0]), (new.verifier, *self.verifiers))

    def retired(self) -> "CheckpointKeys":
        """Without the private keys of all but the newest."""
        return CheckpointKeys(self.signers[:1], self.verifiers)


def new(name: str) -> CheckpointKeys:
    """A first key for a log of this name. Raises InvalidNote."""
    signer = Signer.new(name)
    return CheckpointKeys((signer,), (signer.verifier,))


def read(path: Path) -> CheckpointKeys:
    """The keys in a file. Raises OSError, InvalidNote."""
    with path.open("rb") as file:
        data = file.read(BYTES_MAX + 1)
    if len(data) > BYTES_MAX:
        raise InvalidNote("it is too long for a file of keys")
    return CheckpointKeys.parse(data.decode("utf-8", "replace"))


def write(path: Path, keys: CheckpointKeys) -> None:
    """Write a file that its owner alone can read, whole or not at all. Raises OSError."""
    unfinished = _written(path, keys)
    try:
        os.replace(unfinished, path)
    except OSError:
        os.unlink(unfinished)
        raise


def create(path: Path, keys: CheckpointKeys) -> bool:
    """Write a file where there is none; gives whether there was none. Raises OSError."""
    unfinished = _written(path, keys)
    try:
        with suppress(FileExistsError):
            os.link(unfinished, path)
            return True
        return False
    finally:
        os.unlink(unfinished)


def _written(path: Path, keys: CheckpointKeys) -> str:
    file, unfinished = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)  # readable by its owner alone
    with os.fdopen(file, "w", encoding="utf-8") as writing:
        writing.write(keys.text)
        writing.flush()
        os.fsync(writing.fileno())
    return unfinished
