"""Checkpoints (signed tree heads) of the log as C2SP has them: tlog-checkpoint in a signed note, with Ed25519.

    rollbook.example/log            the origin: the log's name, which is the name of its key too
    20852163                        tree size: the events with positions up to this one
    CsUYapGGPo4dkMgIAUqom/Xajj…     root of the Merkle tree over them

    — rollbook.example/log Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurm…

See https://c2sp.org/tlog-checkpoint, /signed-note and /tlog-cosignature. Whoever verifies needs the verifier key,
`name+key ID+base64`, from somewhere else than the log. The standard library and `cryptography` alone are imported:
`events/verify.py`, the offline verifier, uses this module.
"""

import base64
import os
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from events.merkle import HASH_BYTES

SIGNATURE = 0x01  # the types of keys: Ed25519 over the text of the note
COSIGNATURE = 0x04  # Ed25519 over the text and a time, by a witness
NAME_BYTES_MAX = 255
NOTE_BYTES_MAX = 1 << 20
KEY_BYTES = 32
ID_BYTES = 4
MARK = "— "
PRIVATE = "PRIVATE+KEY+"


class InvalidNote(ValueError):
    """What should be a checkpoint, a signed note or a key is none, or is not signed by whom it should be."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The size and the root of a log's tree."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """What is signed."""
        return f"{self.origin}\n{self.size}\n{_encoded(self.root)}\n"

    @classmethod
    def parse(cls, text: str) -> "Checkpoint":
        """The checkpoint in the text of a note; extension lines are skipped. Raises InvalidNote."""
        lines = text.split("\n")
        if len(lines) < 4 or lines[-1] or not all(lines[:-1]):
            raise InvalidNote("a checkpoint has an origin, a size and a root, each on a line")
        size, root = lines[1], _decoded(lines[2])
        if not (size.isascii() and size.isdigit() and str(int(size[:20])) == size):
            raise InvalidNote("the size of a checkpoint is a decimal number")
        if len(root) != HASH_BYTES:
            raise InvalidNote(f"the root of a checkpoint is {HASH_BYTES} bytes in base64")
        return cls(lines[0], int(size), root)


class SignatureLine(NamedTuple):
    """A line at the end of a signed note."""

    name: str
    key_id: bytes
    signature: bytes

    def __str__(self) -> str:
        """The line, without its line feed."""
        return f"{MARK}{self.name} {_encoded(self.key_id + self.signature)}"


class Note(NamedTuple):
    """A signed note: a text and lines of signatures, which may be anybody's."""

    text: str
    signatures: tuple[SignatureLine, ...]

    def __str__(self) -> str:
        """The note as it is stored and served."""
        return "".join([self.text, "\n", *(f"{line}\n" for line in self.signatures)])


def parse_note(note: str) -> Note:
    """The parts of a signed note, whose signatures are not verified. Raises InvalidNote."""
    if len(note) > NOTE_BYTES_MAX:
        raise InvalidNote(f"a signed note of more than {NOTE_BYTES_MAX} characters")
    if any(ord(each) < 0x20 and each != "\n" for each in note):
        raise InvalidNote("a signed note has no control characters")
    text, separator, signatures = note.rpartition("\n\n")
    if not separator or not signatures.endswith("\n"):
        raise InvalidNote("a signed note is a text, an empty line and lines of signatures")
    return Note(text + "\n", parse_signatures(signatures))


def parse_signatures(lines: str) -> tuple[SignatureLine, ...]:
    """Lines of signatures, each with its line feed. Raises InvalidNote."""
    return tuple(_signature_line(line) for line in lines.removesuffix("\n").split("\n"))


def _signature_line(line: str) -> SignatureLine:
    name, space, encoded = line.removeprefix(MARK).partition(" ")
    signature = _decoded(encoded) if line.startswith(MARK) and space else b""
    if not _is_name(name) or len(signature) <= ID_BYTES:
        raise InvalidNote("a signature is `— name base64`")
    return SignatureLine(name, signature[:ID_BYTES], signature[ID_BYTES:])


