"""The AsyncAPI 3.0 document: channels, messages and headers of the events on RabbitMQ.

It is made of the table of event types by object, the shapes of those objects, and the headers below; a test
holds real messages to it.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import orjson
from pydantic import BaseModel, Field
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from events.version import VERSION
from service.http.schemas import SHAPES, event
from service.http.schemas.schema import ABSENT, Shape
from service.http.schemas.webhook_endpoint import WebhookEndpoint
from webhooks.broker.replay import REPLAYED

SCHEMAS = "#/components/schemas/"
DESCRIPTION = """\
Every event is published to a durable topic exchange, in log order, with publisher confirms. Delivery is at least once:
an event is repeated after a crash, and when history is replayed. Deduplicate by the header `rollbook-event-id`, the id
of the event.

A service binds a queue of its own: `rollbook subscribers add NAME --types 'customer.*'` declares `rollbook.NAME`, a
quorum queue, with `rollbook.NAME.dead` for what the service rejects. In a binding key `*` matches one word and `#`
any number of words. `rollbook subscribers replay` publishes past events to one queue.

Objects are rendered in the API version that the event names; this document describes the newest.
"""


class Failing(Shape):
    """Failure of a webhook endpoint."""

    attempts: int
    """Number of failed attempts since the last delivery."""
    hours: int = ABSENT
    """Number of hours for which it has been failing; present in `rollbook.endpoint.failing`."""
    reason: str = ABSENT
    """Reason why it was disabled; present in `rollbook.endpoint.disabled`."""
    since: int
    """Time of the first failure, in Unix seconds."""


class FailingEndpoint(WebhookEndpoint):
    """A failing webhook endpoint."""

    failing: Failing
    """Details of the failure."""


class PaymentRetryRequest(Shape):
    """Request to a billing service to retry the payment of an invoice."""

    id: str
    """Unique identifier of the request."""
    object: Literal["payment_retry_request"]
    """Type of the object: a payment retry request."""
    automatic: Literal[False]
    """Always false: the retry is not part of the schedule of the billing service."""
    created: int
    """Time of creation, in Unix seconds."""
    customer: str
    """Id of the customer."""
    invoice: str
    """Id of the invoice."""
    livemode: bool
    """Whether the object exists in live mode (true) or in test mode (false)."""
    subscription: str
    """Id of the subscription."""


class RedactedCustomer(Shape):
    """A customer that was erased."""

    id: str
    """Unique identifier of the customer."""
    object: Literal["customer"]
    """Type of the object: a customer."""
    deleted: Literal[True]
    """Always true: an erased customer is deleted."""
    redacted: Literal[True]
    """Always true: nothing of the customer is left but its id."""


class Headers(Shape):
    """Headers of a message."""

    event_id: str = Field(alias="rollbook-event-id")
    """Unique identifier of the event; the same in every message about it."""
    sequence: int = Field(alias="rollbook-sequence")
    """Position in the feed, for replays; increases in log order."""
    position: int = Field(alias="rollbook-position")
    """Position in the log."""
    version: int = Field(alias="rollbook-version")
    """Version of the stream of the object after the event."""
    replayed: Literal[True] = Field(default=ABSENT, alias=REPLAYED)
    """Present in replayed messages."""
    specversion: Literal["1.0"] = Field(alias="cloudEvents:specversion")
    """Version of CloudEvents."""
    id: str = Field(alias="cloudEvents:id")
    """Id of the event, as in `rollbook-event-id`."""
    source: str = Field(alias="cloudEvents:source")
    """The account: `/rollbook/` and its id."""
    subject: str = Field(alias="cloudEvents:subject")
    """Id of the object of the event."""
    type: str = Field(alias="cloudEvents:type")
    """Type of the event."""
    time: str = Field(alias="cloudEvents:time")
    """Time of the event, to the second (RFC 3339)."""
    traceparent: str = Field(default=ABSENT, pattern=r"^00-[0-9a-f]{32}-[0-9a-f]{16}-0[0-3]$")
    """Trace context of the request that caused the event (W3C Trace Context); older events have none."""


# Event types, and the schema of their object.
OBJECTS: Mapping[str, type[BaseModel]] = {
    "cash_balance.funds_available": SHAPES["cash_balance"],
    **dict.fromkeys(("coupon.created", "coupon.deleted", "coupon.updated"), SHAPES["coupon"]),
    **dict.fromkeys(("customer.created", "customer.deleted", "customer.updated"), SHAPES["customer"]),
    "customer.redacted": RedactedCustomer,
    **dict.fromkeys(
        ("customer.discount.created", "customer.discount.deleted", "customer.discount.updated"), SHAPES["discount"]
    ),
    **dict.fromkeys(
        (
            "customer.source.created",
            "customer.source.deleted",
            "customer.source.expiring",
            "customer.source.updated",
        ),
        SHAPES["source"],
    ),
    **dict.fromkeys(
        ("customer.subscription.created", "customer.subscription.deleted", "customer.subscription.updated"),
        SHAPES["subscription"],
    ),
    **dict.fromkeys(
        ("customer.tax_id.created", "customer.tax_id.deleted", "customer.tax_id.updated"), SHAPES["tax_id"]
    ),
    "customer_cash_balance_transaction.created": SHAPES["customer_cash_balance_transaction"],
    "invoice.payment_retry_requested": PaymentRetryRequest,
    **dict.fromkeys(
        ("payment_method.attached", "payment_method.detached", "payment_method.updated"), SHAPES["payment_method"]
    ),
    **dict.fromkeys(("promotion_code.created", "promotion_code.updated"), SHAPES["promotion_code"]),
    **dict.fromkeys(("rollbook.endpoint.disabled", "rollbook.endpoint.failing"), FailingEndpoint),
    **dict.fromkeys(
        (
            "test_helpers.test_clock.advancing",
            "test_helpers.test_clock.created",
            "test_helpers.test_clock.deleted",
            "test_helpers.test_clock.ready",
        ),
        SHAPES["test_helpers.test_clock"],
    ),
}


class _Schemas(GenerateJsonSchema):
    """JSON schemas as AsyncAPI takes them, and without the titles that repeat the names of fields."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def tagged_union_schema(self, schema: core_schema.TaggedUnionSchema) -> JsonSchemaValue:
        """One of several; AsyncAPI's discriminator is another than OpenAPI's, and they need none."""
        shown = super().tagged_union_schema(schema)
        shown.pop("discriminator", None)
        return shown


