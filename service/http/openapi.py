"""The OpenAPI 3.1 document, generated from the operations, their parameters and the schemas of their responses.

The models of parameters parse text, for all that forms can carry is text. Described is what the text stands for:
integers, booleans, arrays; the empty string where it unsets. A null is never sent.
"""

import functools
import inspect
import re
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from importlib import resources
from typing import Any

import orjson
from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from events.version import VERSION
from service import api_versions
from service.history_kinds import KINDS
from service.http import permissions
from service.http.docs import samples
from service.http.docs.event_types import EVENT_TYPES
from service.http.docs.examples import EXAMPLES
from service.http.operation import Operation
from service.http.params import Parameters, fields
from service.http.pipeline import FORM, JSON, OUR_OWN, WITH_BODY
from service.http.routes.feed import NDJSON, POSITION
from service.http.schemas import SHAPES
from service.http.schemas.schema import Refused, Shape

LINES = frozenset({"feed_line", "audit_line"})  # answers that are so many lines, each of that shape
SCHEMAS = "#/components/schemas/"
# Parameters that are described first, after the required ones, and last; between them the order is alphabetical.
FIRST = (
    *("number", "exp_month", "exp_year", "cvc", "url", "enabled_events", "promotion", "code"),
    *("email", "name", "phone", "description", "address", "shipping", "metadata"),
)
LAST = ("limit", "page", "starting_after", "ending_before", "expand")
ANSWERS: Mapping[str, Any] = orjson.loads(resources.files("service.http.docs").joinpath("answers.json").read_bytes())
PLACEHOLDER = re.compile(r"\{(\w+)\}")
BOUNDS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}
EMPTY: JsonSchemaValue = {"type": "string", "enum": [""]}

DESCRIPTION = """\
Rollbook stores customers and implements the Stripe Customers API.

**Requests** carry their parameters in the query (GET, DELETE) or in a form (POST), where `a[b]` is a key of a hash and
`a[0]` an element of an array; the routes under `/v1/rollbook/` take JSON too. An empty value unsets an
optional attribute. Unknown parameters are refused.

**Keys** go in the Authorization header, as a bearer token or as the user of Basic authentication. A key belongs to
one account, and to live mode or test mode.

**Retries** are safe under an `Idempotency-Key`: for a day the first response is returned again.

**Lists** are sorted newest first. `starting_after` and `ending_before` take the id of an object; `has_more` says
whether there are more.

**Expansion** replaces an id by the object, or includes an optional attribute: `expand[]=default_source`, and in lists
`expand[]=data.default_source`.
"""

STATUSES: Mapping[int, str] = {
    400: "The request is invalid; `param` names the parameter at fault.",
    401: "The API key is missing or invalid.",
    402: "The card was declined, or its details are invalid.",
    403: "The API key lacks a permission.",
    404: "The object does not exist.",
    408: "The body took too long to arrive.",
    409: "Another request with the same idempotency key is in progress.",
    413: "The body is too large.",
    429: "The key or account has too many requests in flight or sends them too fast, others kept changing the same "
    "object, or its test clock is moving (`Stripe-Rate-Limited-Reason` says which): try again after `Retry-After`.",
    500: "Internal error.",
    503: "The service is overloaded, the request took too long, or the database cannot be reached: try again.",
}
ALWAYS = (400, 401, 403, 429, 500, 503)

HEADERS: Mapping[str, Any] = {
    "IdempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "Unique value chosen by the client; a request repeated with the same key is executed once.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    },
    "StripeAccount": {
        "name": "Stripe-Account",
        "in": "header",
        "description": "Id of the account of the API key.",
        "schema": {"type": "string"},
    },
    "StripeVersion": {
        "name": "Stripe-Version",
        "in": "header",
        "description": "API version of the response, "
        f"{api_versions.OLDEST} or later. This document describes the newest version.",
        "schema": {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}(\.[a-z]+)?$"},
    },
    "Traceparent": {
        "name": "traceparent",
        "in": "header",
        "description": "Trace context of the caller (W3C Trace Context); it is passed on to the events of the request.",
        "schema": {"type": "string"},
    },
}
SECURITY: Mapping[str, Any] = {
    "basic": {"type": "http", "scheme": "basic", "description": "The key as the user, and no password."},
    "bearer": {"type": "http", "scheme": "bearer", "description": "The key as the token."},
    "key": {
        "type": "apiKey",
        "in": "query",
        "name": "key",
        "description": "A publishable key, for the operations that accept one.",
    },
}


