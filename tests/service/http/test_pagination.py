"""List objects, byte by byte."""

import orjson
import pytest

from service.http import pagination


def test_a_list_without_items_is_written_in_full() -> None:
    assert pagination.list_body("/v1/customers", [], False) == (
        b'{\n  "object": "list",\n  "data": [],\n  "has_more": false,\n  "url": "/v1/customers"\n}'
    )


@pytest.mark.parametrize("count", [1, 2, 3])
def test_items_are_indented_as_they_stand_in_the_list(count: int) -> None:
    items = [
        orjson.dumps({"id": f"cus_{number}", "name": "a\nb", "metadata": {"a": "b"}}, option=orjson.OPT_INDENT_2)
        for number in range(count)
    ]
    body = pagination.list_body("/v1/customers", items, True, 7)
    assert body == orjson.dumps(orjson.loads(body), option=orjson.OPT_INDENT_2)
    assert [orjson.dumps(item, option=orjson.OPT_INDENT_2) for item in orjson.loads(body)["data"]] == items
    assert list(orjson.loads(body)) == ["object", "data", "has_more", "total_count", "url"]


def test_the_pages_own_items_stay_as_they_were() -> None:
    items = [b"{}", b"{}"]
    pagination.list_body("/v1/customers", items, False)
    assert items == [b"{}", b"{}"]
