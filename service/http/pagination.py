"""List objects: pages of stored bytes, and cursors that name nothing."""

from collections.abc import Sequence

import orjson

from events.errors import Refusal
from projections.read import PageOf

START = b'{\n  "object": "list",\n  "data": ['


def list_body(url: str, bodies: Sequence[bytes], has_more: bool, total_count: int | None = None) -> bytes:
    """A page as the API's list object; its items keep the margin they are stored with."""
    total = b"" if total_count is None else b',\n  "total_count": %d' % total_count
    has = b"true" if has_more else b"false"
    end = b',\n  "has_more": %b%b,\n  "url": %b\n}' % (has, total, orjson.dumps(url))
    if not bodies:
        return START + b"]" + end
    items = list(bodies)
    items[0] = START + b"\n" + items[0]
    items[-1] += b"\n  ]" + end
    return b",\n".join(items)  # the one copy of a page that may be large


def unknown_cursor(kind: str, page: PageOf) -> Refusal:
    """The refusal of a page whose cursor names nothing."""
    param = "ending_before" if page.ending_before is not None else "starting_after"
    id = page.ending_before if page.ending_before is not None else page.starting_after
    return Refusal(f"No such {kind}: '{id}'", code="resource_missing", param=param)
