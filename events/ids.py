"""Prefixed ids, as the API spells them: `cus_` and fourteen letters and digits.

Ids are made from random bytes that the caller brings, so that a decision given the same bytes names the same thing.
"""

from hashlib import sha256

ALPHABET = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
LETTERS = bytes(ALPHABET[byte % 62] for byte in range(256))  # a letter a byte: 5.9 bits of entropy each
ID_BYTES = 14


def new(prefix: str, random: bytes) -> str:
    """An id like `cus_NffrFeUfNV2Hib`: one letter or digit for each random byte, fourteen as a rule."""
    return f"{prefix}_{random.translate(LETTERS).decode()}"


def derived(prefix: str, *parts: object) -> str:
    """The id, of 24 letters, that `parts` always give: for what a rebuild of the log must name alike."""
    return new(prefix, sha256("\n".join(map(str, parts)).encode()).digest()[:24])
