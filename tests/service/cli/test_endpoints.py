"""`rollbook endpoints` and `rollbook deliveries`: what operators see and do about webhooks."""

import json
from pathlib import Path
from typing import Any

import pytest

from service.cli import endpoints
from service.cli.output import Output
from tests.servers.receiver import Answer, Receiver
from tests.service.command_line import output_of, rollbook
from tests.service.serving import Api, working
from tests.waiting import until


@pytest.fixture
def say(api: Api, database: str, tmp_path: Path) -> Any:
    async def said(*words: str) -> str:
        return await output_of(database, tmp_path, *words, "--url", api.url, "--api-key", api.key)

    return said


def fields(said: str) -> dict[str, str]:
    """What stands beside each name, up to the first empty line."""
    pairs = (line.split(maxsplit=1) for line in said.partition("\n\n")[0].splitlines())
    return {pair[0]: "".join(pair[1:]) for pair in pairs}


async def registered(api: Api, url: str) -> str:
    answer = await api.post("/v1/webhook_endpoints", f"url={url}&enabled_events[]=*")
    id: str = answer.json["id"]
    return id


async def test_an_endpoint_is_looked_at_ruled_paused_and_resumed(api: Api, say: Any) -> None:
    id = await registered(api, "https://example.com/hooks")
    assert id in await say("endpoints", "list")
    ruled = fields(await say("endpoints", "rules", id, "--order", "customer", "--rate-limit", "20", "--missed", "skip"))
    assert (ruled["order"], ruled["rate_limit"], ruled["payload"]) == ("customer", "20", "full")
    assert ruled["missed"] == "skip"
    assert fields(await say("endpoints", "rules", id, "--rate-limit", "none"))["rate_limit"] == ""
    assert fields(await say("endpoints", "show", id))["order"] == "customer"
    paused = await say("endpoints", "pause", id)
    assert fields(paused)["status"] == "disabled"
    assert paused.splitlines()[-2:] == ["", "0 pending deliveries wait until it is resumed."]
    assert fields(await say("endpoints", "resume", id, "--replay", "skip"))["status"] == "enabled"
    assert "0 pending deliveries are canceled." in await say("endpoints", "cancel-pending", id, "--yes")
    rolled = fields(await say("endpoints", "roll-secret", id, "--overlap", "1"))
    assert rolled["secret"].startswith("whsec_")
    assert fields(await say("endpoints", "recover", id, "--from", "0"))["id"] == id
    assert fields(await say("endpoints", "recover", id, "--from", "2026-11-23T12:00:00Z"))["id"] == id


async def test_a_delivery_that_failed_is_found_looked_at_and_sent_once_more(
    api: Api, receiver: Receiver, say: Any
) -> None:
    id = await registered(api, receiver.url("/hook"))
    receiver.behave("/hook", Answer(status=410, body=b"[gone]\n for good \x1b]0;owned\x07 \xc2\x9b31m"), Answer())
    customer = (await api.customer())["id"]
    async with working(api):

        async def failed() -> bool:
            return bool((await api.get("/v1/rollbook/deliveries?state=failed")).json["data"])

        await until(failed)
    listed = await say("deliveries", "list", "--endpoint", id, "--state", "undelivered", "--customer", customer)
    [row] = [line for line in listed.splitlines() if customer in line]
    delivery = row.split()[0]
    shown = await say("deliveries", "show", delivery)
    assert fields(shown)["state"] == "failed"
    assert "status 410" in shown
    assert "reason" in shown
    assert "[gone] for good \\x1b]0;owned\\x07 \\x9b31m" in shown, "on one line, and it commands no terminal"
    await api.post(f"/v1/webhook_endpoints/{id}", f"url={receiver.url('/hook?new')}&disabled=false")
    assert fields(await say("deliveries", "resend", delivery))["state"] == "pending"
    assert fields(await say("deliveries", "cancel", delivery))["state"] == "canceled"


async def test_an_endpoint_is_tried_out(api: Api, receiver: Receiver, say: Any) -> None:
    id = await registered(api, receiver.url("/hook"))
    async with working(api):
        said = await say("endpoints", "test", id)
    assert (fields(said)["type"], fields(said)["state"]) == ("rollbook.endpoint.test", "delivered")


async def test_lists_go_beyond_a_page(api: Api, say: Any) -> None:
    ids = [await registered(api, f"https://example.com/{n}") for n in range(3)]
    shown = await say("endpoints", "list", "--limit", "2")
    assert f"There are more: --starting-after {ids[1]}, or --all." in shown
    rest = json.loads(await say("endpoints", "list", "--json", "--starting-after", ids[1]))
    assert ([each["id"] for each in rest["data"]], rest["has_more"]) == ([ids[0]], False)


async def test_pages_of_the_api_are_joined(monkeypatch: pytest.MonkeyPatch, api: Api, capsys: Any) -> None:
    ids = [await registered(api, f"https://example.com/{n}") for n in range(5)]
    monkeypatch.setattr(endpoints, "PAGE_MAX", 2)
    for limit, expected in ((None, ids[::-1]), (3, ids[:1:-1])):
        await endpoints.list_endpoints(api.url, api.key, Output(json=True), endpoints.Page(limit=limit))
        printed = capsys.readouterr().out
        found = json.loads(printed[printed.index("{\n") :])
        assert [each["id"] for each in found["data"]] == expected
        assert found["has_more"] == (limit is not None)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("endpoints", "show", "we_none"), "No such webhook endpoint"),
        (("endpoints", "rules", "we_none", "--rate-limit", "some"), "Invalid integer: some"),
        (("endpoints", "recover", "we_none", "--from", "yesterday"), "neither a position nor a time"),
        (("deliveries", "resend", "dlv_none"), "No such delivery"),
    ],
)
async def test_what_cannot_be_done_is_said(
    api: Api, database: str, tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    code, said = await rollbook(database, tmp_path, *words, "--url", api.url, "--api-key", api.key)
    assert code == 1
    assert message in said
    assert "Traceback" not in said
