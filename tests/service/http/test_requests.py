"""What every request passes through: keys, headers, versions, routes, bodies; and what is no proper request."""

import asyncio
import base64
import gzip
import random
import re
from typing import Any

import aiohttp
import orjson
import pytest

from service.wiring import Core
from tests.service.serving import ACCOUNT, Answer, Api, Serve

NO_KEY = "You did not provide an API key."
FORM = b"Content-Type: application/x-www-form-urlencoded\r\n"


async def raw(api: Api, request: bytes) -> tuple[int, dict[str, str], bytes]:
    """What a connection answers to these very bytes: status, headers in lower case, body."""
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    try:
        writer.write(request)
        await writer.drain()
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        first, *lines = head.decode().strip().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        body = await reader.readexactly(int(headers["content-length"]))
        return int(first.split()[1]), headers, body
    finally:
        writer.close()
        await writer.wait_closed()


def head(api: Api, line: str = "GET /v1/customers HTTP/1.1", *more: bytes) -> bytes:
    return b"".join(
        (line.encode(), b"\r\nHost: x\r\nAuthorization: Bearer ", api.key.encode(), b"\r\n", *more, b"\r\n")
    )


def assert_an_error(status: int, headers: Any, body: bytes, *, at: int | None = None) -> Any:
    assert 400 <= status < 500 if at is None else status == at, body
    assert re.fullmatch(r"req_[0-9A-Za-z]{14}", headers["request-id"])
    assert headers["content-type"] == "application/json"
    error = orjson.loads(body)["error"]
    assert error["type"] == "invalid_request_error"
    assert error["message"]
    return error


def assert_refused(answer: Answer, status: int) -> Any:
    return assert_an_error(answer.status, answer.headers, answer.body, at=status)


# Keys


async def test_bearer_and_basic_keys_are_both_accepted(api: Api) -> None:
    basic = base64.b64encode(f"{api.key}:".encode()).decode()
    for header in (f"Bearer {api.key}", f"bearer {api.key}", f"Basic {basic}"):
        assert (await api.get("/v1/customers", Authorization=header)).status == 200


async def test_a_request_without_a_key_is_answered_with_how_to_send_one(api: Api) -> None:
    async with api.session.get(api.url + "/v1/customers") as response:
        answer = Answer(response.status, response.headers, await response.read())
    error = assert_refused(answer, 401)
    assert "code" not in error
    assert error["message"].startswith(NO_KEY)
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="Stripe"'
    for header in ("Bearer ", "Basic Og=="):
        answer = await api.get("/v1/customers", Authorization=header)
        assert assert_refused(answer, 401)["message"].startswith(NO_KEY)


async def test_a_header_of_another_scheme_is_named_in_the_error(api: Api) -> None:
    for header in ("Digest x", "Basic ???", "Basic w6T/", "Basic é", "sk_test_rollbook"):
        answer = await api.get("/v1/customers", Authorization=header)
        assert "did set your Authorization header" in assert_refused(answer, 401)["message"]


async def test_an_unknown_key_is_shown_with_all_but_its_ends_starred_out(api: Api) -> None:
    answer = await api.get("/v1/customers", key="sk_test_0123456789wxyz")
    error = assert_refused(answer, 401)
    assert error["message"] == "Invalid API Key provided: sk_test_**********wxyz"
    assert "code" not in error
    status, headers, body = await raw(api, b"GET /v1/x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \xff\xfe\r\n\r\n")
    assert_an_error(status, headers, body, at=401)


async def test_a_revoked_key_opens_nothing_any_more(serve: Serve) -> None:
    from tests import api_keys

    api = await serve(key_cache_s=0)
    id, key = await api_keys.issue(api.core, account=ACCOUNT)
    assert (await api.get("/v1/customers", key=key)).status == 200
    await api_keys.revoke(api.core, id)
    assert_refused(await api.get("/v1/customers", key=key), 401)


async def test_a_publishable_key_is_answered_that_a_secret_one_is_needed(api: Api) -> None:
    key = await api.issue(key_type="publishable")
    answer = await api.post("/v1/customers", key=key)
    assert assert_refused(answer, 403)["code"] == "secret_key_required"