class _Schemas(GenerateJsonSchema):
    """JSON schemas of parameters and of shapes."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        if self.mode == "validation":  # of parameters
            return self.generate_inner(schema["schema"])
        return super().nullable_schema(schema)

    def function_before_schema(self, schema: core_schema.BeforeValidatorFunctionSchema) -> JsonSchemaValue:
        shown = super().function_before_schema(schema)
        function: Any = schema["function"]["function"]
        if function in fields.CLEARING:
            return _or_empty(shown)
        if function in fields.REFUSING_EMPTY and shown.get("type") == "string" and "enum" not in shown:
            return {"minLength": 1, **shown}
        return shown

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """A default is included where it is a plain value: that nothing was sent is no value of its own."""
        if not isinstance(schema.get("default"), bool | int | float | str):
            return self.generate_inner(schema["schema"])
        return super().default_schema(schema)


def _or_empty(schema: JsonSchemaValue) -> JsonSchemaValue:
    """The schema, which also allows the empty string."""
    if "enum" in schema:
        return {**schema, "enum": ["", *schema["enum"]]}
    if schema.get("type") == "string" and "pattern" not in schema and "format" not in schema:
        return schema
    if "anyOf" in schema:
        return {**schema, "anyOf": [*schema["anyOf"], EMPTY]}
    return {"anyOf": [schema, EMPTY]}


def dumps(operations: Iterable[Operation]) -> bytes:
    """The document as the bytes that are served; the same each time."""
    return orjson.dumps(document(operations))


def document(operations: Iterable[Operation]) -> dict[str, Any]:
    """The description of `operations`."""
    operations = sorted(operations, key=lambda operation: (operation.path, operation.method))
    schemas = _Components(operations)
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Rollbook",
            "version": VERSION,
            "summary": "An event-sourced customer service that implements the Stripe Customers API.",
            "description": DESCRIPTION,
            "license": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "."}],  # relative to this document, which may stand behind a path prefix
        "security": [{"bearer": []}, {"basic": []}],
        "tags": [{"name": tag} for tag in sorted({_tag(operation) for operation in operations})],
        "paths": paths,
        "webhooks": {type: _webhook(type, occurs) for type, occurs in EVENT_TYPES.items()},
        "x-code-samples": {"base": samples.BASE_URL, "key": samples.KEY, "node": samples.NODE_OPTIONS},
        "components": {
            "schemas": schemas.used(),
            "parameters": HEADERS,
            "responses": {str(status): _refused(description) for status, description in STATUSES.items()},
            "headers": {
                "Position": {"description": "Position to continue from.", "schema": {"type": "integer"}},
                "RequestId": {"description": "Unique identifier of the request.", "schema": {"type": "string"}},
                "StripeVersion": {"description": "API version of the response.", "schema": {"type": "string"}},
            },
            "securitySchemes": SECURITY,
        },
    }


def statuses(operation: Operation) -> tuple[int, ...]:
    """Every status that an operation may answer with."""
    possible = {200, *ALWAYS}
    if operation.declines:
        possible.add(402)
    if "{" in operation.path:
        possible.add(404)
    if operation.method in WITH_BODY:
        possible |= {408, 413}
    if operation.method == "POST":
        possible.add(409)
    return tuple(sorted(possible))


class _Components:
    """The schemas that operations refer to, and under which names."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        parameters = [operation.parameters for operation in operations]
        asked: list[tuple[type[BaseModel], JsonSchemaMode]] = [
            *((model, "validation") for model in _once([*parameters, *_below(Parameters)])),
            *((model, "serialization") for model in _once([*_below(Shape), *SHAPES.values()]) if not _open(model)),
        ]
        refs, defined = models_json_schema(asked, ref_template=f"{SCHEMAS}{{model}}", schema_generator=_Schemas)
        names = {refs[model, mode]["$ref"].removeprefix(SCHEMAS): _name(model) for model, mode in asked}
        self._refs = {model: _renamed(refs[model, mode], names) for model, mode in asked}
        self._schemas = {names[name]: _renamed(schema, names) for name, schema in defined["$defs"].items()}
        for model, mode in asked:
            if mode == "validation":
                _arrange(self._schemas[names[refs[model, mode]["$ref"].removeprefix(SCHEMAS)]])
        self._used: set[str] = set()

    def ref(self, model: type[BaseModel]) -> dict[str, str]:
        """A reference to a model's schema."""
        self._use(self._refs[model])
        ref: dict[str, str] = self._refs[model]
        return ref

    def fields(self, model: type[BaseModel]) -> Iterator[tuple[str, dict[str, Any], bool]]:
        """A model's fields: name, schema, whether it is required."""
        schema = self._schemas[self._refs[model]["$ref"].removeprefix(SCHEMAS)]
        for name, field in schema.get("properties", {}).items():
            yield name, field, name in schema.get("required", ())

    def shape_of(self, schema: dict[str, Any]) -> str:
        """What a value of that schema is: `array`, `object`, or text."""
        if "$ref" in schema:
            return self.shape_of(self._schemas[schema["$ref"].removeprefix(SCHEMAS)])
        types = [self.shape_of(option) for option in (*schema.get("anyOf", ()), *schema.get("oneOf", ()))]
        types.append(schema.get("type", ""))
        return next((kind for kind in ("object", "array") if kind in types), "text")

    def inline(self, schema: dict[str, Any]) -> dict[str, Any]:
        """A schema outside of the components; the components that it refers to are marked as used."""
        self._use(schema)
        return schema

    def used(self) -> dict[str, Any]:
        """The schemas that something refers to, by name."""
        return {name: self._schemas[name] for name in sorted(self._used)}

    def _use(self, value: Any) -> None:
        if isinstance(value, dict):
            name = str(value.get("$ref", "")).removeprefix(SCHEMAS)
            if name and name not in self._used:
                self._used.add(name)
                self._use(self._schemas[name])
            for inner in value.values():
                self._use(inner)
        elif isinstance(value, list):
            for inner in value:
                self._use(inner)