def dumps(exchange: str) -> bytes:
    """The AsyncAPI document of the events of `exchange`, as the bytes that are served."""
    return orjson.dumps(document(exchange), option=orjson.OPT_INDENT_2)


def document(exchange: str) -> dict[str, Any]:
    """The AsyncAPI document of the events of `exchange`."""
    refs, schemas = _schemas([event.Event, Headers, *OBJECTS.values()])
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Rollbook",
            "version": VERSION,
            "description": DESCRIPTION,
            "license": {"name": "Apache 2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {"events": _exchange(exchange), "subscriber": _queue()},
        "operations": {
            "publish": _operation("events", "Publish events to the bound queues."),
            "replay": _operation("subscriber", "Publish past events to one subscriber."),
        },
        "components": {
            "messages": {type: _message(type, refs[shape], refs) for type, shape in OBJECTS.items()},
            "schemas": schemas,
        },
    }


def _schemas(models: Iterable[type[BaseModel]]) -> tuple[dict[type[BaseModel], dict[str, str]], dict[str, Any]]:
    """References to models, and all the schemas there are to refer to."""
    once = dict.fromkeys(models)
    refs, defined = models_json_schema(
        [(model, "serialization") for model in once], ref_template=f"{SCHEMAS}{{model}}", schema_generator=_Schemas
    )
    return {model: refs[model, "serialization"] for model in once}, dict(sorted(defined["$defs"].items()))


def _message(type: str, shape: dict[str, str], refs: Mapping[Any, dict[str, str]]) -> dict[str, Any]:
    envelope = {"type": {"const": type}, "data": {"properties": {"object": shape}}}
    return {
        "name": type,
        "title": type,
        "contentType": "application/json",
        "headers": refs[Headers],
        "payload": {"allOf": [refs[event.Event], {"type": "object", "properties": envelope}]},
        "correlationId": {"location": "$message.header#/rollbook-event-id", "description": "Id of the event."},
        "bindings": {"amqp": {"messageType": type, "bindingVersion": "0.3.0"}},
    }


def _exchange(exchange: str) -> dict[str, Any]:
    return {
        "address": "{account}.{mode}.{type}",
        "title": "Events of all accounts",
        "description": "The address is the routing key.",
        "parameters": {
            "account": {"description": "Id of the account."},
            "mode": {"description": "Mode of the event.", "enum": ["live", "test"]},
            "type": {"description": "Type of the event; several words.", "enum": list(OBJECTS)},
        },
        "messages": _messages(),
        "bindings": {
            "amqp": {
                "is": "routingKey",
                "exchange": {"name": exchange, "type": "topic", "durable": True, "autoDelete": False, "vhost": "/"},
                "bindingVersion": "0.3.0",
            }
        },
    }


def _queue() -> dict[str, Any]:
    return {
        "address": "rollbook.{name}",
        "title": "The queue of one subscriber",
        "description": "Events arrive through the bindings of the exchange, replayed ones directly.",
        "parameters": {"name": {"description": "Name of the subscriber."}},
        "messages": _messages(),
        "bindings": {
            "amqp": {
                "is": "queue",
                "queue": {
                    "name": "rollbook.{name}",
                    "durable": True,
                    "exclusive": False,
                    "autoDelete": False,
                    "vhost": "/",
                },
                "bindingVersion": "0.3.0",
            }
        },
    }


def _messages() -> dict[str, Any]:
    return {type: {"$ref": f"#/components/messages/{type}"} for type in OBJECTS}


def _operation(channel: str, summary: str) -> dict[str, Any]:
    return {
        "action": "send",
        "channel": {"$ref": f"#/channels/{channel}"},
        "summary": summary,
        "messages": [{"$ref": f"#/channels/{channel}/messages/{type}"} for type in OBJECTS],
        "bindings": {"amqp": {"deliveryMode": 2, "mandatory": True, "timestamp": True, "bindingVersion": "0.3.0"}},
    }