async def test_a_restricted_key_does_what_it_has_a_right_to(api: Api) -> None:
    reader = await api.issue(key_type="restricted", permissions=("customers:read",))
    writer = await api.issue(key_type="restricted", permissions=("customers:write",))
    assert (await api.get("/v1/customers", key=reader)).status == 200
    error = assert_refused(await api.post("/v1/customers", key=reader), 403)
    assert "customers:write" in error["message"]
    assert (await api.post("/v1/customers", key=writer)).status == 200
    assert (await api.get("/v1/customers", key=writer)).status == 200, "who may write may read"
    assert_refused(await api.get("/v1/events", key=writer), 403)
    assert_refused(await api.get("/v1/nowhere", key=reader), 404)


async def test_stripe_account_must_be_the_keys_own(api: Api) -> None:
    answer = await api.get("/v1/customers", Stripe_Account=ACCOUNT)
    assert (answer.status, answer.headers["Stripe-Account"]) == (200, ACCOUNT)
    error = assert_refused(await api.get("/v1/customers", Stripe_Account="acct_else"), 403)
    assert error["code"] == "account_invalid"


# Headers


async def test_every_answer_has_a_request_id_of_its_own_and_none_has_a_notice(api: Api) -> None:
    answers = [
        await api.post("/v1/customers", "name=x"),
        await api.post("/v1/customers", "foo=x"),
        await api.get("/v1/customers"),
        await api.get("/v1/customers/cus_x"),
        await api.get("/v1/nowhere"),
        await api.get("/v1/customers", key="sk_test_wrong"),
        await api.ask("PUT", "/v1/customers", "a=b"),
        await api.ask("HEAD", "/v1/customers"),
        await api.get("/v1/customers", Expect="the-unexpected"),
    ]
    ids = {answer.headers["Request-Id"] for answer in answers}
    assert len(ids) == len(answers)
    assert all(re.fullmatch(r"req_[0-9A-Za-z]{14}", id) for id in ids)
    for answer in answers:
        assert answer.headers["Content-Type"] == "application/json"
        assert "Stripe-Notice" not in answer.headers


async def test_what_clients_say_of_themselves_is_never_echoed(api: Api) -> None:
    answer = await api.get(
        "/v1/customers",
        User_Agent="Stripe/v1 PythonBindings/16.1.0",
        X_Stripe_Client_User_Agent="{}",
        X_Stripe_Client_Telemetry='{"last_request_metrics": {"request_id": "req_1"}}',
        Idempotency_Key="on a GET",
    )
    assert answer.status == 200
    always = {"Cache-Control", "X-Content-Type-Options", "Access-Control-Allow-Origin", "Access-Control-Expose-Headers"}
    own = {"Request-Id", "Stripe-Version", "Content-Type", "Content-Length", "Date", "Server"}
    assert set(answer.headers) == own | always


async def test_the_version_asked_for_is_the_version_answered_in(api: Api) -> None:
    answer = await api.get("/v1/customers")
    assert answer.headers["Stripe-Version"] == "2026-10-28.endive"
    answer = await api.get("/v1/customers", Stripe_Version="2020-08-27")
    assert answer.headers["Stripe-Version"] == "2020-08-27"
    for unknown in ("2026-10-29", "latest", "2019-12-03", ""):
        error = assert_refused(await api.get("/v1/customers", Stripe_Version=unknown), 400)
        assert unknown in error["message"]


async def test_an_error_says_where_to_read_about_it_and_leads_to_no_dashboard(api: Api) -> None:
    answer = await api.get("/v1/customers/cus_x")
    assert list(answer.error) == ["code", "doc_url", "message", "param", "type"]
    assert answer.error["doc_url"] == "https://stripe.com/docs/error-codes/resource-missing"
    assert answer.headers["Request-Id"].startswith("req_"), "by which the log is searched"


# Routes


