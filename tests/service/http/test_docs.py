"""The page that shows the API's description: our own files alone, which their policy lets load nothing else."""

import html
import json
import re
import time
from importlib import resources
from typing import Any

import pytest
import stripe

from service.http.app import OPERATIONS
from service.http.docs import FILES, POLICY
from tests.service.serving import Api, Serve
from webhooks.post import signature


def guide(name: str) -> str:
    """The markup of a guide."""
    text = resources.files("service.http.docs").joinpath("index.html").read_text("utf-8")
    return text.partition(f'<template id="guide-{name}">')[2].partition("</template>")[0]


def code(name: str, language: str) -> str:
    """The first block of code in a guide."""
    found = re.search(rf'<pre[^>]*data-language="{language}">(.*?)</pre>', guide(name), re.DOTALL)
    assert found
    return html.unescape(found[1])


@pytest.mark.parametrize("path", FILES)
async def test_the_page_is_served_without_a_key_and_under_its_policy(api: Api, path: str) -> None:
    async with api.session.get(api.url + path) as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"] == f"{FILES[path][1]}; charset=utf-8"
        assert answer.headers["Content-Security-Policy"] == POLICY
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        tag = answer.headers["ETag"]
    async with api.session.get(api.url + path, headers={"If-None-Match": tag}) as answer:
        assert answer.status == 304


def test_the_policy_allows_only_this_origin() -> None:
    directives = dict(directive.split(" ", 1) for directive in POLICY.split("; "))
    assert directives["default-src"] == "'none'"
    assert {directives[f"{kind}-src"] for kind in ("style", "script", "connect")} == {"'self'"}


@pytest.mark.parametrize("name", sorted({name for name, _ in FILES.values()}))
def test_the_page_names_no_other_origin_and_needs_nothing_that_its_policy_forbids(name: str) -> None:
    text = resources.files("service.http.docs").joinpath(name).read_text("utf-8")
    assert not re.search(r"https?://|//\w+\.|@import|\burl\(", text)
    assert not re.search(r"\bon[a-z]+=|<style|style=|innerHTML|insertAdjacentHTML|\beval\b", text)


def test_the_page_asks_only_for_what_is_served() -> None:
    text = resources.files("service.http.docs").joinpath("index.html").read_text("utf-8")
    asked = re.findall(r'(?:href|src)="([^#"]+)"', text)
    assert {f"/{path}" for path in asked} <= {*FILES, "/openapi.json", "/asyncapi.json", "/favicon.ico"}, (
        "relative, for a path prefix"
    )
    assert len(asked) >= 4


def test_the_receiver_of_the_webhook_guide_verifies_a_signature() -> None:
    defined: dict[str, Any] = {}
    exec(compile(code("webhooks", "Python"), "guide", "exec"), defined)
    event = {"id": "evt_1", "object": "event", "type": "customer.created", "data": {"object": {"id": "cus_1"}}}
    body, secret = json.dumps(event).encode(), signature.new_secret(bytes(32))
    headers = signature.headers(body, [secret], id="evt_1", timestamp=int(time.time()))
    assert defined["receive"](body, headers, secret) == ("customer.created", "cus_1")
    with pytest.raises(stripe.SignatureVerificationError):
        defined["receive"](body, headers, signature.new_secret(b"\1" * 32))


async def test_the_error_of_the_guide_is_what_the_service_answers(api: Api) -> None:
    answer = await api.post("/v1/customers", "colour=red")
    shown = json.loads(code("errors", "JSON"))["error"]
    assert shown == {name: answer.json["error"][name] for name in shown}


async def test_the_test_cards_of_the_guide_do_what_it_says(api: Api) -> None:
    rows = re.findall(r"<tr><td><code>(\d+)</code></td><td><code>(\w+)</code></td><td>(.*?)</td>", guide("testing"))
    assert len(rows) == 5
    for number, token, outcome in rows:
        answer = await api.post("/v1/customers", f"source={token}")
        if outcome == "accepted":
            customer = answer.json["id"]
            card = (await api.get(f"/v1/customers/{customer}/sources")).json["data"][0]
            assert card["last4"] == number[-4:]
        else:
            assert (answer.status, f"<code>{answer.json['error']['code']}</code>") == (402, outcome), token


def test_the_guides_link_to_operations_that_there_are() -> None:
    text = resources.files("service.http.docs").joinpath("index.html").read_text("utf-8")
    linked = set(re.findall(r'href="#([a-z_]+\.[a-z_.]+)"', text))
    assert len(linked) > 10
    assert linked <= {operation.name for operation in OPERATIONS}


async def test_the_description_is_compressed_once_and_for_those_who_take_it(api: Api) -> None:
    async with api.session.get(f"{api.url}/openapi.json", headers={"Accept-Encoding": "gzip"}) as zipped:
        assert zipped.headers["Content-Encoding"] == "gzip"
        assert zipped.headers["Vary"] == "Accept-Encoding"
        whole = await zipped.read()
    for accepted in ("identity", "gzip;q=0, br", "br"):
        async with api.session.get(f"{api.url}/openapi.json", headers={"Accept-Encoding": accepted}) as plain:
            assert "Content-Encoding" not in plain.headers
            assert await plain.read() == whole


async def test_everything_is_named_relative_to_the_page_so_that_a_path_prefix_may_stand_before_it(api: Api) -> None:
    async with api.session.get(api.url + "/docs/", allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (308, "../docs")
    async with api.session.get(api.url + "/openapi.json") as answer:
        assert (await answer.json())["servers"] == [{"url": "."}]
    script = resources.files("service.http.docs").joinpath("docs.js").read_text("utf-8")
    assert "location.origin" not in script
    assert not re.search(r"""fetch\(["'`]/""", script)


@pytest.mark.parametrize(("env", "key"), [("development", "sk_test_rollbook"), ("production", "YOUR_SECRET_KEY")])
async def test_examples_use_a_key_that_there_is(serve: Serve, env: str, key: str) -> None:
    api = await serve(env=env, database_url="postgresql://unused")
    text = ""
    for path in ("/docs", "/docs/docs.js"):
        async with api.session.get(api.url + path) as answer:
            text += await answer.text()
    assert f'content="{key}"' in text
    assert ("sk_test_rollbook" in text) is (env == "development")


async def test_a_browser_is_shown_a_page_at_the_address_of_the_service_and_the_api_stays_as_it_is(api: Api) -> None:
    browser = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    async with api.session.get(api.url + "/", headers=browser) as answer:
        assert (answer.status, answer.url.path, answer.content_type) == (200, "/docs", "text/html")
    async with api.session.get(api.url + "/favicon.ico", headers={"Accept": "image/*"}) as answer:
        assert (answer.status, answer.content_type) == (200, "image/svg+xml")
    async with api.session.get(api.url + "/") as answer:
        assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, 'Basic realm="Stripe"')
    assert (await api.get("/")).status == 404
    assert (await api.get("/", **browser)).status == 404
