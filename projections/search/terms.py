"""Search terms: tokens of a customer, hashed to numbers in one inverted (GIN) index.

A term combines the account and mode, the field, and one of: the whole text, a trigram of it, a metadata key, a metadata
key with its value. So one GIN index over arrays of numbers serves every positive clause within one account and mode,
and needs no extension: a search is the same on every server. Terms are hashes, so matches are verified on the texts.
"""

import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from hashlib import blake2b

from events.scope import Scope

GRAM_CHARACTERS = 3
DIGEST_BYTES = 8
REMEMBERED_MAX = 65_536
NORMALIZED_CHARACTERS_MAX = 4 * 512  # an email has 512 characters at most, and a letter decomposes into four


def folded(text: str) -> str:
    """A text folded for comparison: without regard to case and composition (Unicode canonical caseless matching)."""
    if text.isascii():
        return text.lower()
    if len(text) > NORMALIZED_CHARACTERS_MAX:
        return text
    return normalized(unicodedata.normalize("NFD", text).casefold())


def normalized(text: str) -> str:
    """A text in Unicode normalization form C (letters composed).

    A text longer than any that is stored stays as it is: it cannot match, and sorting many combining marks takes
    quadratic time.
    """
    return text if text.isascii() or len(text) > NORMALIZED_CHARACTERS_MAX else unicodedata.normalize("NFC", text)


def whole(scope: Scope, field: str, text: str) -> int:
    """The term of a whole, folded text."""
    return term(*scope, f"{field}=", text)


def grams(scope: Scope, field: str, text: str) -> list[int]:
    """The trigram terms of a folded text, in order."""
    starts = range(len(text) - GRAM_CHARACTERS + 1)
    return [gram(scope, field, text[start : start + GRAM_CHARACTERS]) for start in starts]


def key(scope: Scope, name: str) -> int:
    """The term of a metadata key with any value."""
    return term(*scope, "metadata", name)


def pair(scope: Scope, name: str, value: str) -> int:
    """The term of a metadata key with its value."""
    return term(*scope, "metadata=", f"{name}\x00{value}")


def of_customer(scope: Scope, texts: Mapping[str, str | None], metadata: Mapping[str, str]) -> list[int]:
    """Every term of a customer with folded texts."""
    found: set[int] = set()
    for field, text in texts.items():
        if text is not None:
            found.add(whole(scope, field, text))
            found.update(grams(scope, field, text))
    for name, value in metadata.items():
        found.add(key(scope, name))
        found.add(pair(scope, name, value))
    return sorted(found)


def term(*parts: object) -> int:
    """A signed 64-bit hash of the parts."""
    digest = blake2b("\x01".join(map(str, parts)).encode(errors="surrogatepass"), digest_size=DIGEST_BYTES).digest()
    return int.from_bytes(digest, signed=True)


gram = lru_cache(REMEMBERED_MAX)(lambda scope, field, text: term(*scope, f"{field}~", text))