@dataclass(frozen=True, slots=True)
class Verifier:
    """A public key with a name, written `name+key ID+base64`; of a log, or with type `COSIGNATURE` of a witness."""

    name: str
    public: bytes
    type: int = SIGNATURE

    @property
    def key_id(self) -> bytes:
        """The first bytes of a digest of name, type and key."""
        return sha256(self.name.encode() + b"\n" + bytes([self.type]) + self.public).digest()[:ID_BYTES]

    def __str__(self) -> str:
        """The verifier key of C2SP."""
        return f"{self.name}+{self.key_id.hex()}+{_encoded(bytes([self.type]) + self.public)}"

    @classmethod
    def parse(cls, text: str) -> "Verifier":
        """A verifier key. Raises InvalidNote."""
        name, type, public, key_id = _key(text)
        verifier = cls(name, public, type)
        if verifier.key_id.hex() != key_id:
            raise InvalidNote(f"the key ID of the verifier key is {verifier.key_id.hex()}: a character was changed")
        return verifier

    def verifies(self, text: str, line: SignatureLine) -> bool:
        """Whether this is a signature of the text by this key; of other names and keys it is not."""
        if (line.name, line.key_id) != (self.name, self.key_id):
            return False
        signed, signature = text.encode(), line.signature
        if self.type == COSIGNATURE:
            signed, signature = cosigned(text, int.from_bytes(signature[:8], "big")), signature[8:]
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, signed)
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key with a name, written `PRIVATE+KEY+name+key ID+base64`, as other tools for signed notes do."""

    name: str
    seed: bytes

    @classmethod
    def new(cls, name: str) -> "Signer":
        """A key that is made at random. Raises InvalidNote for a name that cannot be one."""
        if not _is_name(name):
            raise InvalidNote(f"a log's name has no space, no + and up to {NAME_BYTES_MAX} bytes")
        return cls(name, os.urandom(KEY_BYTES))

    @classmethod
    def parse(cls, text: str) -> "Signer":
        """A private key. Raises InvalidNote, without quoting it."""
        if not text.startswith(PRIVATE):
            raise InvalidNote(f"a private key begins with {PRIVATE}")
        name, type, seed, key_id = _key(text.removeprefix(PRIVATE))
        signer = cls(name, seed)
        if type != SIGNATURE or signer.verifier.key_id.hex() != key_id:
            raise InvalidNote("the key ID does not fit the private key: a character was changed")
        return signer

    @property
    def verifier(self) -> Verifier:
        """The public key."""
        return Verifier(self.name, self._key.public_key().public_bytes_raw())

    @property
    def secret_text(self) -> str:
        """The private key as it is kept in a file."""
        return f"{PRIVATE}{self.name}+{self.verifier.key_id.hex()}+{_encoded(bytes([SIGNATURE]) + self.seed)}"

    def sign(self, text: str) -> SignatureLine:
        """The signature of a text."""
        return SignatureLine(self.name, self.verifier.key_id, self._key.sign(text.encode()))

    @property
    def _key(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.seed)

    def __repr__(self) -> str:
        """Never the secret."""
        return f"<Signer {self.name}>"


def sign(checkpoint: Checkpoint, signers: Iterable[Signer]) -> str:
    """The signed note of a checkpoint."""
    return str(Note(checkpoint.text, tuple(signer.sign(checkpoint.text) for signer in signers)))


def opened(note: str, verifiers: Iterable[Verifier]) -> Checkpoint:
    """The checkpoint in a note that one of these keys signed, for the log of its name. Raises InvalidNote."""
    parsed = parse_note(note)
    checkpoint = Checkpoint.parse(parsed.text)
    for verifier in verifiers:
        if verifier.name == checkpoint.origin and verifier.type == SIGNATURE:
            lines = [line for line in parsed.signatures if line.key_id == verifier.key_id]
            if any(verifier.verifies(parsed.text, line) for line in lines):
                return checkpoint
    raise InvalidNote("the checkpoint is not signed by the key that was given")


def cosigned(text: str, at: int) -> bytes:
    """What a witness signs of the text of a checkpoint, at a time in seconds of Unix time."""
    return f"cosignature/v1\ntime {at}\n{text}".encode()


def _is_name(name: str) -> bool:
    return (
        0 < len(name.encode("utf-8", "replace")) <= NAME_BYTES_MAX
        and "+" not in name
        and not any(each.isspace() or ord(each) < 0x20 or 0xD800 <= ord(each) < 0xE000 for each in name)
    )


def _key(text: str) -> tuple[str, int, bytes, str]:
    """Name, type, key and key ID out of a key's text."""
    parts = text.strip().split("+", 2)  # base64 may have a + too
    if len(parts) != 3 or not _is_name(parts[0]):
        raise InvalidNote("a key is name+key ID+base64")
    decoded = _decoded(parts[2])
    if len(decoded) != 1 + KEY_BYTES or decoded[0] not in (SIGNATURE, COSIGNATURE):
        raise InvalidNote("the key is no Ed25519 key")
    return parts[0], decoded[0], decoded[1:], parts[1].lower()


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _decoded(text: str) -> bytes:
    """Strict base64: one text for each sequence of bytes. Raises InvalidNote."""
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        raise InvalidNote("not base64") from None
    if _encoded(data) != text:
        raise InvalidNote("not canonical base64")
    return data
