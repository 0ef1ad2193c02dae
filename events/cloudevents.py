"""Events of the log as CloudEvents 1.0, a canonical line of JSON each (NDJSON): the format of exports and audit log.

Canonical: attributes in alphabetical order, no spaces, UTF-8, a line feed at the end; attributes that are null are left
out. `data_base64` has the stored payload byte for byte, so the hash of the chain can be computed from a line alone.
events/README.md describes each attribute.
"""

import binascii
from datetime import UTC, datetime
from typing import Any

import orjson

from events.record import Origin, Record

SPECVERSION = "1.0"
JSON = "application/json"


class NotALine(ValueError):
    """Text that is no canonical line of an event."""


def line(record: Record) -> bytes:
    """An event as its line."""
    origin = record.origin
    shown = {
        "actor": origin.actor,
        "data_base64": binascii.b2a_base64(record.payload, newline=False).decode(),
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
    if origin.request_id is not None:
        shown["requestid"] = origin.request_id
    if origin.idempotency_key is not None:
        shown["idempotencykey"] = origin.idempotency_key
    if origin.correlation_id is not None:
        shown["correlationid"] = origin.correlation_id
    if origin.causation_id is not None:
        shown["causationid"] = origin.causation_id
    return orjson.dumps(shown, option=orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)


def time(at: datetime) -> str:
    """A time as RFC 3339 has it, with microseconds, in UTC."""
    utc = at if at.tzinfo is UTC else at.astimezone(UTC)
    return f"{utc.isoformat(timespec='microseconds')[:26]}Z"


def parse(text: bytes) -> Record:
    """The event of a line. Raises NotALine for anything but the very bytes that `line` gives."""
    try:
        shown: dict[str, Any] = orjson.loads(text)
        get = shown.get
        _, _, account, mode = shown["source"].split("/")
        origin = Origin(
            account,
            mode == "live",
            datetime.fromisoformat(shown["time"]),
            shown["actor"],
            get("requestid"),
            get("idempotencykey"),
            get("correlationid"),
            get("causationid"),
        )
        record = Record(
            int(shown["position"]),
            shown["subject"],
            int(shown["streamversion"]),
            shown["type"],
            shown["schemaversion"],
            binascii.a2b_base64(shown["data_base64"]),
            bytes.fromhex(shown["hash"]),
            origin,
        )
        if type(record.schema_version) is not int or line(record) != text:
            raise NotALine("not in canonical form")
    except NotALine:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise NotALine(f"no event of the log ({type(error).__name__})") from None
    return record
