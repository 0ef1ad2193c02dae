"""HTTP below the routes: what is read, what is refused, what every answer carries, and clients that go away."""

import asyncio
import re

import orjson
import pytest
import structlog
from prometheus_client.parser import text_string_to_metric_families

from service.http import pipeline, protocol
from service.http.app import OPERATIONS
from tests.service.http import raw
from tests.service.http.raw import FORM, head
from tests.service.serving import Api, Launch
from tests.waiting import until

CARD = "4242424242424242"
WHOLE = {"server": "Rollbook", "x-content-type-options": "nosniff"}


def counted(api: Api, route: str, status: int) -> float:
    families = text_string_to_metric_families(api.core.metrics.render().decode())
    [requests] = (family for family in families if family.name == "service_requests")
    labels = {"route": route, "status": str(status)}
    return sum(sample.value for sample in requests.samples if sample.labels == labels)


# What is refused

POST = b"POST /v1/customers HTTP/1.1\r\nHost: x\r\n"
CODED = b"Transfer-Encoding: %s\r\n"
EMPTY = b"\r\n0\r\n\r\n"
NOT_OUR_HTTP = {
    "HTTP/0.9": b"GET /v1/customers HTTP/0.9\r\nHost: x\r\n\r\n",
    "HTTP/2.0": b"GET /v1/customers HTTP/2.0\r\nHost: x\r\n\r\n",
    "HTTP/1.2": b"GET /healthz HTTP/1.2\r\nHost: x\r\n\r\n",
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "gzip within chunks": POST + CODED % b"gzip, chunked" + EMPTY,
    "chunks twice": POST + CODED % b"chunked, chunked" + EMPTY,
    "two such headers": POST + CODED % b"x" + CODED % b"chunked" + EMPTY,
    "chunks in 1.0": POST.replace(b"1.1", b"1.0") + CODED % b"chunked" + EMPTY,
    "too long a line": b"GET /" + b"x" * protocol.LINE_BYTES_MAX + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "too long a header": POST + b"X: " + b"x" * 9000 + b"\r\n\r\n",
    "too large a head": POST + b"".join(b"X%d: %s\r\n" % (n, b"x" * 8000) for n in range(13)),
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
}


@pytest.mark.parametrize("request_", NOT_OUR_HTTP.values(), ids=list(NOT_OUR_HTTP))
async def test_what_is_no_http_of_ours_is_one_400_one_line_at_info_and_the_end(api: Api, request_: bytes) -> None:
    with structlog.testing.capture_logs() as lines:
        said = await raw.everything(api, request_)
    assert said.startswith((b"HTTP/1.1 400 ", b"HTTP/1.0 400 "))
    assert said.count(b"HTTP/1.") == 1 + said.count(b"read as HTTP/1.1")
    assert b"Server: Rollbook\r\n" in said
    assert b"Cache-Control: no-cache, no-store\r\n" in said
    assert [(line["event"], line["log_level"]) for line in lines] == [("request.unreadable", "info")]
    assert counted(api, "unreadable", 400) == 1


async def test_what_follows_a_request_that_is_refused_is_not_answered(api: Api) -> None:
    good = head(api)
    said = await raw.everything(api, good + head(api, "GET /v1/customers HTTP/2.0") + good)
    assert re.findall(rb"HTTP/1.\d (\d+) ", said)[-1] == b"400"
    assert said.count(b"HTTP/1.1 200") <= 1


async def test_a_head_is_refused_before_it_is_whole(api: Api) -> None:
    async with raw.connection(api.port) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n")
        for n in range(20):
            writer.write(b"X-%d: %s\r\n" % (n, b"x" * 8000))
        assert (await raw.answer(reader)).status == 400


KNOWN_PATHS = sorted({operation.path for operation in OPERATIONS})
KNOWN = {(operation.method, operation.path) for operation in OPERATIONS}


async def test_every_other_method_of_a_known_path_is_an_unknown_route(api: Api) -> None:
    for path in KNOWN_PATHS:
        for method in ("GET", "POST", "DELETE", "PUT", "PATCH", "OPTIONS", "TRACE", "PROPFIND"):
            if (method, path) not in KNOWN:
                for id in ("x", "a%0Ab", "%E2%80%A8", "%00", "%7B%7D", "%FF", "a%2Fb"):
                    line = f"{method} {re.sub('{.*?}', id, path)} HTTP/1.1"
                    assert (await raw.ask(api, head(api, line))).status == 404, line


async def test_head_is_an_unknown_route_of_the_api(api: Api) -> None:
    for path in ("/v1/customers", "/v1/customers/cus_x", "/v1/nowhere"):
        assert (await raw.ask(api, head(api, f"HEAD {path} HTTP/1.1"), bodiless=True)).status == 404


# What every answer carries

