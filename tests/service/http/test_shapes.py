"""The shapes of answers: every answer an operation names has one, and they say no more and no less than they show."""

import pytest
from pydantic import ValidationError

from service.http.app import OPERATIONS
from service.http.operation import Operation
from service.http.schemas import SHAPES, shapes
from service.http.schemas.customer import Customer
from service.http.schemas.schema import ListOf

CLOCK = {
    "id": "clock_1",
    "object": "test_helpers.test_clock",
    "created": 1,
    "deletes_after": 2,
    "frozen_time": 3,
    "livemode": False,
    "name": None,
    "status": "ready",
    "status_details": {},
}


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_what_every_operation_answers_has_a_shape(operation: Operation) -> None:
    assert shapes(operation.answers)


@pytest.mark.parametrize(
    "wrong",
    [
        CLOCK | {"created": "1"},
        CLOCK | {"name": 7},
        CLOCK | {"more": None},
        CLOCK | {"status_details": {"advancing": None}},
        {name: value for name, value in CLOCK.items() if name != "name"},
    ],
    ids=["text for a number", "a number for text", "one property more", "null for what is left out", "one less"],
)
def test_an_answer_of_another_schema_is_reported(wrong: dict[str, object]) -> None:
    shape = SHAPES["test_helpers.test_clock"]
    shape.model_validate(CLOCK)
    with pytest.raises(ValidationError):
        shape.model_validate(wrong)


def test_lists_and_searches_are_named_after_what_they_are_of() -> None:
    assert SHAPES["list.customer"] is ListOf[Customer]
    assert SHAPES["list.customer"].__name__ == "CustomerList"
    assert SHAPES["search_result.customer"].__name__ == "CustomerSearchResult"


def test_what_may_be_left_out_is_not_required_and_has_no_default() -> None:
    schema = SHAPES["deleted_discount"].model_json_schema()["$defs"]["Coupon"]
    assert "applies_to" not in schema["required"]
    assert "default" not in schema["properties"]["applies_to"]
    assert "name" in schema["required"]
