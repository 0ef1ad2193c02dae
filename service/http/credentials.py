"""The Authorization header, and API keys as text."""

import base64
from hashlib import sha256

from service.http.refusals import BadScheme, NoKey


def key_of(authorization: str | None) -> str:
    """The key in an Authorization header: `Bearer KEY`, or `Basic` with the key as user name.

    Raises NoKey or BadScheme.
    """
    if not authorization:
        raise NoKey
    scheme, _, credentials = authorization.partition(" ")
    credentials = credentials.strip()
    match scheme.lower():
        case "bearer":
            key = credentials
        case "basic":
            try:
                key = base64.b64decode(credentials, validate=True).decode().partition(":")[0]
            except ValueError:  # neither base64 nor UTF-8
                raise BadScheme from None
        case _:
            raise BadScheme
    if not key:
        raise NoKey
    return key


def digest(key: str) -> str:
    """The stored form of a key: its SHA-256, hex."""
    return sha256(key.encode(errors="surrogateescape")).hexdigest()