def _arrange(schema: dict[str, Any]) -> None:
    """Put the parameters in the order in which they are described: inheritance puts those of a base class first."""
    required = schema.get("required", ())

    def rank(name: str) -> tuple[int, int, str]:
        if name in required:
            return 0, required.index(name), name
        for at, names in ((1, FIRST), (3, LAST)):
            if name in names:
                return at, names.index(name), name
        return 2, 0, name

    properties = schema.get("properties", {})
    if properties:
        schema["properties"] = {name: properties[name] for name in sorted(properties, key=rank)}


def _operation(operation: Operation, schemas: _Components) -> dict[str, Any]:
    summary, _, rest = (inspect.getdoc(_route(operation)) or "").partition("\n")
    described: dict[str, Any] = {
        "operationId": operation.name,
        "tags": [_tag(operation)],
        "summary": summary.removesuffix("."),
        "description": "\n\n".join(filter(None, (rest.strip(), _permissions(operation)))),
    }
    parameters = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": f"Id of the {name.replace('_', ' ')}." if name != "id" else "Id of the object.",
            "schema": {"type": "string", "minLength": 1, "maxLength": 255},
            **({"description": "Kind of the object.", "schema": {"enum": list(KINDS)}} if name == "kind" else {}),
        }
        for name in PLACEHOLDER.findall(operation.path)
    ]
    if operation.method in WITH_BODY:
        described["requestBody"] = _body(operation, schemas)
    else:
        parameters += [
            _in_query(name, field, required, schemas) | _example(operation, name)
            for name, field, required in schemas.fields(operation.parameters)
        ]
    headers = ["StripeVersion", "StripeAccount", "Traceparent"]
    if operation.method == "POST":
        headers.insert(0, "IdempotencyKey")
    described["parameters"] = [*parameters, *({"$ref": f"#/components/parameters/{name}"} for name in headers)]
    if operation.publishable:
        described["security"] = [{"bearer": []}, {"basic": []}, {"key": []}]
    described["responses"] = {
        str(status): _answer(operation, schemas)
        if status == HTTPStatus.OK
        else {"$ref": f"#/components/responses/{status}"}
        for status in statuses(operation)
    }
    described["x-codeSamples"] = samples.samples(operation.name, operation.method, operation.path, sample(operation))
    schemas.ref(Refused)
    return described


def sample(operation: Operation) -> dict[str, Any]:
    """The parameters that the code samples send: the example; of a list, a short page."""
    sent = dict(EXAMPLES.get(operation.name, {}))
    if operation.method == "GET" and "limit" in operation.parameters.model_fields:
        sent["limit"] = 3
    return sent


def _webhook(type: str, occurs: str) -> dict[str, Any]:
    """What is posted to webhook endpoints when events of a type occur."""
    return {
        "post": {
            "tags": ["events"],
            "summary": type,
            "description": occurs,
            "requestBody": {"required": True, "content": {JSON: {"schema": {"$ref": f"{SCHEMAS}Event"}}}},
            "responses": {"2XX": {"description": "The event was received; any other status is retried."}},
        }
    }


def _permissions(operation: Operation) -> str:
    """The permissions that a restricted key needs."""
    said = f"A restricted key needs {_named(operation.permission, *operation.beside.get(permissions.ALWAYS, ()))}"
    for name, needed in operation.beside.items():
        if name != permissions.ALWAYS:
            said += f"; for `{name}`, {_named(*needed)}"
    if "expand" in operation.parameters.model_fields:
        said += "; to expand an object, the permission to read it"
    return f"{said}."


