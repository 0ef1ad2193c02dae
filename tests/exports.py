"""Exports with made-up events, as large as a test wants them."""

from datetime import UTC, datetime
from pathlib import Path

from events import chain, cloudevents
from events.record import Origin, Record

STREAM_EVENTS = 5  # in each stream
TYPE = "customer.updated"


def write(path: Path, count: int) -> None:
    """An export of so many events of customers, whose chains are whole."""
    origin = Origin("acct_many", False, datetime(2026, 11, 27, tzinfo=UTC), "key_1", request_id="req_1")
    hash = chain.START
    with path.open("wb") as file:
        for number in range(count):
            stream, version = f"customer-cus_{number // STREAM_EVENTS}", number % STREAM_EVENTS + 1
            payload = b'{"attributes":{"name":"%d"}}' % number
            hash = chain.link(
                hash if version > 1 else chain.START,
                stream=stream,
                version=version,
                type=TYPE,
                schema_version=1,
                payload=payload,
                origin=origin,
            )
            file.write(cloudevents.line(Record(number + 1, stream, version, TYPE, 1, payload, hash, origin)))
