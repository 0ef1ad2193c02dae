"""`rollbook listen` as a process: what it forwards, and what becomes of it when either side is gone for a while."""

import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path

import orjson
import pytest
import stripe
from aiohttp.test_utils import unused_port

from service.cli import calling
from service.client import Refused
from service.commands.keys import DEVELOPMENT_KEY
from service.listen import receiver_url
from tests.servers.receiver import Answer, Receiver
from tests.service.serving import Api, Launch, command, environment
from tests.waiting import until
from webhooks.post import signature


@dataclass
class Listening:
    """A running `rollbook listen`, and what it has said."""

    process: asyncio.subprocess.Process
    output: Path
    remarks: Path  # standard error, which is the same file unless events are printed as JSON

    @property
    def said(self) -> str:
        return self.output.read_text()

    @property
    def secret(self) -> str:
        return "whsec_" + self.said.partition("whsec_")[2].split()[0]

    async def says(self, text: str) -> str:
        def heard() -> bool:
            assert text in self.said or self.process.returncode is None, self.said
            return text in self.said

        await until(heard, timeout_s=30)
        return self.said

    async def interrupt(self) -> int:
        self.process.send_signal(signal.SIGINT)
        async with asyncio.timeout(30):
            return await self.process.wait()


Listen = Callable[..., Awaitable[Listening]]


@pytest.fixture
async def listen(tmp_path: Path) -> AsyncIterator[Listen]:
    """Starts `rollbook listen`, and kills what still runs at the end."""
    started: list[Listening] = []

    async def start(*words: str, ready: bool = True) -> Listening:
        output = tmp_path / f"listen-{len(started)}.log"
        remarks = output.with_suffix(".err") if "--json" in words else output
        with output.open("ab") as file, remarks.open("ab") as errors:
            process = await asyncio.create_subprocess_exec(
                *command("listen", *words),
                env=environment("postgresql://nowhere", tmp_path),
                stdout=file,
                stderr=errors,
            )
        listening = Listening(process, output, remarks)
        started.append(listening)
        if ready:
            await until(lambda: process.returncode is not None or "Forwarding to" in remarks.read_text(), timeout_s=30)
            assert "Forwarding to" in remarks.read_text()
        return listening

    yield start
    for listening in started:
        if listening.process.returncode is None:
            listening.process.kill()
            await listening.process.wait()


def against(api: Api, receiver: Receiver, path: str = "/hook") -> tuple[str, ...]:
    return ("--forward-to", receiver.url(path), "--url", api.url, "--api-key", api.key)


async def test_with_json_each_event_is_a_line(api: Api, receiver: Receiver, listen: Listen) -> None:
    listening = await listen(*against(api, receiver), "--json")
    ids = [(await api.customer())["id"] for _ in range(2)]
    await receiver.wait_for(2, "/hook")
    await until(lambda: listening.said.count('"elapsed_ms"') == 2)
    assert await listening.interrupt() == 0
    lines = [json.loads(line) for line in listening.said.splitlines() if line.startswith("{")]
    assert [sorted(line) for line in lines] == [["elapsed_ms", "event", "position", "status"]] * 2
    assert [(line["position"], line["status"], line["event"]["data"]["object"]["id"]) for line in lines] == [
        (1, 200, ids[0]),
        (2, 200, ids[1]),
    ]
    assert "Stopped at position 2" in listening.remarks.read_text()
    assert "Stopped" not in listening.said, "standard output has nothing but events"


async def test_what_happens_is_forwarded_signed_and_said(api: Api, receiver: Receiver, listen: Listen) -> None:
    await api.customer("name=Earlier")
    listening = await listen(*against(api, receiver))
    customer = await api.customer("email=jenny.rosen@example.com")
    (got,) = await receiver.wait_for(1, "/hook")
    event = stripe.Webhook.construct_event(got.body, got.headers["Stripe-Signature"], listening.secret)
    assert (event.type, event.data.object.id) == ("customer.created", customer["id"])
    named = {name.lower(): value for name, value in got.headers.items()}
    signature.verify_standard(got.body, named, listening.secret, now=int(time.time()))
    assert got.body == (await api.get(f"/v1/events/{event.id}")).body, "to the byte what a webhook would be"
    said = await listening.says(" -> 200 in ")
    assert f"customer.created  {event.id}  position 2  -> 200 in " in said
    assert await listening.interrupt() == 0
    assert "Stopped at position 2: continue with --since 2." in listening.said
    assert "Traceback" not in listening.said


