"""List objects: pages of stored bytes, and cursors that name nothing."""

from collections.abc import Sequence

import orjson

from events.errors import Refusal
from projections.read import PageOf

MARGIN = b"\n    "  # of items; line ends within texts are escaped in JSON
LIST, SEARCH_RESULT = (b'{\n  "object": "%b",\n  "data": [' % object for object in (b"list", b"search_result"))


def list_body(url: str, bodies: Sequence[bytes], has_more: bool, total_count: int | None = None) -> bytes:
    """A page as the API's list object, its items indented as they stand in it."""
    return _joined(LIST, bodies, {"has_more": has_more, **_total(total_count), "url": url})


def search_body(url: str, bodies: Sequence[bytes], next_page: str | None, total_count: int | None = None) -> bytes:
    """A page as the API's search result; `next_page` names the page after it, None when there is none."""
    rest = {"has_more": next_page is not None, "next_page": next_page, **_total(total_count), "url": url}
    return _joined(SEARCH_RESULT, bodies, rest)


def _total(count: int | None) -> dict[str, object]:
    return {} if count is None else {"total_count": count}


def _joined(start: bytes, bodies: Sequence[bytes], rest: dict[str, object]) -> bytes:
    end = b"".join(b",\n  %b: %b" % (orjson.dumps(name), orjson.dumps(value)) for name, value in rest.items()) + b"\n}"
    if not bodies:
        return start + b"]" + end
    items = b",\n".join(bodies).replace(b"\n", MARGIN)
    return b"".join((start, MARGIN, items, b"\n  ]", end))


def unknown_cursor(kind: str, page: PageOf) -> Refusal:
    """The refusal of a page whose cursor names nothing."""
    param = "ending_before" if page.ending_before is not None else "starting_after"
    id = page.ending_before if page.ending_before is not None else page.starting_after
    return Refusal(f"No such {kind}: '{id}'", code="resource_missing", param=param)
