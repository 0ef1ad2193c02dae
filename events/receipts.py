"""Receipts: stored responses by idempotency key, encrypted at rest with a key per day.

A response may contain a secret that is shown once, and contains personal data. Its body is encrypted with AES-256-GCM
under a key of the day, which is wrapped by the master key. The row of that key is deleted together with the receipts of
the day, which makes copies in backups unreadable (crypto-shredding). The account, mode and idempotency key are
authenticated with the ciphertext (AAD).

Format of an encrypted body: a byte with which no JSON begins, the ordinal of the day, a nonce, the ciphertext and its
tag. A body that begins otherwise was stored by a version without encryption, and is returned as it is.

A response about a customer is encrypted with the key of the customer's stream first, so that nothing can be replayed
after an erasure. Its format inside that of the day: another byte with which no JSON begins, the length and the name of
the stream, a nonce, the ciphertext and its tag.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from datetime import date
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from events.database import load_sql
from events.errors import BrokenHistory, Refusal
from events.keys import MasterKeys
from events.personal import KEY_BYTES, NONCE_BYTES
from events.record import Append, Receipt, Subject
from events.scope import Scope

SEALED = b"\x01"
DAY_BYTES = 4
OF_SUBJECT = b"\x02"
LENGTH_BYTES = 2
FIELD = "receipt"  # with version 0, which no event has: what the key of a stream binds the answer to
DAYS_CACHED_MAX = 4

Fetch = Callable[..., Awaitable[list[Any]]]


class ReceiptKeys:
    """Encrypts and decrypts the bodies of receipts; the keys of the latest days are cached."""

    def __init__(self, fetch: Fetch, master_keys: MasterKeys) -> None:
        self._fetch = fetch
        self._master_keys = master_keys
        self._ciphers: dict[int, AESGCM] = {}
        self._lock = asyncio.Lock()
        self._find = load_sql("events", "find_receipt_key")
        self._add = load_sql("events", "add_receipt_key")
        self._find_subject = load_sql("events", "find_subject_key")

    async def seal(self, item: Append) -> Append:
        """The append with its receipt encrypted. Raises LogUnavailable if the key of the day cannot be created."""
        receipt, origin = item.receipt, item.origin
        assert receipt is not None
        day = origin.at.toordinal()
        cipher = self._ciphers.get(day) or await self._current(day)
        nonce = os.urandom(NONCE_BYTES)
        plain = receipt.body if item.subject is None else _of_subject(receipt.body, item.subject)
        sealed = cipher.encrypt(nonce, plain, _aad_context(origin.scope, receipt.key))
        body = b"".join((SEALED, day.to_bytes(DAY_BYTES, "big"), nonce, sealed))
        return item._replace(receipt=receipt._replace(body=body))

    async def unseal(self, scope: Scope, receipt: Receipt) -> Receipt | None:
        """The decrypted receipt; None if the key of its day was destroyed.

        Raises BrokenHistory; Refusal if the customer it is about was erased.
        """
        if not receipt.body.startswith(SEALED):
            return receipt
        nonce_at = len(SEALED) + DAY_BYTES
        day = int.from_bytes(receipt.body[len(SEALED) : nonce_at], "big")
        cipher = self._ciphers.get(day) or await self._known(day)
        if cipher is None:
            return None
        nonce, sealed = receipt.body[nonce_at : nonce_at + NONCE_BYTES], receipt.body[nonce_at + NONCE_BYTES :]
        try:
            body = cipher.decrypt(nonce, sealed, _aad_context(scope, receipt.key))
        except (InvalidTag, ValueError) as error:  # ValueError: truncated within the nonce
            raise BrokenHistory(f"the receipt of {receipt.request_id} does not unseal") from error
        return receipt._replace(body=await self._plain(body) if body.startswith(OF_SUBJECT) else body)

    async def _plain(self, body: bytes) -> bytes:
        """The answer that the key of a stream sealed. Raises Refusal when that key is destroyed, BrokenHistory."""
        stream_at = len(OF_SUBJECT) + LENGTH_BYTES
        sealed_at = stream_at + int.from_bytes(body[len(OF_SUBJECT) : stream_at], "big")
        stream = body[stream_at:sealed_at].decode()
        rows = await self._fetch(self._find_subject, stream)
        if not rows:
            raise Refusal("The answer to this idempotency key was erased with the customer that it was about.")
        key = self._master_keys.unwrap(rows[0]["wrapped"], stream)
        return key.unseal(body[sealed_at:], stream=stream, version=0, field=FIELD)

    async def _current(self, day: int) -> AESGCM:
        """The key of a day; created unless another process has created it."""
        async with self._lock:
            cipher = self._ciphers.get(day) or await self._known(day)
            if cipher is None:
                wrapped = self._master_keys.seal(os.urandom(KEY_BYTES), day_context(day))
                await self._fetch(self._add, date.fromordinal(day), wrapped)
                cipher = await self._known(day)
            assert cipher is not None, "a key was added, or was there"
            return cipher

    async def _known(self, day: int) -> AESGCM | None:
        rows = await self._fetch(self._find, date.fromordinal(day))
        if not rows:
            return None
        cipher = AESGCM(self._master_keys.unseal(rows[0]["wrapped"], day_context(day)))
        self._ciphers[day] = cipher
        if len(self._ciphers) > DAYS_CACHED_MAX:
            del self._ciphers[min(self._ciphers)]
        return cipher


def _of_subject(body: bytes, subject: Subject) -> bytes:
    stream = subject.stream.encode()
    sealed = subject.key.seal(body, stream=subject.stream, version=0, field=FIELD)
    return b"".join((OF_SUBJECT, len(stream).to_bytes(LENGTH_BYTES, "big"), stream, sealed))


def day_context(day: int) -> str:
    """What the key of a day, by its ordinal, is sealed for."""
    return f"receipts {date.fromordinal(day)}"


def _aad_context(scope: Scope, key: str) -> bytes:
    """What the ciphertext of a receipt is bound to: one idempotency key of an account and mode."""
    return f"{scope.account}\n{scope.livemode}\n{key}".encode()