PATHS = ["/healthz", "/readyz", "/metrics", "/docs", "/openapi.json", "/asyncapi.json", "/v1/customers", "/x", "/"]


async def test_every_answer_has_one_server_and_is_not_sniffed_or_kept(api: Api) -> None:
    for path in PATHS:
        for key in (True, False):
            headers = (await raw.ask(api, head(api, f"GET {path} HTTP/1.1", b"Connection: close\r\n", key=key))).headers
            assert {**headers, **WHOLE} == headers, path
            kept = path in ("/docs", "/openapi.json", "/asyncapi.json")
            assert headers["cache-control"] == ("no-cache" if kept else "no-cache, no-store"), path


async def test_the_inbox_of_development_has_the_same_server(api: Api) -> None:
    async with raw.connection(api.port) as (reader, writer):
        writer.write(head(api, "GET /dev/inbox HTTP/1.1"))
        assert b"\r\nServer: Rollbook\r\n" in await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)


# Clients that go away


@pytest.mark.parametrize("reset", [True, False])
@pytest.mark.parametrize("body", [b"name=Jen", f"card[number]={CARD}".encode()])
async def test_a_client_that_goes_away_is_no_fault_of_ours(api: Api, body: bytes, reset: bool) -> None:
    path = "/v1/customers" if body.startswith(b"name") else "/v1/tokens"
    route = path.removeprefix("/v1/") + ".create"
    more = (FORM, b"Content-Length: 100\r\n")
    with structlog.testing.capture_logs() as lines:
        for key in (True, False) if path == "/v1/tokens" else (True,):
            await raw.hang_up(api, [head(api, f"POST {path} HTTP/1.1", *more, key=key), body], reset=reset)
        await until(lambda: counted(api, route, 499) == (2 if path == "/v1/tokens" else 1))
    assert {line["log_level"] for line in lines} == {"info"}
    assert {line["status"] for line in lines} == {499}
    assert CARD not in str(lines)


async def test_a_client_that_resets_after_an_early_answer_is_no_fault_either(api: Api) -> None:
    with structlog.testing.capture_logs() as lines:
        more = (b"Transfer-Encoding: chunked\r\n",)
        await raw.hang_up(api, [head(api, "POST /v1/nowhere HTTP/1.1", *more), b"5\r\nab"], reset=True)
        said = await raw.everything(api, head(api, "POST /v1/nowhere HTTP/1.1", *more), b"zzz\r\n")
        assert said.startswith((b"HTTP/1.1 404", b"HTTP/1.0 400"))
        await until(lambda: counted(api, "unknown", 404) >= 1)
    assert {line["log_level"] for line in lines} == {"info"}


async def test_a_client_that_shuts_its_sending_half_has_its_answers(api: Api) -> None:
    form = b"name=x"
    get, post = head(api), raw.post(api, "/v1/customers", form)
    for requests in ([get], [post], [get, post, get]):
        said = await raw.everything(api, *requests, half_close=True)
        assert re.findall(rb"HTTP/1.1 (\d+) ", said) == [b"200"] * len(requests)
        assert said.count(b"Connection: close") == 1
    assert await raw.everything(api, half_close=True) == b""
    assert await raw.everything(api, b"GET / HT", half_close=True) == b""


# Bodies


async def test_a_client_that_asks_first_is_refused_before_it_sends(api: Api) -> None:
    expecting = (FORM, b"Expect: 100-continue\r\n")
    large = (*expecting, b"Content-Length: 629145600\r\n")
    assert (await raw.ask(api, head(api, "POST /v1/customers HTTP/1.1", *large))).status == 413
    assert (await raw.ask(api, head(api, "POST /v1/customers HTTP/1.1", *large, key=False))).status == 401
    assert (await raw.ask(api, head(api, "POST /v1/tokens HTTP/1.1", *large, key=False))).status == 413
    assert (await raw.ask(api, head(api, "POST /v1/nowhere HTTP/1.1", *large))).status == 404
    small = (*expecting, b"Content-Length: 6\r\n")
    assert (await raw.ask(api, head(api, "POST /v1/customers HTTP/1.1", *small, key=False))).status == 401
    assert (await raw.ask(api, head(api, "POST /v1/customers HTTP/1.1", *small))).status == 100


async def test_a_body_that_says_it_is_too_large_is_refused_at_once(api: Api) -> None:
    more = (FORM, b"Content-Length: 629145600\r\n")
    assert (await raw.ask(api, head(api, "POST /v1/customers HTTP/1.1", *more) + b"name=x")).status == 413


