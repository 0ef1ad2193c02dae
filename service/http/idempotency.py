"""Idempotency keys on their way in: which are running at this moment, and which are no keys at all.

What was answered under a key is kept by the log, in the transaction of the effect. A key that is running in another
process is found there too: the second to commit is told so and replays the first one's answer.
"""

from events.errors import Refusal
from service.http.masking import is_card_number
from service.http.refusals import KeyInUse

KEY_CHARACTERS_MAX = 255


class Running:
    """The keys whose first request is under way in this process."""

    def __init__(self) -> None:
        self._keys: set[tuple[str, bool, str]] = set()

    def begin(self, key: tuple[str, bool, str]) -> None:
        """Hold the key until `end`. Raises KeyInUse when another request holds it."""
        if key in self._keys:
            raise KeyInUse(key[2])
        self._keys.add(key)

    def end(self, key: tuple[str, bool, str]) -> None:
        """Let the key go."""
        self._keys.discard(key)


def check_key(key: str) -> None:
    """Raises Refusal for what cannot be an idempotency key."""
    if not key or len(key) > KEY_CHARACTERS_MAX:
        raise Refusal(f"Idempotency keys are 1 to {KEY_CHARACTERS_MAX} characters long; this one has {len(key)}.")
    if not key.isprintable():
        raise Refusal("Idempotency keys may contain printable characters only.")
    if is_card_number(key):
        raise Refusal("An idempotency key is kept, and may not be the number of a card.")
