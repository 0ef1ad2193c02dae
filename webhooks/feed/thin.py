"""Thin events: the type, the ids and a URL to fetch the object from, without its data.

Pure. Sent to endpoints with the rule `payload=thin`, and instead of events that are too large.
"""

from events.customer import KIND as CUSTOMER
from projections.rows import dumps


def body(*, id: str, type: str, created: int, livemode: bool, stream: str, version: int, position: int) -> bytes:
    """The JSON of a thin event; `version` counts in the stream of its object, `position` in the feed.

    `link` is the path of the full event in the API.
    """
    kind, _, about = stream.partition("-")
    fields = {
        "id": id,
        "object": "rollbook.thin_event",
        "created": created,
        "customer": about if kind == CUSTOMER else None,
        "link": f"/v1/events/{id}",
        "livemode": livemode,
        "position": position,
        "type": type,
        "version": version,
    }
    return dumps(fields)
