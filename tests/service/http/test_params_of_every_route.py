"""What holds for the parameters of every route: any form at all is parsed or refused, and every field is described."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from events.errors import Refusal
from service.http import form, params
from service.http.app import OPERATIONS
from service.http.params import Parameters
from service.http.params.customer import ListCustomers
from service.http.params.listing import Listing

MODELS = list(dict.fromkeys(operation.parameters for operation in OPERATIONS))


def schemas(model: type[BaseModel]) -> list[dict[str, Any]]:
    """The schema of a model and of every hash within it."""
    schema = model.model_json_schema()
    return [schema, *schema.get("$defs", {}).values()]


KEYS = st.sampled_from(
    sorted({name for model in MODELS for schema in schemas(model) for name in schema["properties"]})
) | st.sampled_from(["", "0", "1", "01", "7", "\u0661", "9" * 30, "foo"])
VALUES = st.text(max_size=20) | st.sampled_from(
    ["", " ", "-0", "1", "true", "a@b.co", "*", "customer.created", "9" * 30, "x" * 5001, "none", "2020-08-27"]
)
NAMES = st.lists(KEYS, min_size=1, max_size=4).map(lambda keys: keys[0] + "".join(f"[{key}]" for key in keys[1:]))
FORMS = st.lists(st.tuples(NAMES, VALUES), max_size=6)


@given(FORMS)
@pytest.mark.parametrize("model", MODELS)
def test_any_form_is_parsed_or_refused(model: type[Parameters], pairs: list[tuple[str, str]]) -> None:
    with suppress(Refusal):
        parsed = params.parse(model, form.nest(pairs))
        assert isinstance(parsed, model)
        if isinstance(parsed, Listing):
            parsed.page()


@pytest.mark.parametrize("model", MODELS)
def test_every_parameter_is_described_in_a_sentence(model: type[Parameters]) -> None:
    for schema in schemas(model):
        for name, described in schema["properties"].items():
            assert described.get("description", "").endswith("."), name


@pytest.mark.parametrize("model", MODELS)
def test_no_route_takes_a_parameter_it_does_not_know(model: type[Parameters]) -> None:
    with pytest.raises(Refusal) as raised:
        params.parse(model, {"foo": "", "bar": {"baz": "1"}})
    assert (raised.value.code, raised.value.param) == ("parameter_unknown", "foo")
    assert raised.value.message == "Received unknown parameters: foo, bar"


def test_a_list_is_of_ten_from_its_beginning_unless_more_is_said() -> None:
    page = params.parse(ListCustomers, {}).page()
    assert (page.limit, page.starting_after, page.ending_before) == (10, None, None)


def test_the_bounds_of_a_range_all_hold() -> None:
    def bounds(created: Any) -> tuple[int, int]:
        page = params.parse(ListCustomers, {"created": created}).page()
        return page.created_min, page.created_max

    assert bounds("5") == (5, 5)
    assert bounds({"gt": "5", "lt": "9"}) == (6, 8)
    assert bounds({"gt": "5", "gte": "3", "lt": "9", "lte": "20"}) == (6, 8)
