"""What is true of the parameters of every route: any form at all is parsed or refused, and every field is described."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pytest
from annotated_types import MaxLen
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AfterValidator, BaseModel, Field, create_model
from pydantic.fields import FieldInfo

from events.errors import Refusal
from service.http import form, params
from service.http.app import OPERATIONS
from service.http.params import Parameters
from service.http.params.coupon import CreateCoupon
from service.http.params.customer import ListCustomers, UpdateCustomer
from service.http.params.fields import (
    METADATA_KEY_CHARACTERS_MAX,
    METADATA_KEYS_MAX,
    METADATA_VALUE_CHARACTERS_MAX,
    Text,
)
from service.http.params.listing import Listing
from service.http.params.webhook_endpoint import EVENT_TYPES, _event_type

REFUSED = {"account", "person"}  # hashes of POST /v1/tokens that are refused, whatever is in them
# What a request says of other objects than the one that it writes; each has an operation of its own.
OF_OTHERS = {"bank_account", "card", "source", "tax_id_data"}
CURRENCY_CHARACTERS = 3
OBJECT_CHARACTERS_MAX = 200_000  # deploy/README.md
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


class Unbounded(AssertionError):
    """A parameter without a maximum."""


def characters(kind: Any, metadata: Sequence[Any], name: str, leave: AbstractSet[str] = frozenset()) -> int:
    """How many characters a value of a type can have at most. Raises Unbounded, naming it."""
    metadata = [inner for each in metadata for inner in (each.metadata if isinstance(each, FieldInfo) else [each])]
    most = [each.max_length for each in metadata if isinstance(each, MaxLen)]
    origin, arguments = get_origin(kind), get_args(kind)
    if AfterValidator(_event_type) in metadata:
        return max(map(len, EVENT_TYPES))
    if kind in (int, float, bool, NoneType):
        return 20
    if origin is Annotated:
        return characters(arguments[0], [*metadata, *arguments[1:]], name, leave)
    if origin in (Union, UnionType):
        return max(characters(each, metadata, name, leave) for each in arguments)
    if origin is Literal:
        return max(map(len, arguments))
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        fields = {within: field for within, field in kind.model_fields.items() if within not in leave}
        return sum(
            characters(field.annotation, field.metadata, f"{name}[{within}]") for within, field in fields.items()
        )
    if not most:
        raise Unbounded(name)
    if kind is str:
        return int(most[0])
    if origin is tuple:
        return int(most[0]) * characters(arguments[0], [], f"{name}[]")
    if arguments == (str, str):  # metadata
        return METADATA_KEYS_MAX * (METADATA_KEY_CHARACTERS_MAX + METADATA_VALUE_CHARACTERS_MAX)
    assert origin is dict, name
    return int(most[0]) * (CURRENCY_CHARACTERS + characters(arguments[1], [], f"{name}[{{}}]"))


def test_every_text_has_a_longest_and_every_array_a_most() -> None:
    for model in MODELS:
        characters(model, [], model.__name__, REFUSED)


@pytest.mark.parametrize("without", [str, tuple[Text, ...], dict[str, Text], Annotated[str, Field(min_length=1)]])
def test_a_parameter_without_a_maximum_is_found(without: Any) -> None:
    model = create_model("Model", __base__=Parameters, within=(tuple[without, ...] | None, Field(max_length=3)))
    with pytest.raises(Unbounded):
        characters(model, [], "")


def test_no_object_is_larger_than_is_documented() -> None:
    for operation in OPERATIONS:
        if operation.method in ("POST", "PUT"):
            written = characters(operation.parameters, [], "", {*OF_OTHERS, *REFUSED, "expand"})
            assert written <= OBJECT_CHARACTERS_MAX, (operation.name, written)
    assert f"{OBJECT_CHARACTERS_MAX:,} characters" in Path("deploy/README.md").read_text()


@pytest.mark.parametrize(
    ("model", "sent", "param"),
    [
        (UpdateCustomer, {"preferred_locales": ["en"] * 51}, "preferred_locales"),
        (UpdateCustomer, {"preferred_locales": ["en", "x" * 101]}, "preferred_locales[1]"),
        (UpdateCustomer, {"metadata": {f"k{n}": "" for n in range(101)}}, "metadata"),
        (UpdateCustomer, {"expand": ["default_source"] * 101}, "expand"),
        (CreateCoupon, {"applies_to": {"products": ["prod_1"] * 101}}, "applies_to[products]"),
        (CreateCoupon, {"applies_to": {"products": ["x" * 256]}}, "applies_to[products][0]"),
    ],
)
def test_what_is_beyond_a_maximum_is_refused(model: type[Parameters], sent: Any, param: str) -> None:
    with pytest.raises(Refusal, match=r"[Aa]t most") as raised:
        params.parse(model, sent)
    assert raised.value.param == param


def test_a_list_is_of_ten_from_its_beginning_unless_more_is_said() -> None:
    page = params.parse(ListCustomers, {}).page()
    assert (page.limit, page.starting_after, page.ending_before) == (10, None, None)


def test_the_bounds_of_a_range_all_apply() -> None:
    def bounds(created: Any) -> tuple[int, int]:
        page = params.parse(ListCustomers, {"created": created}).page()
        return page.created_min, page.created_max

    assert bounds("5") == (5, 5)
    assert bounds({"gt": "5", "lt": "9"}) == (6, 8)
    assert bounds({"gt": "5", "gte": "3", "lt": "9", "lte": "20"}) == (6, 8)
