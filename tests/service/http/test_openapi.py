"""The API's description of itself: valid OpenAPI, whole, the same each time, and there for everybody."""

import json
from typing import Any

import orjson
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from service.http import json_body, openapi, params
from service.http.app import OPERATIONS
from service.http.docs.examples import EXAMPLES
from service.http.operation import Operation
from service.http.schemas import SHAPES
from tests.service.described import Undescribed, check
from tests.service.serving import Api

DOCUMENT: dict[str, Any] = json.loads(openapi.dumps(OPERATIONS))
SCHEMAS = DOCUMENT["components"]["schemas"]
each_operation = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)


def described(method: str, path: str) -> Any:
    return DOCUMENT["paths"][path][method.lower()]


def query(path: str, name: str) -> Any:
    return next(one for one in described("GET", path)["parameters"] if one.get("name") == name)


def test_it_is_valid_openapi() -> None:
    OpenAPIV31SpecValidator(DOCUMENT).validate()


def test_it_is_the_same_each_time() -> None:
    assert openapi.dumps(reversed(OPERATIONS)) == openapi.dumps(OPERATIONS)


@each_operation
def test_every_operation_is_described(operation: Operation) -> None:
    one = described(operation.method, operation.path)
    assert one["operationId"] == operation.name
    assert one["summary"]
    assert operation.permission in one["description"]
    assert {int(status) for status in one["responses"]} == set(openapi.statuses(operation))


@each_operation
def test_every_parameter_is_described(operation: Operation) -> None:
    names = {field.alias or name for name, field in operation.parameters.model_fields.items()}
    one = described(operation.method, operation.path)
    if "requestBody" in one:
        ref = one["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"]["$ref"]
        shown = SCHEMAS[ref.rpartition("/")[2]]["properties"]
    else:
        shown = {parameter["name"]: parameter for parameter in one["parameters"] if parameter.get("in") == "query"}
    assert shown.keys() == names
    for parameter in shown.values():
        assert parameter.get("description") or "$ref" in parameter


@each_operation
def test_every_answers_shape_is_there(operation: Operation) -> None:
    answers = (operation.answers,) if isinstance(operation.answers, str) else operation.answers
    content = json.dumps(described(operation.method, operation.path)["responses"]["200"]["content"])
    for answer in answers:
        name = SHAPES[answer].__name__
        assert f'"#/components/schemas/{name}"' in content
        assert name in SCHEMAS


def test_nothing_refers_to_what_is_not_there_and_nothing_is_there_for_nobody() -> None:
    text = json.dumps(DOCUMENT)
    for name in SCHEMAS:
        assert f'"#/components/schemas/{name}"' in text
    assert text.count("#/components/schemas/") == sum(text.count(f'"#/components/schemas/{name}"') for name in SCHEMAS)


@each_operation
def test_examples_can_be_sent(operation: Operation) -> None:
    example = EXAMPLES.get(operation.name)
    if example is None:
        assert not any(field.is_required() for field in operation.parameters.model_fields.values())
    else:
        params.parse(operation.parameters, json_body.decode(orjson.dumps(example)))


def test_parameters_have_the_types_that_their_text_stands_for() -> None:
    limit = query("/v1/customers", "limit")["schema"]
    assert limit == {"type": "integer", "minimum": 1, "maximum": 100, "default": 10}
    assert query("/v1/customers", "created")["style"] == "deepObject"
    assert query("/v1/customers", "created")["schema"]["anyOf"][0] == {"type": "integer"}
    assert query("/v1/events", "delivery_success")["schema"] == {"type": "boolean"}
    coupon = SCHEMAS["coupon.CreateCoupon"]["properties"]
    assert coupon["percent_off"] == {
        "type": "number",
        "exclusiveMinimum": 0,
        "maximum": 100,
        "description": "Percentage of the discount, above 0 and up to 100; fractions are allowed.",
    }