def _named(*needed: str) -> str:
    plural = "s" if len(needed) > 1 else ""
    return f"the permission{plural} {' and '.join(f'`{permission}`' for permission in needed)}"


def _route(operation: Operation) -> Any:
    route: Any = operation.route
    return route.func if isinstance(route, functools.partial) else route


def _tag(operation: Operation) -> str:
    return operation.name.partition(".")[0]


def _in_query(name: str, field: dict[str, Any], required: bool, schemas: _Components) -> dict[str, Any]:
    shown = {key: value for key, value in field.items() if key != "description"}
    parameter: dict[str, Any] = {
        "name": name,
        "in": "query",
        "required": required,
        "description": field.get("description", ""),
        "schema": schemas.inline(shown),
    }
    if schemas.shape_of(field) != "text":
        parameter |= {"style": "deepObject", "explode": True}
    return parameter


def _example(operation: Operation, name: str) -> dict[str, Any]:
    examples = EXAMPLES.get(operation.name, {})
    return {"example": examples[name]} if name in examples else {}


def _body(operation: Operation, schemas: _Components) -> dict[str, Any]:
    fields = list(schemas.fields(operation.parameters))
    ref = schemas.ref(operation.parameters)
    nested = {
        name: {"style": "deepObject", "explode": True} for name, field, _ in fields if schemas.shape_of(field) != "text"
    }
    media: dict[str, Any] = {"schema": ref}
    if operation.name in EXAMPLES:
        media["example"] = EXAMPLES[operation.name]
    content = {FORM: media | ({"encoding": nested} if nested else {})}
    if operation.path.startswith(OUR_OWN):
        content[JSON] = media
    return {"required": any(required for _, _, required in fields), "content": content}


def _answer(operation: Operation, schemas: _Components) -> dict[str, Any]:
    names = (operation.answers,) if isinstance(operation.answers, str) else operation.answers
    refs = [schemas.ref(SHAPES[name]) for name in names]
    shape: dict[str, Any] = refs[0] if len(refs) == 1 else {"anyOf": refs}
    content: dict[str, Any] = {JSON: {"schema": shape}}
    if operation.name in ANSWERS:
        content[JSON]["example"] = ANSWERS[operation.name]
    headers = {
        "Request-Id": {"$ref": "#/components/headers/RequestId"},
        "Stripe-Version": {"$ref": "#/components/headers/StripeVersion"},
    }
    if operation.answers in LINES:
        lines = {"type": "string", "contentMediaType": NDJSON, "contentSchema": shape}
        content = {NDJSON: {"schema": {**lines, "description": "JSON objects, one per line."}}}
        if operation.name in ANSWERS:
            content[NDJSON]["example"] = "".join(f"{orjson.dumps(line).decode()}\n" for line in ANSWERS[operation.name])
        headers[POSITION] = {"$ref": "#/components/headers/Position"}
    return {
        "description": "Success.",
        "headers": headers,
        "content": content,
    }


def _refused(description: str) -> dict[str, Any]:
    return {
        "description": description,
        "headers": {"Request-Id": {"$ref": "#/components/headers/RequestId"}},
        "content": {JSON: {"schema": {"$ref": f"{SCHEMAS}{Refused.__name__}"}}},
    }


def _below(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for one in model.__subclasses__():
        yield one
        yield from _below(one)


def _open(model: type[BaseModel]) -> bool:
    """Whether a model is generic and unbound, as a list is."""
    return bool(model.__pydantic_generic_metadata__["parameters"])


def _once(models: Iterable[type[BaseModel]]) -> list[type[BaseModel]]:
    return list(dict.fromkeys(models))


def _name(model: type[BaseModel]) -> str:
    """What a model is called among the schemas: the shape `Shipping`, and `customer.Shipping` among parameters."""
    if not issubclass(model, Parameters):
        return model.__name__
    return f"{model.__module__.rpartition('.')[2]}.{model.__name__}"


def _renamed(schema: Any, names: Mapping[str, str]) -> Any:
    """The schema with all it refers to under our own names, and bounds as JSON Schema calls them."""
    match schema:
        case dict():
            return {_keyword(key, value): _renamed(value, names) for key, value in schema.items()}
        case list():
            return [_renamed(value, names) for value in schema]
        case str() if schema.startswith(SCHEMAS):
            return SCHEMAS + names[schema.removeprefix(SCHEMAS)]
        case _:
            return schema


def _keyword(key: str, value: Any) -> str:
    """A bound of what is parsed from text is given under its Python name."""
    return BOUNDS.get(key, key) if isinstance(value, int) else key
