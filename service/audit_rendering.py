"""What audits show, as JSON: events of a stream with their actors, states and differences. For the API and commands."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

from events.record import Record
from events.scope import Scope
from projections.changes import Changed
from projections.read import Reader
from service.history import Kind, State, StreamEvent

CHANGES_MAX = 1000  # of a difference
OPERATOR = "operator:"
Actors = Mapping[str, dict[str, Any]]


def rfc3339(at: datetime) -> str:
    """A time as RFC 3339 has it, with microseconds, in UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"


async def actors(reader: Reader, scope: Scope, ids: Iterable[str]) -> Actors:
    """Who acted, by the id of the actor: the name of an API key, revoked or not, and its ends."""
    asked = sorted({id for id in ids if id.startswith("key_")})
    bodies = await reader.many(scope, "api_key", asked) if asked else []
    found = {id: orjson.loads(body) for id, body in zip(asked, bodies, strict=True) if body is not None}
    return {id: {"key": key["key"], "name": key["name"]} for id, key in found.items()}


def event(shown: StreamEvent, known: Actors) -> dict[str, Any]:
    """An event of the log with what it changed."""
    record = shown.record
    origin = record.origin
    return {
        "id": str(record.position),
        "object": "rollbook.audit.event",
        "actor": _actor(record, known),
        "causation_id": origin.causation_id,
        "changes": changes(shown.changes),
        "correlation_id": origin.correlation_id,
        "data": shown.data,
        "hash": record.hash.hex(),
        "idempotency_key": origin.idempotency_key,
        "livemode": origin.livemode,
        "position": record.position,
        "request_id": origin.request_id,
        "schema_version": record.schema_version,
        "sealed": shown.sealed,
        "stream": record.stream,
        "time": rfc3339(origin.at),
        "type": record.type,
        "version": record.version,
    }


def changes(found: Sequence[Changed]) -> list[dict[str, Any]]:
    """Changes of an object."""
    return [{"path": path, "from": before, "to": after} for path, before, after in found]


def state(kind: Kind, id: str, scope: Scope, at: State) -> dict[str, Any]:
    """An object as it was."""
    return {
        "id": id,
        "object": "rollbook.audit.state",
        "kind": kind.name,
        "livemode": scope.livemode,
        "point": point(at.record),
        "sealed": at.sealed,
        "state": kind.render(at.state, scope),
        "stream": at.record.stream,
    }


def difference(kind: Kind, id: str, scope: Scope, before: State | None, after: State) -> dict[str, Any]:
    """What changed between two points of an object, of which the earlier may be before its first event."""
    found = kind.difference(kind.decider.initial if before is None else before.state, after.state, scope)
    return {
        "id": id,
        "object": "rollbook.audit.difference",
        "changes": changes(found[:CHANGES_MAX]),
        "from": None if before is None else point(before.record),
        "has_more": len(found) > CHANGES_MAX,
        "kind": kind.name,
        "livemode": scope.livemode,
        "sealed": after.sealed,
        "stream": after.record.stream,
        "to": point(after.record),
    }


def point(record: Record) -> dict[str, Any]:
    """A point of a stream: its last event then."""
    return {"position": record.position, "time": rfc3339(record.origin.at), "version": record.version}


def _actor(record: Record, known: Actors) -> dict[str, Any]:
    id = record.origin.actor
    key = known.get(id, {"key": None, "name": None})
    kind = "operator" if id.startswith(OPERATOR) else "api_key" if id.startswith("key_") else "system"
    return {"id": id, "account": record.origin.account, **key, "type": kind}