async def test_nobodys_body_is_read_at_length(api: Api) -> None:
    body = b"card[number]=" + b"4" * pipeline.ANONYMOUS_BODY_BYTES_MAX
    for path in ("/v1/tokens", "/v1/tokens?expand[]=x"):
        assert (await raw.ask(api, raw.post(api, path, body, key=False))).status == 413
    assert (await raw.ask(api, raw.post(api, "/v1/tokens", body))).status == 400
    publishable = await api.issue(key_type="publishable")
    assert (await raw.ask(api, raw.post(api, f"/v1/tokens?key={publishable}", body, key=False))).status == 400


async def test_a_key_in_the_header_is_asked_for_before_the_body_is_parsed(api: Api) -> None:
    wrong = b"Authorization: Bearer sk_test_wrong_key_of_nobody\r\n"
    answer = await raw.ask(api, raw.post(api, "/v1/tokens", b"%FF", FORM, wrong, key=False))
    assert answer.status == 401


async def test_only_publishable_keys_are_taken_from_a_url(api: Api) -> None:
    form = f"card[number]={CARD}&card[exp_month]=1&card[exp_year]=2050".encode()
    restricted = await api.issue(key_type="restricted", permissions=("tokens:write",))
    for key in (api.key, restricted, "sk_live_x", "x"):
        answer = await raw.ask(api, raw.post(api, f"/v1/tokens?key={key}", form, key=False))
        assert (answer.status, key in answer.message) == (401, False)
        assert "URL" in answer.message
    publishable = await api.issue(key_type="publishable")
    assert (await raw.ask(api, raw.post(api, f"/v1/tokens?key={publishable}", form, key=False))).status == 200


# Limits that fit together


async def test_the_longest_search_fits_into_a_url(api: Api) -> None:
    query = "%F0%9F%98%80" * (5000 - len("name:''"))
    answer = await raw.ask(api, head(api, f"GET /v1/customers/search?query=name:'{query}'&limit=100 HTTP/1.1"))
    assert answer.status == 200, answer.body


async def test_the_largest_customer_fits_into_a_body(api: Api) -> None:
    smile = "%F0%9F%98%80"
    address = ("line1", "line2", "city", "state", "postal_code")
    lengths = {"description": 5000, "shipping[name]": 5000, "shipping[phone]": 20}
    lengths |= {f"address[{name}]": 5000 for name in address} | {f"shipping[address][{name}]": 5000 for name in address}
    lengths |= {f"metadata[{n:02}{smile * 38}]": 500 for n in range(50)}
    lengths |= {"name": 256, "phone": 20, "invoice_settings[footer]": 5000}
    lengths |= {f"preferred_locales[{n}]": 100 for n in range(50)}
    body = "&".join(f"{name}={smile * length}" for name, length in lengths.items())
    answer = await api.post("/v1/customers", body)
    assert answer.status == 200, answer.body[:300]


async def test_names_that_nobody_knows_are_quoted_in_short(api: Api) -> None:
    for body in ("x" * 500_000 + "=1", "&".join(f"{'y' * 900}{n}=" for n in range(900)), f"metadata[{'k' * 90_000}]=x"):
        answer = await api.post("/v1/customers", body)
        assert answer.status == 400
        assert len(answer.body) < 6000
    code, param, message = await api.refused(
        "POST", "/v1/customers", f"{CARD}{'x' * 200}=1&{'z' * 90}{CARD}{'z' * 90}="
    )
    assert code == "parameter_unknown"
    assert CARD[:12] not in f"{param}{message}"
    lost = await raw.ask(api, head(api, f"GET /v1/{'x' * 60_000} HTTP/1.1"))
    assert (lost.status, len(lost.body) < 6000) == (404, True)


# Stopping


async def test_a_half_sent_body_does_not_keep_a_process_from_stopping(launch: Launch) -> None:
    process = await launch("api", ROLLBOOK_DRAIN_S="30")
    request = b"POST /v1/customers HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer sk_test_rollbook\r\n" + FORM
    async with raw.connection(process.port) as (reader, writer), raw.connection(process.port) as (late, later):
        writer.write(request + b"Content-Length: 100\r\n\r\nname=x")
        later.write(request + b"Content-Length: 6\r\n\r\nnam")
        await writer.drain()
        await later.drain()
        assert await ready(process.port)  # so both are being read by now
        process.process.terminate()
        await until(lambda: refused(process.port))
        later.write(b"e=x")
        assert (await raw.answer(late)).status == 200, "the rest of a body may come"
        answer = await raw.answer(reader)
        assert (answer.status, answer.headers["stripe-should-retry"]) == (503, "true")
        assert orjson.loads(answer.body)["error"]["type"] == "api_error"
        await asyncio.wait_for(process.process.wait(), 10)


async def ready(port: int) -> bool:
    async with raw.connection(port) as (reader, writer):
        writer.write(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")
        return (await raw.answer(reader)).status == 200


async def refused(port: int) -> bool:
    try:
        async with raw.connection(port):
            return False
    except ConnectionError:
        return True