UNKNOWN_ROUTES = [
    ("GET", "/"),
    ("GET", "/v1"),
    ("GET", "/v1/nowhere"),
    ("GET", "/v1/customers/"),
    ("POST", "/v1/customers/"),
    ("GET", "/v1/customers/cus_x/"),
    ("DELETE", "/v1/customers/cus_x/subscriptions/sub_x"),
    ("GET", "//v1/customers"),
    ("GET", "/V1/customers"),
    ("PUT", "/v1/customers"),
    ("PATCH", "/v1/customers/cus_x"),
    ("DELETE", "/v1/customers"),
    ("OPTIONS", "/v1/customers"),
    ("POST", "/v1/events"),
    ("DELETE", "/v1/events/evt_x"),
    ("GET", "/v2/core/events"),
    ("POST", "/v2/customers"),
]


async def test_an_unknown_route_is_named_with_its_method(api: Api) -> None:
    for method, path in UNKNOWN_ROUTES:
        status, headers, body = await raw(api, head(api, f"{method} {path} HTTP/1.1"))
        error = assert_an_error(status, headers, body, at=404)
        assert error["message"] == f"Unrecognized request URL ({method}: {path})."
        assert "code" not in error


async def test_an_unknown_route_is_unknown_before_its_body_is_looked_at(api: Api) -> None:
    answer = await api.post("/v1/nowhere", '{"a": 1}', Content_Type="application/json", Idempotency_Key="k")
    assert_refused(answer, 404)
    await api.customer(Idempotency_Key="k")
    assert_refused(await api.post("/v1/nowhere", Idempotency_Key="k"), 404)


# Bodies


async def test_a_json_body_is_answered_that_a_form_is_needed(api: Api) -> None:
    answer = await api.post("/v1/customers", '{"name": "x"}', Content_Type="application/json")
    assert "application/x-www-form-urlencoded" in assert_refused(answer, 400)["message"]


async def test_a_multipart_form_is_a_form_too(api: Api) -> None:
    form = aiohttp.MultipartWriter("form-data")
    for name, value in (("name", "Ädä"), ("metadata[a]", "1"), ("preferred_locales[]", "de")):
        form.append(value).set_content_disposition("form-data", name=name, quote_fields=False)
    async with api.session.post(
        api.url + "/v1/customers", data=form, headers={"Authorization": f"Bearer {api.key}"}
    ) as response:
        shown = await response.json()
    assert (response.status, shown["name"], shown["metadata"], shown["preferred_locales"]) == (
        200, "Ädä", {"a": "1"}, ["de"],
    )  # fmt: skip


PART = b'--b\r\nContent-Disposition: form-data; name="%b"\r\n%b\r\n%b\r\n'
END = b"--b--\r\n"


NO_MULTIPART_FORMS = {
    "no parts": b"name=x",
    "a part without an end": b"--b\r\n\r\nx",
    "a part without a name": b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n" + END,
    "a NUL": PART % (b"name", b"", b"a\0b") + END,
    "no UTF-8": PART % (b"name", b"", b"\xff") + END,
    "an unknown charset": PART % (b"name", b"Content-Type: text/plain; charset=no\r\n", b"x") + END,
    "surrogates": PART % (b"name", b"Content-Type: text/plain; charset=utf-7\r\n", b"+2AA-") + END,
    "a picture": PART % (b"name", b"Content-Type: image/png\r\n", b"x") + END,
    "an unknown encoding": PART % (b"name", b"Content-Transfer-Encoding: no\r\n", b"?") + END,
    "a file": PART % (b'name"; filename="f', b"", b"x") + END,
    "parts in a part": PART % (b"name", b"Content-Type: multipart/mixed; boundary=c\r\n", b"--c--") + END,
}


async def test_a_multipart_body_that_is_no_form_is_refused(api: Api) -> None:
    for what, body in NO_MULTIPART_FORMS.items():
        for boundary in ("; boundary=b", ""):
            answer = await api.post("/v1/customers", body, Content_Type=f"multipart/form-data{boundary}")
            assert answer.status == 400, what
            assert_refused(answer, 400)


async def test_a_body_may_come_without_a_type_and_no_body_at_all_is_no_parameters(api: Api) -> None:
    assert (await api.customer("name=x", Content_Type="application/octet-stream"))["name"] == "x"
    status, _, _ = await raw(api, head(api, "POST /v1/customers HTTP/1.1", b"Content-Length: 0\r\n"))
    assert status == 200