def test_required_parameters_are_first_and_paging_is_last() -> None:
    assert list(SCHEMAS["webhook_endpoint.CreateWebhookEndpoint"]["properties"])[:2] == ["url", "enabled_events"]
    create = list(SCHEMAS["customer.CreateCustomer"]["properties"])
    assert create[:3] == ["email", "name", "phone"]
    assert create[-2:] == ["validate", "expand"]
    for name, schema in SCHEMAS.items():
        if "." in name and (required := schema.get("required")):
            assert list(schema["properties"])[: len(required)] == required, name
    listed = [one.get("name") for one in described("GET", "/v1/customers")["parameters"]]
    assert listed[:7] == ["email", "created", "test_clock", "limit", "starting_after", "ending_before", "expand"]


def test_a_sample_quotes_a_query_plainly() -> None:
    curl, python, node = (one["source"] for one in described("GET", "/v1/customers/search")["x-codeSamples"])
    assert """--data-urlencode 'query=email:"jenny.rosen@example.com"'""" in curl
    assert """'email:"jenny.rosen@example.com"'""" in python
    assert """'email:"jenny.rosen@example.com"'""" in node


def test_what_may_be_unset_takes_the_empty_string_and_nothing_takes_null() -> None:
    update = SCHEMAS["customer.UpdateCustomer"]["properties"]
    empty = {"type": "string", "enum": [""]}
    assert update["address"]["anyOf"] == [{"$ref": "#/components/schemas/customer.Address"}, empty]
    assert empty in update["metadata"]["anyOf"]
    assert update["tax_exempt"]["enum"] == ["", "none", "exempt", "reverse"]
    assert update["description"]["maxLength"] == 5000
    assert "minLength" not in update["description"]
    assert update["promotion_code"]["minLength"] == 1
    parameters = [schema for name, schema in SCHEMAS.items() if "." in name]
    assert '"null"' not in json.dumps(parameters)


def test_only_what_acts_takes_an_idempotency_key() -> None:
    key = {"$ref": "#/components/parameters/IdempotencyKey"}
    assert key in described("POST", "/v1/customers")["parameters"]
    assert key not in described("GET", "/v1/customers")["parameters"]
    assert key not in described("DELETE", "/v1/customers/{customer}")["parameters"]


def test_routes_of_our_own_take_json_too() -> None:
    report = described("PUT", "/v1/rollbook/customers/{customer}/subscriptions/{subscription}")
    assert set(report["requestBody"]["content"]) == {"application/x-www-form-urlencoded", "application/json"}
    assert set(described("POST", "/v1/customers")["requestBody"]["content"]) == {"application/x-www-form-urlencoded"}


def test_examples_are_of_operations() -> None:
    assert EXAMPLES.keys() <= {operation.name for operation in OPERATIONS}


async def test_it_is_served_to_whoever_asks(api: Api) -> None:
    async with api.session.get(f"{api.url}/openapi.json") as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
        assert await answer.json() == DOCUMENT
        tag = answer.headers["ETag"]
    async with api.session.get(f"{api.url}/openapi.json", headers={"If-None-Match": tag}) as answer:
        assert answer.status == 304


@pytest.mark.parametrize(
    ("method", "path", "status", "body"),
    [
        ("GET", "/v1/customers/cus_1", 200, b'{"id": "cus_1", "object": "customer"}'),
        ("GET", "/v1/customers/search?query=x", 200, b'{"object": "list"}'),
        ("GET", "/v1/customers", 404, b'{"error": {"message": "No.", "type": "invalid_request_error"}}'),
        ("GET", "/v1/customers", 400, b'{"error": {"message": "No.", "type": "of no type"}}'),
        ("GET", "/v1/rollbook/feed", 200, b'{"position": 1}\n'),
    ],
    ids=["shape", "shape of another operation", "status", "shape of an error", "line"],
)
def test_every_answer_in_a_test_is_checked_against_it(method: str, path: str, status: int, body: bytes) -> None:
    with pytest.raises(Undescribed):
        check(method, path, status, "2026-06-24.dahlia", body)
