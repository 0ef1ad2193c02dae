"""Events of the log as CloudEvents 1.0, a canonical line of JSON each (NDJSON): the format of exports and audit log.

Canonical: attributes in alphabetical order, no spaces, UTF-8, a line feed at the end; attributes that are null are left
out. `data_base64` has the stored payload byte for byte, so the hash of the chain can be computed from a line alone.
events/README.md describes each attribute.
"""

import base64
import re
from datetime import UTC, datetime
from typing import Any

import orjson

from events.record import Origin, Record

SPECVERSION = "1.0"
JSON = "application/json"
SOURCE = re.compile(r"/accounts/([^/]+)/(live|test)")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)
OPTIONAL = {
    "request_id": "requestid",
    "idempotency_key": "idempotencykey",
    "correlation_id": "correlationid",
    "causation_id": "causationid",
}


class NotALine(ValueError):
    """Text that is no canonical line of an event."""


def line(record: Record) -> bytes:
    """An event as its line."""
    origin = record.origin
    shown = {
        "actor": origin.actor,
        "data_base64": base64.b64encode(record.payload).decode(),
        "datacontenttype": JSON,
        "hash": record.hash.hex(),
        "id": str(record.position),
        "position": str(record.position),
        "schemaversion": record.schema_version,
        "source": f"/accounts/{origin.account}/{'live' if origin.livemode else 'test'}",
        "specversion": SPECVERSION,
        "streamversion": str(record.version),
        "subject": record.stream,
        "time": time(origin.at),
        "type": record.type,
    }
    for field, attribute in OPTIONAL.items():
        value = getattr(origin, field)
        if value is not None:
            shown[attribute] = value
    return orjson.dumps(shown, option=orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)


def time(at: datetime) -> str:
    """A time as RFC 3339 has it, with microseconds, in UTC."""
    at = at.astimezone(UTC)
    return f"{at.isoformat(timespec='microseconds')[:26]}Z"


def parse(text: bytes) -> Record:
    """The event of a line. Raises NotALine for anything but the very bytes that `line` gives."""
    try:
        shown: dict[str, Any] = orjson.loads(text)
        found = SOURCE.fullmatch(shown["source"])
        if found is None or not TIME.fullmatch(shown["time"]):
            raise NotALine("source or time is not of this format")
        record = Record(
            position=int(shown["position"]),
            stream=shown["subject"],
            version=int(shown["streamversion"]),
            type=shown["type"],
            schema_version=shown["schemaversion"],
            payload=base64.b64decode(shown["data_base64"], validate=True),
            hash=bytes.fromhex(shown["hash"]),
            origin=Origin(
                account=found[1],
                livemode=found[2] == "live",
                at=datetime.fromisoformat(shown["time"]),
                actor=shown["actor"],
                **{field: shown.get(attribute) for field, attribute in OPTIONAL.items()},
            ),
        )
        if type(record.schema_version) is not int or line(record) != text:
            raise NotALine("not in canonical form")
    except NotALine:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise NotALine(f"no event of the log ({type(error).__name__})") from None
    return record
