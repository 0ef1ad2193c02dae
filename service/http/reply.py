"""HTTP responses of the routes: status, body and headers."""

from collections.abc import Sequence
from typing import NamedTuple


class Reply(NamedTuple):
    """The status and body that a request is answered with, and that are kept under its idempotency key.

    `headers`, which are not kept, are sent beside those of every answer, or instead of them.
    """

    status: int
    body: bytes
    headers: Sequence[tuple[str, str]] = ()
