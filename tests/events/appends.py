"""Appends made by hand, truly chained, for tests of the log itself: it looks inside no payload."""

from collections.abc import Sequence

import orjson

from events import chain
from events.record import Append, Draft, Origin, Receipt, Record
from tests.events.times import NOON

ORIGIN = Origin(account="acct_1", livemode=False, at=NOON, actor="key_1", request_id="req_1")


def append(
    stream: str,
    expected: int,
    *notes: str,
    previous: bytes = chain.START,
    origin: Origin = ORIGIN,
    receipt: Receipt | None = None,
    wrapped_key: bytes | None = None,
    rows: object = None,
) -> Append:
    """An append of one event for each of `notes`, on a stream at version `expected` whose last hash is `previous`."""
    drafts: list[Draft] = []
    for version, note in enumerate(notes, expected + 1):
        payload = orjson.dumps({"note": note})
        previous = chain.link(
            previous, stream=stream, version=version, type="noted", schema_version=1, payload=payload, origin=origin
        )
        drafts.append(Draft("noted", 1, version, payload, previous))
    return Append(stream, expected, origin, tuple(drafts), wrapped_key, receipt, rows)


def after(records: Sequence[Record], *notes: str) -> Append:
    """An append that follows these records of one stream."""
    last = records[-1]
    return append(last.stream, last.version, *notes, previous=last.hash, origin=last.origin)


def receipt(key: str, body: bytes = b"{}", status: int = 200) -> Receipt:
    """An answer to keep."""
    return Receipt(
        key=key, route="POST /v1/customers", fingerprint=b"\x01" * 32, request_id="req_1", status=status, body=body
    )


def note(record: Record) -> str:
    """The note in a record's payload."""
    text: str = orjson.loads(record.payload)["note"]
    return text
