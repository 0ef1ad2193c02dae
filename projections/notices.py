"""Notices (the outbox): a change rendered as the API's `event` object.

Ids are derived from stream and version, so projecting the same history again gives the same notices.
The object inside is the one right after the change, frozen in the API version of the account at that time.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import orjson

from events import ids
from events.decider import Change, State
from events.record import Origin
from projections.rows import NoticeRow, dumps

LEFT = ("id", "object", "customer")  # of the object of a redacted notice
PENDING = b'\n  "pending_webhooks": '


class Notification(NamedTuple):
    """A notice to publish: its type, the object after the event, and before it for `previous_attributes`."""

    type: str
    shown: dict[str, Any]
    before: dict[str, Any] | None = None


# Of an event, the state before it, the state after it, and livemode.
NotificationOf = Callable[[Any, State, State, bool], Notification | None]


def notices_of(
    change: Change[State], api_version: str, notification_of: NotificationOf[State]
) -> tuple[NoticeRow, ...]:
    """A notice of each event of a change for which `notification_of` gives a notification."""
    notices: list[NoticeRow] = []
    before, version = change.before, change.version - len(change.steps)
    for index, (event, after) in enumerate(change.steps):
        version += 1
        notification = notification_of(event, before, after, change.origin.livemode)
        if notification is not None:
            notices.append(
                notice(
                    notification.type,
                    notification.shown,
                    before=notification.before,
                    stream=change.stream,
                    version=version,
                    event=index,
                    origin=change.origin,
                    api_version=api_version,
                )
            )
        before = after
    return tuple(notices)


def notice(
    type: str,
    shown: dict[str, Any],
    *,
    before: dict[str, Any] | None = None,
    stream: str,
    version: int,
    event: int,
    origin: Origin,
    api_version: str,
) -> NoticeRow:
    """One notice of the `version`th event of `stream`; `before` adds the previous attributes."""
    id = ids.derived("evt", stream, version, type)
    created = int(origin.at.timestamp())
    data: dict[str, Any] = {"object": shown}
    if before is not None:
        data["previous_attributes"] = previous_attributes(before, shown)
    fields = {
        "id": id,
        "object": "event",
        "api_version": api_version,
        "created": created,
        "data": data,
        "livemode": origin.livemode,
        "pending_webhooks": 0,
        "request": {"id": origin.request_id, "idempotency_key": origin.idempotency_key} if origin.request_id else None,
        "type": type,
    }
    return NoticeRow(
        event=event,
        id=id,
        account=origin.account,
        livemode=origin.livemode,
        type=type,
        created=created,
        stream=stream,
        version=version,
        object_id=shown.get("id") or shown["customer"],  # a cash balance has no id of its own
        body=dumps(fields),
        traceparent=origin.traceparent,
    )


def redacted(body: bytes) -> bytes:
    """A stored notice after the erasure of its customer: of its object the ids are left. Twice changes nothing.

    It depends on nothing that a key unseals, so a notice that is made again after the erasure becomes the same bytes.
    """
    fields = orjson.loads(body)
    shown = fields["data"]["object"]
    fields["data"] = {"object": {name: shown[name] for name in LEFT if name in shown} | {"redacted": True}}
    if fields["request"] is not None:
        fields["request"]["idempotency_key"] = None
    return dumps(fields)


def previous_attributes(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Previous attributes of an update: of a changed hash its changed keys, a changed array as a whole, null for new
    attributes (API reference, the event object).
    """
    previous: dict[str, Any] = {}
    for key in after.keys() | before.keys():
        old, new = before.get(key), after.get(key)
        if old == new:
            continue
        previous[key] = previous_attributes(old, new) if isinstance(old, dict) and isinstance(new, dict) else old
    return dict(sorted(previous.items()))


def with_pending(body: bytes, pending: int) -> bytes:
    """A stored notice with its present count of webhooks still to take it.

    Line breaks stand in JSON between members only, never inside a string, so the last such line is the right one.
    """
    if pending == 0:
        return body
    start = body.rindex(PENDING) + len(PENDING)
    return body[:start] + str(pending).encode() + body[body.index(b",", start) :]
