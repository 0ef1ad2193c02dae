"""List objects, byte by byte."""

import orjson
import pytest

from service.http import pagination


def test_a_list_without_items_is_written_in_full() -> None:
    assert pagination.list_body("/v1/customers", [], False) == (
        b'{\n  "object": "list",\n  "data": [],\n  "has_more": false,\n  "url": "/v1/customers"\n}'
    )


@pytest.mark.parametrize("count", [1, 2, 3])
def test_items_are_put_in_as_the_bytes_they_are_stored_as(count: int) -> None:
    items = [b'{\n  "id": "cus_%d"\n}' % number for number in range(count)]
    body = pagination.list_body("/v1/customers", items, True, 7)
    assert body == (
        b'{\n  "object": "list",\n  "data": [\n'
        + b",\n".join(items)
        + b'\n  ],\n  "has_more": true,\n  "total_count": 7,\n  "url": "/v1/customers"\n}'
    )
    assert list(orjson.loads(body)) == ["object", "data", "has_more", "total_count", "url"]


def test_the_pages_own_items_stay_as_they_were() -> None:
    items = [b"{}", b"{}"]
    pagination.list_body("/v1/customers", items, False)
    assert items == [b"{}", b"{}"]
