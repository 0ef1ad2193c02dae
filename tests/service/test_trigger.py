"""`rollbook trigger`: every recipe has the real service publish its type."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from service import trigger
from service.cli.output import Output
from service.client import Away, Refused, calling
from service.commands.keys import DEVELOPMENT_KEY
from service.http.params.webhook_endpoint import EVENT_TYPES
from tests.service.command_line import output_of, rollbook
from tests.service.serving import Api, Launch
from tests.waiting import until


async def types(api: Api) -> list[str]:
    listed: list[Any] = (await api.get("/v1/events?limit=100")).json["data"]
    return [event["type"] for event in listed]


async def test_every_recipe_publishes_its_type(api: Api, launch: Launch) -> None:
    process = await launch("serve")
    elsewhere = replace(api, port=process.port, key=DEVELOPMENT_KEY)
    for type, recipe in trigger.RECIPES.items():
        before = (await types(elsewhere)).count(type)
        async with calling(process.url, DEVELOPMENT_KEY) as client:
            await trigger.follow(recipe, client, say=lambda line: None)

        async def published(type: str = type, before: int = before) -> bool:
            return (await types(elsewhere)).count(type) > before

        await until(published, timeout_s=30)


def test_recipes_are_of_types_that_endpoints_can_ask_for() -> None:
    assert trigger.RECIPES.keys() <= EVENT_TYPES


async def test_what_it_did_is_said(api: Api, database: str, tmp_path: Path) -> None:
    said = await output_of(database, tmp_path, "trigger", "customer.updated", "--url", api.url, "--api-key", api.key)
    (customer,) = (await api.get("/v1/customers")).json["data"]
    assert said.splitlines() == [
        f"POST /v1/customers  -> {customer['id']}",
        f"POST /v1/customers/{customer['id']}  -> {customer['id']}",
    ]
    assert await types(api) == ["customer.updated", "customer.created"]


async def test_what_it_did_is_json_for_scripts(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    await trigger.run(url=api.url, key=api.key, type="customer.updated", out=Output(json=True))
    (customer,) = (await api.get("/v1/customers")).json["data"]
    printed, beside = capsys.readouterr()
    document, _ = json.JSONDecoder().raw_decode(printed, printed.index("[\n"))
    assert document == [
        {"method": "POST", "path": "/v1/customers", "id": customer["id"]},
        {"method": "POST", "path": f"/v1/customers/{customer['id']}", "id": customer["id"]},
    ]
    assert len(beside.splitlines()) == 2


async def test_the_recipes_are_listed(database: str, tmp_path: Path) -> None:
    assert (await output_of(database, tmp_path, "trigger", "--list")).split() == sorted(trigger.RECIPES)


@pytest.mark.parametrize(
    "words", [("trigger", "customer.exploded"), ("trigger", "customer.created", "--api-key", "sk_live_1")]
)
async def test_what_cannot_be_done_is_said(database: str, tmp_path: Path, words: tuple[str, ...]) -> None:
    code, said = await rollbook(database, tmp_path, *words)
    assert code == 1
    assert "no recipe" in said or "live mode" in said
    assert "Traceback" not in said


async def test_a_service_that_is_away_is_distinguished_from_one_that_declines(api: Api) -> None:
    with pytest.raises(Refused, match="Invalid API Key"):
        await trigger.run(url=api.url, key="sk_test_wrong", type="customer.created", out=Output())
    said = "http://127.0.0.1:1 cannot be reached: Connection refused. Is the service running there?"
    with pytest.raises(Away, match=f"^{re.escape(said)}$"):
        await trigger.run(url="http://127.0.0.1:1", key=api.key, type="customer.created", out=Output())