async def test_it_goes_on_from_a_position_with_the_types_that_were_asked_for(
    api: Api, receiver: Receiver, listen: Listen
) -> None:
    for _ in range(3):
        customer = await api.customer()
        await api.update(customer["id"], "name=Ada")
    await api.post("/v1/coupons", "percent_off=10")
    await listen(*against(api, receiver), "--since", "2", "--events", "customer.updated", "--events", "coupon.*")
    got = await receiver.wait_for(3, "/hook")
    assert [orjson.loads(one.body)["type"] for one in got] == ["customer.updated", "customer.updated", "coupon.created"]


async def test_an_answer_that_is_no_success_is_said_and_not_asked_for_again(
    api: Api, receiver: Receiver, listen: Listen
) -> None:
    receiver.behave("/hook", Answer(status=500), Answer())
    listening = await listen(*against(api, receiver))
    await api.customer()
    await api.customer()
    await receiver.wait_for(2, "/hook")
    said = await listening.says(" -> 200 in ")
    assert said.index(" -> 500 in ") < said.index(" -> 200 in ")


async def test_nothing_is_lost_while_either_side_is_away(
    api: Api, launch: Launch, receiver: Receiver, listen: Listen
) -> None:
    port = unused_port()
    process = await launch("api", ROLLBOOK_PORT=str(port))
    elsewhere = replace(api, port=port, key=DEVELOPMENT_KEY)
    listening = await listen(*against(elsewhere, receiver))

    await receiver.stop()
    first = await elsewhere.customer()
    await listening.says("Cannot connect to host")
    await receiver.start()
    await receiver.wait_for(1, "/hook")

    await process.kill9()
    await listening.says("cannot be reached")
    await launch("api", ROLLBOOK_PORT=str(port))
    second = await elsewhere.customer()
    got = await receiver.wait_for(2, "/hook")
    await listening.says("the service is back")
    assert [orjson.loads(one.body)["data"]["object"]["id"] for one in got] == [first["id"], second["id"]]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--api-key", "sk_test_wrong"), "Invalid API Key provided"),
        (("--events", "customer.cretaed"), "'customer.cretaed' is not an event type"),
        (("--since", "99"), "Position 99 does not exist yet"),
        (("--forward-to", "ftp://localhost/"), "ftp://localhost/ is not an http URL"),
    ],
)
async def test_what_cannot_work_is_said_at_once(
    api: Api, receiver: Receiver, listen: Listen, words: tuple[str, ...], message: str
) -> None:
    listening = await listen(*against(api, receiver), *words, ready=False)
    async with asyncio.timeout(30):
        assert await listening.process.wait() == 1
    assert message in listening.said
    assert "Stopped" not in listening.said
    assert "Traceback" not in listening.said


def test_the_key_of_development_is_the_one_that_commands_call_with() -> None:
    assert calling.DEVELOPMENT_KEY == DEVELOPMENT_KEY


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("localhost:4242/webhook", "http://localhost:4242/webhook"),
        ("4242", "http://127.0.0.1:4242"),
        ("https://example.com/a?b=c%2Fd", "https://example.com/a?b=c%2Fd"),
    ],
)
def test_a_receiver_is_named_with_or_without_a_scheme(given: str, url: str) -> None:
    assert receiver_url(given) == url


@pytest.mark.parametrize("given", ["ftp://localhost/", "http://", "", "https://a]b[@", "localhost:port"])
def test_what_is_no_url_of_a_receiver_is_refused(given: str) -> None:
    with pytest.raises(Refused):
        receiver_url(given)
