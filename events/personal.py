"""Personal data (GDPR erasure): the marker of its fields, and their encryption with a key per stream.

Everything personal in an event is sealed together with AES-256-GCM under the key of the event's stream. The sealed
bytes say where they belong (stream, version and type are authenticated with them), so they cannot be moved to another
event. Destroying the key forgets the person and leaves every hash as it was, for hashes cover the sealed bytes.
"""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from events.errors import BrokenHistory

PERSONAL = "personal"  # Annotated[str, PERSONAL] on a field of an event has it sealed
KEY_BYTES = 32
NONCE_BYTES = 12


class SubjectKey:
    """The key of one stream."""

    __slots__ = ("_cipher", "secret")

    def __init__(self, secret: bytes) -> None:
        self.secret = secret
        self._cipher = AESGCM(secret)

    def seal(self, plain: bytes, *, stream: str, version: int, field: str) -> bytes:
        """`plain` sealed for one field of one event: nonce, ciphertext, tag."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plain, _aad_context(stream, version, field))

    def unseal(self, sealed: bytes, *, stream: str, version: int, field: str) -> bytes:
        """What was sealed for that field of that event.

        Raises BrokenHistory when the bytes were changed, moved, or sealed under another key.
        """
        try:
            return self._cipher.decrypt(
                sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], _aad_context(stream, version, field)
            )
        except (InvalidTag, ValueError) as error:  # ValueError: cut so short that the nonce is not whole
            raise BrokenHistory(f"{stream} version {version}: {field} does not unseal") from error


def _aad_context(stream: str, version: int, field: str) -> bytes:
    """What the ciphertext is bound to (associated data): one field of one event."""
    return f"{stream}\n{version}\n{field}".encode()
