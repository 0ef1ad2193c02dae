"""Idempotency keys: validation, and requests in flight by key.

What was answered under a key is kept by the log, in the transaction of the effect. A key that is running in another
process is found there too: the second to commit fails and replays the first one's answer.
"""

import asyncio
from typing import NamedTuple

from events.errors import Refusal
from events.record import Receipt
from events.scope import Scope
from service.http.reply import Reply
from service.masking import holds_card_number

KEY_CHARACTERS_MAX = 255


class KeyUse(NamedTuple):
    """An idempotency key as a request used it."""

    key: str
    route: str  # method and path
    fingerprint: bytes
    request_id: str

    def receipt(self, reply: Reply) -> Receipt:
        """What to keep of the request that was answered so."""
        return Receipt(
            key=self.key,
            route=self.route,
            fingerprint=self.fingerprint,
            request_id=self.request_id,
            status=reply.status,
            body=reply.body,
        )


class Running:
    """The keys with a request in progress in this process."""

    def __init__(self) -> None:
        self._ended: dict[tuple[Scope, str], asyncio.Event | None] = {}  # an event where somebody waits

    def begin(self, key: tuple[Scope, str]) -> bool:
        """Lock the key until `end`; False when another request has it."""
        if key in self._ended:
            return False
        self._ended[key] = None
        return True

    def end(self, key: tuple[Scope, str]) -> None:
        """Unlock the key."""
        ended = self._ended.pop(key)
        if ended is not None:
            ended.set()

    async def wait(self, key: tuple[Scope, str]) -> None:
        """Return once the request that has the key now has ended."""
        if key in self._ended:
            ended = self._ended[key] = self._ended[key] or asyncio.Event()
            await ended.wait()


def check_key(key: str) -> None:
    """Raises Refusal for what cannot be an idempotency key."""
    if not key or len(key) > KEY_CHARACTERS_MAX:
        raise Refusal(f"Idempotency keys are 1 to {KEY_CHARACTERS_MAX} characters long; this one has {len(key)}.")
    if not key.isprintable():
        raise Refusal("Idempotency keys may contain printable characters only.")
    if holds_card_number(key):
        raise Refusal("An idempotency key is stored, so it must not contain anything that may be a card number.")
