"""The hash chain of a stream: each event's hash covers the event as stored and the hash before it.

    hash(n) = SHA-256( hash(n-1), header, line feed, payload ),  hash(0) = 32 zero bytes

The header is a JSON array of every stored field but the payload and the position, which is not known when the
link is made. Sealed fields are covered as sealed, so erasing a person's key leaves the chain whole.
"""

from collections.abc import Iterable
from hashlib import sha256

import orjson

from events.record import Origin, Record

START = bytes(32)


def link(
    previous: bytes, *, stream: str, version: int, type: str, schema_version: int, payload: bytes, origin: Origin
) -> bytes:
    """The hash of an event that follows one whose hash is `previous`."""
    header = orjson.dumps(
        [
            stream,
            version,
            type,
            schema_version,
            origin.account,
            origin.livemode,
            microseconds(origin),
            origin.actor,
            origin.request_id,
            origin.idempotency_key,
            origin.correlation_id,
            origin.causation_id,
        ]
    )
    return sha256(b"".join((previous, header, b"\n", payload))).digest()


def microseconds(origin: Origin) -> int:
    """When it was recorded, in whole microseconds of Unix time."""
    at = origin.at
    return int(at.timestamp()) * 1_000_000 + at.microsecond


def first_break(records: Iterable[Record], previous: bytes = START, version: int = 0) -> int | None:
    """The version at which a stream's records, in order, stop chaining; None when they all do."""
    for record in records:
        version += 1
        expected = link(
            previous,
            stream=record.stream,
            version=record.version,
            type=record.type,
            schema_version=record.schema_version,
            payload=record.payload,
            origin=record.origin,
        )
        if record.version != version or record.hash != expected:
            return version
        previous = record.hash
    return None
