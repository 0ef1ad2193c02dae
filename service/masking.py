"""Masking: card and bank account numbers are redacted in error messages and logs of a request.

Messages quote what was given, and answers under idempotency keys are kept: what looks like a card number is shown, and
kept, by its last four digits alone.
"""

import re
import unicodedata
from collections.abc import Sequence

from events import card_brands
from events.card import luhn

DIGITS = re.compile(r"(?<![0-9])[0-9](?:[ .-]?[0-9]){11,18}(?![0-9])")
NUMBER_CHARACTERS_MAX = 40  # of a card number with separators, so that a cut leaves no half of one
CARD_DIGITS_MIN = 13
GROUPS = re.compile(rf"[0-9](?:[ ._:/+-]?[0-9]){{{CARD_DIGITS_MIN - 1},}}")  # no fewer digits than a number has
NOT_DIGIT = re.compile(r"[^0-9]")
GROUP_SIZES = ((4, 4, 4, 4), (4, 4, 4, 4, 3), (4, 6, 5), (4, 6, 4), (4, 4, 4, 1), (6, 13))
RANDOM = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}|[0-9A-Fa-f]{24,}")
SEPARATORS = str.maketrans("", "", " .-")
RUN = re.compile(r"[0-9](?:[ .-]?[0-9]){2,}")

# Hashes and parameters whose values no message quotes.
SECRET = frozenset(
    (
        "account_number",
        "acss_debit",
        "au_becs_debit",
        "bacs_debit",
        "bank_account",
        "card",
        "cvc",
        "cvc_update",
        "iban",
        "number",
        "nz_bank_account",
        "payto",
        "pii",
        "sepa_debit",
        "source",
        "us_bank_account",
    )
)


def masked(text: str) -> str:
    """The text with all but the last four digits hidden of each number in it that may be a card's."""
    return text if text.isalpha() else DIGITS.sub(_last4, text)


def quoted(text: str, characters_max: int) -> str:
    """The text masked, and cut where it is longer than is of use to whoever reads it."""
    if len(text) <= characters_max:
        return masked(text)
    return f"{masked(text[: characters_max + NUMBER_CHARACTERS_MAX])[: characters_max - 3]}..."


def masked_id(text: str) -> str:
    """What was sent as an id, with all but the last four digits hidden of any number long enough to be a card's."""
    return DIGITS.sub(lambda match: f"****{match[0][-4:]}", text)


def hidden(text: str) -> str:
    """The text without any run of three digits or more: for names that stand where a number should."""
    return RUN.sub("****", text)


def holds_card_number(text: str) -> bool:
    """Whether the number of a card stands somewhere in the text: in one piece, or in groups as people write it.

    What generators of random keys make is passed over, UUIDs and long hexadecimal digests: one in some hundred of them
    would hold a number by chance.
    """
    plain = text if text.isascii() else unicodedata.normalize("NFKC", text)
    for match in GROUPS.finditer(RANDOM.sub(_unless_decimal, plain)):
        groups = NOT_DIGIT.split(match[0])
        written = {group for group in groups if len(group) >= CARD_DIGITS_MIN}
        for sizes in GROUP_SIZES:
            for first in range(len(groups) - len(sizes) + 1):
                together = groups[first : first + len(sizes)]
                if tuple(map(len, together)) == sizes:
                    written.add("".join(together))
        if any(card_brands.of_some_brand(number) and luhn(number) for number in written):
            return True
    return False


def _unless_decimal(match: re.Match[str]) -> str:
    return match[0] if match[0].isdecimal() else "/"


def secret(location: Sequence[int | str]) -> bool:
    """Whether the value of that parameter must not be quoted."""
    return not SECRET.isdisjoint(location)


def _last4(match: re.Match[str]) -> str:
    digits = _digits(match[0])
    return f"****{digits[-4:]}" if luhn(digits) else match[0]


def _digits(text: str) -> str:
    return text.translate(SEPARATORS)
