"""Traces from the caller's request to the receivers of the events that it caused."""

import asyncio
import re
import secrets
from dataclasses import replace
from pathlib import Path

import pytest
from aio_pika.abc import AbstractIncomingMessage
from structlog.testing import capture_logs

from events import trace
from projections.due import Due
from service.jobs import system
from tests.servers.receiver import Receiver
from tests.service.command_line import output_of
from tests.service.conftest import Broker
from tests.service.consumer import Consumer
from tests.service.serving import ACCOUNT, Api, Launch
from tests.waiting import until

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SENT = f"00-{TRACE}-{SPAN}-01"
OURS = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01")


async def spans(api: Api, id: str) -> list[str]:
    """The spans that the notices of a customer are of, in order."""
    rows = await api.core.pool.fetch(
        "SELECT traceparent FROM projections.notice WHERE object_id = $1 ORDER BY sequence", id
    )
    return [row[0] for row in rows]


async def test_what_a_request_causes_is_published_in_the_trace_of_its_caller(api: Api) -> None:
    with capture_logs() as said:
        id = (await api.customer("name=Ada", traceparent=SENT, tracestate="vendor=1"))["id"]
    [span] = await spans(api, id)
    assert OURS.fullmatch(span)
    assert trace.id_of(span) == TRACE
    assert SPAN not in span, "the request is a span of its own"
    [line] = (line for line in said if line["event"] == "request.answered")
    assert line["trace"] == TRACE
    [event] = (await api.get("/v1/events?type=customer.created", traceparent=SENT)).json["data"]
    assert "trace" not in str(event)


async def test_all_that_one_request_causes_is_of_one_span_and_another_request_of_another(api: Api) -> None:
    id = (await api.customer("source=tok_visa", traceparent=SENT))["id"]
    await api.delete(f"/v1/customers/{id}", traceparent=SENT)
    rows = await api.core.pool.fetch("SELECT type, traceparent FROM projections.notice ORDER BY sequence")
    spans: dict[str, set[str]] = {}
    for type, span in rows:
        spans.setdefault(span, set()).add(type)
    created, deleted = spans.values()
    assert created == {"customer.created", "customer.source.created"}
    assert deleted == {"customer.deleted", "customer.source.deleted"}
    assert {trace.id_of(span) for span in spans} == {TRACE}


@pytest.mark.parametrize(
    "sent", [(), ("",), (SENT.upper(),), (SENT + "-more",), (f"ff-{TRACE}-{SPAN}-01",), (SENT, SENT), ("x" * 5000,)]
)
async def test_a_request_that_names_no_trace_begins_one(api: Api, sent: tuple[str, ...]) -> None:
    headers = [("Authorization", f"Bearer {api.key}"), *(("traceparent", each) for each in sent)]
    async with api.session.post(f"{api.url}/v1/customers", headers=headers) as answer:
        assert answer.status == 200
        id = (await answer.json())["id"]
    [span] = await spans(api, id)
    assert OURS.fullmatch(span)
    assert trace.id_of(span) != TRACE


async def test_what_is_done_for_nobodys_request_is_a_trace_of_its_own(api: Api) -> None:
    due = Due(ACCOUNT, False, "customer", "cus_1", "note", secrets.token_hex(4), 0, None, 1)
    one, other = (system.origin_of(api.core, due).traceparent or "" for _ in range(2))
    assert OURS.fullmatch(one)
    assert trace.id_of(one) != trace.id_of(other)


@pytest.mark.rabbitmq
async def test_a_request_is_followed_to_subscribers_and_to_every_attempt(
    broker: Broker, api: Api, launch: Launch, receiver: Receiver, database: str, tmp_path: Path
) -> None:
    messages: list[AbstractIncomingMessage] = []
    consumer = Consumer(lambda message, notice: messages.append(message))
    await api.post("/v1/webhook_endpoints", f"url={receiver.url('/hook')}&enabled_events[]=*")
    process = await launch("serve", **broker.variables)
    await output_of(database, tmp_path, "subscribers", "add", broker.subscriber, "--types", "*", **broker.variables)
    consuming = asyncio.create_task(consumer.consume(broker.url, f"rollbook.{broker.subscriber}"))
    try:
        elsewhere = replace(api, port=process.port)
        await elsewhere.customer(traceparent=SENT)
        await until(lambda: messages)

        async def delivered() -> list[str]:
            found = (await api.get("/v1/rollbook/deliveries?state=delivered")).json["data"]
            return [one["id"] for one in found]

        [delivery] = await until(delivered)
        await api.post(f"/v1/rollbook/deliveries/{delivery}/resend")
        attempts = await receiver.wait_for(2)
        sent = [attempt.headers["traceparent"] for attempt in attempts]
        published = str(messages[0].headers["traceparent"])
        assert len({published, *sent}) == 3, "the request and each attempt is a span of its own"
        assert {trace.id_of(span) for span in (published, *sent)} == {TRACE}
        assert all(OURS.fullmatch(span) for span in (published, *sent))
    finally:
        consuming.cancel()