async def test_a_query_counts_on_a_post_and_the_body_wins(api: Api) -> None:
    answer = await api.post("/v1/customers?name=query&phone=1", "name=body&description=d")
    shown = answer.json
    assert (shown["name"], shown["phone"], shown["description"]) == ("body", "1", "d")


async def test_a_chunked_body_and_a_compressed_one_are_read(api: Api) -> None:
    chunked = b"4\r\nname\r\n2\r\n=x\r\n0\r\n\r\n"
    request = head(api, "POST /v1/customers HTTP/1.1", FORM, b"Transfer-Encoding: chunked\r\n") + chunked
    status, _, body = await raw(api, request)
    assert (status, orjson.loads(body)["name"]) == (200, "x")
    shown = await api.customer(gzip.compress(b"name=y"), Content_Encoding="gzip")  # type: ignore[arg-type]
    assert shown["name"] == "y"


async def test_a_client_that_expects_100_continue_gets_it(api: Api) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    more = (FORM, b"Content-Length: 6\r\n", b"Expect: 100-continue\r\n")
    writer.write(head(api, "POST /v1/customers HTTP/1.1", *more))
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(b"name=x")
    assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    writer.close()
    await writer.wait_closed()


async def test_a_body_over_the_limit_is_refused_whatever_its_dress(api: Api) -> None:
    limit = api.core.settings.body_bytes_max
    fits = "metadata[a]=" + "x" * (limit - 12)
    assert (await api.refused("POST", "/v1/customers", fits))[1] == "metadata[a]"
    assert "too large" in (await api.refused("POST", "/v1/customers", fits + "x", status=413))[2]
    bomb = gzip.compress(b"x" * (4 * limit))
    answer = await api.post("/v1/customers", bomb, Content_Encoding="gzip")
    assert_refused(answer, 413)
    part = PART % (b"name", b"", b"x" * limit) + END
    assert_refused(await api.post("/v1/customers", part, Content_Type="multipart/form-data; boundary=b"), 413)


async def test_a_body_that_stops_coming_is_given_up(serve: Serve) -> None:
    api = await serve(request_timeout_s=0.05)
    request = head(api, "POST /v1/customers HTTP/1.1", FORM, b"Content-Length: 100\r\n") + b"name=x"
    status, headers, body = await raw(api, request)
    assert_an_error(status, headers, body, at=408)


SENSELESS_FORMS = [
    b"name=%FF",
    b"name=\xff",
    b"%FF=x",
    b"name=%ED%A0%80",
    b"name=\xed\xa0\x80",
    b"name=a%00b",
    b"name=a\0b",
    b"metadata[%00]=x",
    b"a[b]=1&a=2",
    b"a=1&a[b]=2",
    b"a[]=1&a[b]=2",
    b"name[]=x",
    b"metadata[a[b]]=x",
    b"metadata[a]b]=x",
    b"metadata[]=x",
    b"metadata[a][b]=x",
    b"metadata=x",
    b"a[b=c",
    b"]a[=c",
    b"[a]=c",
    b"[]=c",
    b"=c",
    b"a" + b"[b]" * 50 + b"=c",
    b"&".join(b"metadata[k%d]=v" % n for n in range(1001)),
    b"preferred_locales[" + b"9" * 5000 + b"]=de",
    b"next_invoice_sequence=" + b"9" * 5000,
    b"next_invoice_sequence=9223372036854775808",
    "next_invoice_sequence=١".encode(),
    b"expand[]=%F0%9F%92%A9",
    b"%",
]  # fmt: skip


async def test_a_form_that_makes_no_sense_is_refused(api: Api) -> None:
    for body in SENSELESS_FORMS:
        answer = await api.post("/v1/customers", body)
        assert answer.status == 400, body
        assert_refused(answer, 400)
        line = f"GET /v1/customers?{body[:4000].decode('latin-1')} HTTP/1.1"
        assert_an_error(*await raw(api, head(api, line)), at=400)


