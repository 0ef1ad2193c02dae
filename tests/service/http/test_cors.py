"""Web pages as callers: preflights, answers that pages may read, and the one key that is not taken from them."""

import pytest

from service.commands import keys
from service.dev import development_key
from service.http.auth import REMEMBERED_MAX, Authenticator
from service.http.refusals import BadKey
from tests.service.http import raw
from tests.service.http.raw import head
from tests.service.serving import Api

SHOP = b"Origin: https://shop.example\r\n"
ASKS = b"Access-Control-Request-Method: POST\r\n"
FORM = "card[number]=4242424242424242&card[exp_month]=1&card[exp_year]=2050&card[cvc]=123"


async def test_a_preflight_is_answered_without_a_key_for_any_path(api: Api) -> None:
    for path in ("/v1/tokens", "/v1/customers/cus_x", "/v1/nowhere", "/"):
        answer = await raw.ask(api, head(api, f"OPTIONS {path} HTTP/1.1", SHOP, ASKS, key=False))
        assert (answer.status, answer.body) == (204, b"")
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "POST" in answer.headers["access-control-allow-methods"]
        allowed = answer.headers["access-control-allow-headers"].lower().split(", ")
        assert {"authorization", "content-type", "idempotency-key", "stripe-version"} <= set(allowed)
        assert answer.headers["request-id"].startswith("req_")
        assert "access-control-allow-credentials" not in answer.headers


async def test_what_is_no_preflight_is_an_unknown_route(api: Api) -> None:
    for more in ((), (SHOP,), (ASKS,)):
        assert (await raw.ask(api, head(api, "OPTIONS /v1/tokens HTTP/1.1", *more))).status == 404
        assert (await raw.ask(api, head(api, "OPTIONS /v1/tokens HTTP/1.1", *more, key=False))).status == 401


async def test_a_page_makes_a_token_and_reads_the_answer_whatever_it_is(api: Api) -> None:
    key = await api.issue(key_type="publishable")
    origin = {"Origin": "https://shop.example"}
    answers = [
        await api.post("/v1/tokens", FORM, key=key, **origin),
        await api.post("/v1/tokens", FORM.replace("=4242", "=4241"), key=key, **origin),
        await api.get("/v1/customers", key=key, **origin),
        await api.get("/v1/customers", key="sk_test_wrong_key_of_nobody", **origin),
        await api.get("/v1/nowhere", **origin),
    ]
    assert [answer.status for answer in answers] == [200, 402, 403, 401, 404]
    for answer in answers:
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert "Request-Id" in answer.headers["Access-Control-Expose-Headers"]


async def test_the_key_that_everybody_knows_is_not_taken_from_other_machines_pages(api: Api) -> None:
    await development_key.ensure(api.core)
    key = keys.DEVELOPMENT_KEY
    for origin in (
        "https://shop.example",
        "null",
        "http://localhost.shop.example",
        "http://[",
        "http://127.0.0.1.x:80",
    ):
        for _ in range(2):  # remembered or not
            answer = await api.get("/v1/customers", key=key, Origin=origin)
            assert answer.status == 403, origin
            assert "pages of other origins" in answer.error["message"]
    for origin in ("http://localhost:3000", "http://127.0.0.1:8420", "http://[::1]:80"):
        assert (await api.get("/v1/customers", key=key, Origin=origin)).status == 200
    assert (await api.get("/v1/customers", key=key)).status == 200
    assert (await api.get("/v1/customers", Origin="https://shop.example")).status == 200, "another key is a secret"


async def test_a_caller_is_remembered_once_however_the_key_is_spelled(api: Api) -> None:
    asked: list[str] = []

    async def find(digest: str):  # type: ignore[no-untyped-def]
        asked.append(digest)
        return await api.core.reader.principal(digest)

    authenticator = Authenticator(find, clock=api.core.clock, master_keys=api.core.master_keys, trust_s=60)
    for header in (f"Bearer {api.key}", f"bearer  {api.key}", f"Bearer {api.key}" + " " * 8000):
        assert (await authenticator.caller(header)).livemode is False
    assert len(asked) == len(authenticator._remembered) == 1
    assert all(len(key) == 64 for key in authenticator._remembered), "digests, as long as any other"
    with pytest.raises(BadKey):
        await authenticator.caller("Bearer sk_test_wrong_key_of_nobody")
    assert len(authenticator._remembered) == 1 <= REMEMBERED_MAX


async def test_an_unknown_key_is_shown_in_short(api: Api) -> None:
    answer = await api.get("/v1/customers", key="sk_test_" + "x" * 7000)
    assert (answer.status, len(answer.body) < 600) == (401, True)
