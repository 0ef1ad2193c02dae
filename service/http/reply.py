"""HTTP responses of the routes: status, body and headers."""

from collections.abc import Sequence
from typing import NamedTuple


class Reply(NamedTuple):
    """The status and body of a response, which are stored under the idempotency key.

    `headers`, which are not stored, are added to the headers of every response, or replace them.
    """

    status: int
    body: bytes
    headers: Sequence[tuple[str, str]] = ()
