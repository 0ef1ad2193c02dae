"""Search terms: tokens of a customer, hashed to numbers in one inverted (GIN) index.

A term says whose customer it is, which field, and what of it: its whole text, three characters of it in a row, or a key
of the metadata with or without its value. So one GIN index over arrays of numbers answers every operator that finds
something, for one account and mode alone; and it needs no extension, so a search is the same on every server. Terms are
digests: who asks looks at the texts themselves again.
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
    """A text without regard to case, nor to whether letters are composed (Unicode, canonical caseless matching)."""
    if text.isascii():
        return text.lower()
    if len(text) > NORMALIZED_CHARACTERS_MAX:
        return text
    return normalized(unicodedata.normalize("NFD", text).casefold())


def normalized(text: str) -> str:
    """A text with its letters composed, however they were written (Unicode normalization form C).

    One that is longer than anything we store, however that was written, stays as it is: it finds nothing in any case,
    and to put many combining marks in order takes time by the square of their number.
    """
    return text if text.isascii() or len(text) > NORMALIZED_CHARACTERS_MAX else unicodedata.normalize("NFC", text)


def whole(scope: Scope, field: str, text: str) -> int:
    """The term of a whole text, folded."""
    return term(*scope, f"{field}=", text)


def grams(scope: Scope, field: str, text: str) -> list[int]:
    """The terms of every three characters in a row of a folded text, in order."""
    starts = range(len(text) - GRAM_CHARACTERS + 1)
    return [gram(scope, field, text[start : start + GRAM_CHARACTERS]) for start in starts]


def key(scope: Scope, name: str) -> int:
    """The term of a key of the metadata, whatever its value."""
    return term(*scope, "metadata", name)


def pair(scope: Scope, name: str, value: str) -> int:
    """The term of a key of the metadata and its value."""
    return term(*scope, "metadata=", f"{name}\x00{value}")


def of_customer(scope: Scope, texts: Mapping[str, str | None], metadata: Mapping[str, str]) -> list[int]:
    """Every term of a customer, whose texts are folded."""
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
    """A number of 64 bits, with its sign, that the parts always give."""
    digest = blake2b("\x01".join(map(str, parts)).encode(errors="surrogatepass"), digest_size=DIGEST_BYTES).digest()
    return int.from_bytes(digest, signed=True)


gram = lru_cache(REMEMBERED_MAX)(lambda scope, field, text: term(*scope, f"{field}~", text))
