"""The AsyncAPI document: whole, served to everybody, and true of what comes out of the broker."""

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from aio_pika.abc import AbstractIncomingMessage

from service import asyncapi, trigger
from service.client import calling
from service.commands.keys import DEVELOPMENT_KEY
from service.http.params.webhook_endpoint import EVENT_TYPES
from tests.service.command_line import output_of
from tests.service.conftest import Broker
from tests.service.consumer import Consumer
from tests.service.serving import Api, Launch
from tests.waiting import until

DOCUMENT: dict[str, Any] = json.loads(asyncapi.dumps("rollbook.events"))
MESSAGES: Mapping[str, Any] = DOCUMENT["components"]["messages"]
HEADERS = set(DOCUMENT["components"]["schemas"]["Headers"]["properties"])
ROOT = Path(__file__).parents[2]
# No request publishes these at once.
LATER = {"customer.redacted", "customer.source.expiring", "invoice.payment_retry_requested"}


def validator(schema: Any) -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for({**schema, "components": DOCUMENT["components"]})


def test_every_type_that_is_published_is_described_and_no_other() -> None:
    published = {
        word
        for package in ("projections", "webhooks")
        for file in (ROOT / package).rglob("*.py")
        for word in re.findall(r'"([a-z_]+(?:\.[a-z_]+)+)"', file.read_text())
    }
    assert published & EVENT_TYPES == MESSAGES.keys()


def test_nothing_refers_to_what_is_not_there() -> None:
    def follow(value: Any) -> None:
        if isinstance(value, list):
            for one in value:
                follow(one)
        elif isinstance(value, dict):
            if "$ref" in value:
                node: Any = DOCUMENT
                for step in value["$ref"].removeprefix("#/").split("/"):
                    node = node[step]
            for one in value.values():
                follow(one)

    follow(DOCUMENT)


def test_every_header_is_described_in_a_sentence() -> None:
    for name, header in DOCUMENT["components"]["schemas"]["Headers"]["properties"].items():
        assert header["description"].endswith("."), name


async def test_it_is_served_to_everybody(api: Api, database: str, tmp_path: Path) -> None:
    async with api.session.get(f"{api.url}/asyncapi.json") as answer:
        assert (answer.status, answer.content_type) == (200, "application/json")
        assert await answer.json() == DOCUMENT
    assert json.loads(await output_of(database, tmp_path, "asyncapi")) == DOCUMENT


@pytest.mark.rabbitmq
@pytest.mark.timeout(240)
async def test_what_a_consumer_gets_is_what_is_described(
    broker: Broker, api: Api, launch: Launch, database: str, tmp_path: Path
) -> None:
    amqp_url, name, variables = broker
    process = await launch("serve", **variables)
    await output_of(database, tmp_path, "subscribers", "add", name, "--types", "*", **variables)
    checks = {
        type: (validator(message["headers"]), validator(message["payload"])) for type, message in MESSAGES.items()
    }
    seen: dict[str, int] = {}
    faults: list[str] = []
    routed = re.compile(r"acct_rollbook\.test\.(.+)")

    def deal(message: AbstractIncomingMessage, notice: dict[str, Any]) -> None:
        type = notice["type"]
        headers, payload = checks[type]
        found = (*headers.iter_errors(dict(message.headers)), *payload.iter_errors(notice))
        faults.extend(f"{type}: {fault.message} at {fault.instance_path}" for fault in found)
        key = routed.fullmatch(message.routing_key or "")
        assert key is not None
        assert key[1] == message.type == type
        assert set(message.headers) == HEADERS - {"rollbook-replayed"}
        seen[type] = seen.get(type, 0) + 1

    consumer = Consumer(deal)
    consuming = asyncio.create_task(consumer.consume(amqp_url, f"rollbook.{name}"))
    try:
        async with calling(process.url, DEVELOPMENT_KEY) as client:
            for recipe in trigger.RECIPES.values():
                await trigger.follow(recipe, client, say=lambda line: None)

        def all_seen() -> bool:
            if consuming.done():
                consuming.result()
            return seen.keys() >= trigger.RECIPES.keys()

        await until(all_seen, timeout_s=60)
        events = replace(api, port=process.port, key=DEVELOPMENT_KEY)
        listed = {event["id"] for event in (await events.get("/v1/events?limit=100")).json["data"]}
        await until(lambda: consumer.dealt_with >= listed)
        came = consumer.came
        await output_of(database, tmp_path, "subscribers", "replay", name, "--from", "0", **variables)
        await until(lambda: consumer.came >= 2 * came, timeout_s=30)
        assert sum(seen.values()) == len(consumer.dealt_with), "what came again was passed over"
        assert not faults, "\n".join(faults)
    finally:
        consuming.cancel()


def test_what_is_not_as_described_is_reported() -> None:
    payload = validator(MESSAGES["coupon.created"]["payload"])
    assert not payload.is_valid({"type": "coupon.created"})
    assert not validator(MESSAGES["coupon.created"]["headers"]).is_valid({"rollbook-event-id": 7})


def test_recipes_make_whatever_can_be_made_at_once() -> None:
    failing = {"rollbook.endpoint.disabled", "rollbook.endpoint.failing"}
    assert MESSAGES.keys() - trigger.RECIPES.keys() == LATER | failing
