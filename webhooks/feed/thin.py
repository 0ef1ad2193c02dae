"""A notice in short: what happened to whom and where to read the whole of it, and none of what it was.

Pure. It is what an endpoint gets that asked for it, or of a notice too large to be sent.
"""

from events.customer import KIND as CUSTOMER
from projections.rows import dumps


def body(*, id: str, type: str, created: int, livemode: bool, stream: str, version: int, position: int) -> bytes:
    """The JSON of a thin notice; `version` counts in the stream of what it tells of, `position` in the feed.

    `link` is the path, at the API it came from, at which the whole event is read.
    """
    kind, _, about = stream.partition("-")
    told = {
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
    return dumps(told)
