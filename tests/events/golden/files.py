"""Golden files: read, compared and, when missing, written."""

import base64
import dataclasses
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from events.codec import EventType
from events.personal import KEY_BYTES, SubjectKey
from events.record import Origin, Record
from tests.events.times import NOON

FOLDER = Path(__file__).parent
KEY = SubjectKey(bytes(range(KEY_BYTES)))
STREAM = "golden-1"
VERSION = 3


class Golden(NamedTuple):
    """One file: stored bytes, their personal part as it was before it was sealed, and the event they are."""

    payload: bytes
    personal: dict[str, Any]
    event: Any  # plain JSON


def path_of(type: str, schema_version: int) -> Path:
    """Where the golden file of one version of a type lies."""
    return FOLDER / f"{type}.v{schema_version}.json"


def read(path: Path) -> Golden:
    """The content of a golden file."""
    content = orjson.loads(path.read_bytes())
    return Golden(content["stored"].encode(), content["personal"], content["event"])


def write(path: Path, payload: bytes, event: object) -> None:
    """Make the golden file of an event that was encoded to `payload`."""
    content = {
        "event": plain(event),
        "personal": opened(path.name.rpartition(".v")[0], payload),
        "stored": payload.decode(),
    }
    path.write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2) + b"\n")


def plain(event: object) -> Any:
    """An event as plain JSON values."""
    assert dataclasses.is_dataclass(event)
    return orjson.loads(orjson.dumps(event))


def opened(type: str, payload: bytes) -> dict[str, Any]:
    """The personal part of a payload; empty when nothing is sealed."""
    sealed = orjson.loads(payload).get("sealed")
    if sealed is None:
        return {}
    return orjson.loads(KEY.unseal(base64.b64decode(sealed), stream=STREAM, version=VERSION, field=type))  # type: ignore[no-any-return]  # JSON


def record(type: EventType, schema_version: int, payload: bytes) -> Record:
    """The payload under the AAD context that it was sealed with."""
    origin = Origin(account="acct_1", livemode=False, at=NOON, actor="system")
    return Record(
        position=1,
        stream=STREAM,
        version=VERSION,
        type=type.name,
        schema_version=schema_version,
        payload=payload,
        hash=bytes(32),
        origin=origin,
    )