SENSELESS_HEADERS = [
    b"Content-Length: 6\r\nContent-Encoding: gzip\r\n\r\nname=x",
    b"Content-Length: 6\r\nContent-Encoding: deflate\r\n\r\nname=x",
    b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"Content-Length: x\r\n\r\n",
    b"Content-Length: -1\r\n\r\n",
    b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
    b"No colon\r\n\r\n",
    b"Bad\0name: x\r\n\r\n",
    b"Name: bad\0value\r\n\r\n",
    b"Long: " + b"x" * 100_000 + b"\r\n\r\n",
    b"".join(b"H%d: x\r\n" % n for n in range(2000)) + b"\r\n",
    b"Stripe-Version: \xff\r\n\r\n",
    b"Stripe-Account: \xed\xa0\x80\r\n\r\n",
    b"Idempotency-Key: \xff\r\n\r\n",
    b"Idempotency-Key: a\tb\r\n\r\n",
    b"Idempotency-Key:  \r\n\r\n",
    b"Idempotency-Key: " + b"k" * 256 + b"\r\n\r\n",
    b"Content-Type: text/plain\r\nContent-Length: 6\r\n\r\nname=x",
]  # fmt: skip


async def test_headers_that_make_no_sense_are_refused(api: Api) -> None:
    for more in SENSELESS_HEADERS:
        status, headers, body = await raw(api, head(api, "POST /v1/customers HTTP/1.1")[:-2] + more)
        assert 400 <= status < 500, more
        assert_an_error(status, headers, body)


NO_HTTP = ["GET", "GET /v1/customers HTTP/9.9", "G\0T / HTTP/1.1", "GET /v1/a\0b HTTP/1.1",
 "GET /" + "x" * 100_000 + " HTTP/1.1", "\x16\x03\x01", "GET v1/customers HTTP/1.1", "CONNECT x:1 HTTP/1.1",
 "GET http://x/v1/nowhere HTTP/1.1", "GET * HTTP/1.1", "GET /v1/é HTTP/1.1", "GET //[ HTTP/1.1"]  # fmt: skip


async def test_what_is_no_http_is_refused_in_the_same_form(api: Api) -> None:
    for line in NO_HTTP:
        status, headers, body = await raw(api, head(api, line))
        assert 400 <= status < 500, line
        assert_an_error(status, headers, body)


async def test_no_request_however_odd_is_answered_with_a_fault_of_ours(api: Api) -> None:
    """A little fuzz, of a fixed seed: bytes of a good request changed, dropped and doubled."""
    dice = random.Random(8420)
    good = b"name=Ada&metadata[a]=b&address[line1]=%C3%A9&expand[]=sources&preferred_locales[0]=de&email=a@b.co"
    odd = [b"%", b"[", b"]", b"&", b"=", b"\0", b"\xff", b"%00", b"%ff", b"+", b"[]", b"[0]", b"\xed\xa0\x80", b"a"]
    seen = set()
    for _ in range(300):
        body = bytearray(good)
        for _ in range(dice.randint(1, 6)):
            at = dice.randrange(len(body))
            body[at : at + dice.randint(0, 3)] = dice.choice(odd)
        answer = await api.post("/v1/customers", bytes(body), Idempotency_Key=f"fuzz {dice.randrange(40)}")
        seen.add(answer.status)
        assert answer.status in (200, 400), body
        assert answer.headers["Request-Id"]
    assert seen == {200, 400}


async def test_the_log_out_of_reach_is_worth_another_try(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    from events.errors import LogUnavailable

    async def lost(*_: object) -> None:
        raise LogUnavailable("gone")

    monkeypatch.setattr(type(api.core.log), "append", lost)
    answer = await api.post("/v1/customers", "name=x", Idempotency_Key="k")
    assert (answer.status, answer.error["type"]) == (503, "api_error")
    assert (answer.headers["Stripe-Should-Retry"], answer.headers["Retry-After"]) == ("true", "1")
    monkeypatch.undo()
    assert (await api.post("/v1/customers", "name=x", Idempotency_Key="k")).status == 200


async def test_an_internal_error_is_answered_in_the_same_form_and_reveals_nothing(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(core: Core, *_: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(type(api.core.reader), "customer", broken)
    answer = await api.get("/v1/customers/cus_x")
    assert (answer.status, answer.error["type"]) == (500, "api_error")
    assert b"secret" not in answer.body
