"""Traces from the caller's request to whoever is told of what came of it."""

import re
import secrets

import pytest
from structlog.testing import capture_logs

from events import trace
from projections.due import Due
from service import system
from tests.service.serving import ACCOUNT, Api

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SENT = f"00-{TRACE}-{SPAN}-01"
OURS = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01")


async def spans(api: Api, id: str) -> list[str]:
    """The spans that the notices of a customer are of, in order."""
    rows = await api.core.pool.fetch(
        "SELECT traceparent FROM projections.notice WHERE object_id = $1 ORDER BY sequence", id
    )
    return [row[0] for row in rows]


async def test_what_a_request_causes_is_told_in_the_trace_of_its_caller(api: Api) -> None:
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
    told: dict[str, set[str]] = {}
    for type, span in rows:
        told.setdefault(span, set()).add(type)
    created, deleted = told.values()
    assert created == {"customer.created", "customer.source.created"}
    assert deleted == {"customer.deleted", "customer.source.deleted"}
    assert {trace.id_of(span) for span in told} == {TRACE}


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
    one, other = (system.origin(api.core, due).traceparent or "" for _ in range(2))
    assert OURS.fullmatch(one)
    assert trace.id_of(one) != trace.id_of(other)
