"""Encryption keys: one per stream for its personal data (crypto-shredding), wrapped by a master key outside the
database.

A master key is 32 bytes, given as base64. Several may be given, the newest first: the first wraps, all of them unwrap,
so a master key is rotated by putting a new one in front.

Keyed digests (fingerprints of cards, of idempotent requests) outlive a master key: they are made with a secret per
purpose, derived once from the first master key, that the database keeps wrapped (`keys.digest`).
"""

import base64
import hmac
import os
from collections.abc import Mapping
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from events.errors import BrokenHistory
from events.personal import KEY_BYTES, NONCE_BYTES, SubjectKey

NAME_BYTES = 4
# What keyed digests are made for. A name stays as it is: the secret is derived from it.
DIGEST_PURPOSES = ("fingerprint", "idempotent request", "search page")


class MasterKeys:
    """Wraps and unwraps the keys of streams."""

    def __init__(self, *secrets: bytes) -> None:
        assert secrets, "there is at least one master key"
        assert all(len(secret) == KEY_BYTES for secret in secrets), "a master key is 32 bytes"
        self._secrets = {sha256(secret).digest()[:NAME_BYTES]: secret for secret in secrets}
        self._ciphers = {name: AESGCM(secret) for name, secret in self._secrets.items()}
        self.names = tuple(self._ciphers)  # the one that seals first
        self._first = self.names[0]
        self._purposes: dict[str, hmac.HMAC] = {}

    @classmethod
    def parse(cls, text: str) -> "MasterKeys":
        """Master keys out of comma-separated base64. Raises ValueError when one is not 32 bytes of base64."""
        secrets = []
        for part in text.split(","):
            try:
                secret = base64.b64decode(part.strip(), validate=True)
            except ValueError as error:  # not base64, or not even ASCII
                raise ValueError("a master key is 32 bytes in base64") from error
            if len(secret) != KEY_BYTES:
                raise ValueError(f"a master key is {KEY_BYTES} bytes in base64, this one is {len(secret)}")
            secrets.append(secret)
        return cls(*secrets)

    def mint(self, stream: str) -> tuple[SubjectKey, bytes]:
        """A fresh key for `stream`, and the same wrapped."""
        key = SubjectKey(os.urandom(KEY_BYTES))
        return key, self.wrap(key, stream)

    def wrap(self, key: SubjectKey, stream: str) -> bytes:
        """`key` sealed for `stream` only."""
        return self.seal(key.secret, stream)

    def unwrap(self, wrapped: bytes, stream: str) -> SubjectKey:
        """The key of `stream`. Raises BrokenHistory as `unseal` does."""
        return SubjectKey(self.unseal(wrapped, stream))

    def digest(self, purpose: str, data: bytes) -> bytes:
        """32 bytes that are the same for the same data and purpose, and reveal nothing of it without the keys.

        They are made with the secret that the database keeps for the purpose; before it is adopted, with the one that
        the oldest master key here gives.
        """
        begun = self._purposes.get(purpose)
        if begun is None:
            begun = self._purposes[purpose] = _begun(self.digest_secret(purpose, self.names[-1]))
        digest = begun.copy()  # a key that is set up already
        digest.update(data)
        return digest.digest()

    def digest_secret(self, purpose: str, name: bytes) -> bytes:
        """The secret that the master key of that name gives for digests; the key does not follow from it."""
        assert purpose in DIGEST_PURPOSES, f"{purpose} is not among DIGEST_PURPOSES, which the database keeps"
        return hmac.digest(self._secrets[name], purpose.encode(), "sha256")

    def adopt_digest_secrets(self, secrets: Mapping[str, bytes]) -> None:
        """Make digests with these secrets from now on, by purpose."""
        self._purposes = {purpose: _begun(secret) for purpose, secret in secrets.items()}

    def seal(self, plain: bytes, context: str) -> bytes:
        """`plain` sealed by the newest master key, bound to one context (additional authenticated data).

        The result is the name of the master key, nonce, ciphertext, tag.
        """
        nonce = os.urandom(NONCE_BYTES)
        return self._first + nonce + self._ciphers[self._first].encrypt(nonce, plain, context.encode())

    def unseal(self, sealed: bytes, context: str) -> bytes:
        """Decrypt what was sealed for that context.

        Raises BrokenHistory when no master key we have sealed it, or it was sealed for another context.
        """
        cipher = self._ciphers.get(self.name_of(sealed))
        if cipher is None:
            raise BrokenHistory(f"{context}: sealed by a master key that was not given")
        nonce, body = sealed[NAME_BYTES : NAME_BYTES + NONCE_BYTES], sealed[NAME_BYTES + NONCE_BYTES :]
        try:
            return cipher.decrypt(nonce, body, context.encode())
        except (InvalidTag, ValueError) as error:  # ValueError: cut so short that the nonce is not whole
            raise BrokenHistory(f"{context}: does not unseal") from error

    def reseal(self, sealed: bytes, context: str) -> bytes:
        """The same, encrypted again with the newest master key. Raises BrokenHistory as `unseal` does."""
        return self.seal(self.unseal(sealed, context), context)

    def seals(self, sealed: bytes) -> bool:
        """Whether the newest of these keys sealed that."""
        return self.name_of(sealed) == self._first

    def only(self, name: bytes) -> "MasterKeys":
        """The key of that name alone."""
        return MasterKeys(self._secrets[name])

    def opens(self, sealed: bytes, context: str) -> bool:
        """Whether one of these keys sealed that for the context."""
        try:
            self.unseal(sealed, context)
        except BrokenHistory:
            return False
        return True

    @staticmethod
    def name_of(sealed: bytes) -> bytes:
        """The name of the master key that sealed something."""
        return sealed[:NAME_BYTES]


def _begun(secret: bytes) -> hmac.HMAC:
    return hmac.new(secret, digestmod="sha256")
