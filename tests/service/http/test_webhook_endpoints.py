"""Webhook endpoints over the wire: what is shown of them, what changes them, what they may not be."""

import re
from typing import Any
from urllib.parse import quote

import pytest

from tests.service.serving import Api, Serve

PATH = "/v1/webhook_endpoints"
ONE = "url=https://example.com/hooks&enabled_events[]=customer.created"
KEYS = [
    "id", "object", "api_version", "application", "created", "description", "enabled_events", "livemode", "metadata",
    "status", "url",
]  # fmt: skip


async def registered(api: Api, body: str = ONE, **headers: Any) -> Any:
    answer = await api.post(PATH, body, **headers)
    assert answer.status == 200, answer.body
    return answer.json


async def test_a_new_endpoint_shows_its_secret_this_once(api: Api) -> None:
    made = await registered(api)
    assert list(made) == ["id", "object", *sorted([*KEYS[2:], "secret"])]
    assert re.fullmatch(r"we_[0-9A-Za-z]{14}", made["id"])
    assert re.fullmatch(r"whsec_[0-9A-Za-z]{32}", made.pop("secret"))
    assert {key: made[key] for key in KEYS if key not in ("id", "created")} == {
        "object": "webhook_endpoint",
        "api_version": None,
        "application": None,
        "description": None,
        "enabled_events": ["customer.created"],
        "livemode": False,
        "metadata": {},
        "status": "enabled",
        "url": "https://example.com/hooks",
    }
    for answer in (await api.get(f"{PATH}/{made['id']}"), await api.post(f"{PATH}/{made['id']}")):
        assert answer.json == made
    assert (await api.get(PATH)).json == {"object": "list", "data": [made], "has_more": False, "url": PATH}


async def test_an_endpoint_is_changed_stopped_and_started_again(api: Api) -> None:
    made = await registered(api, ONE + "&description=d&metadata[a]=1&api_version=2020-08-27&connect=false")
    assert (made["api_version"], made["description"], made["metadata"]) == ("2020-08-27", "d", {"a": "1"})
    own = f"{PATH}/{made['id']}"
    body = "url=http://127.0.0.1:8000/x&enabled_events[0]=*&description=&metadata[b]=2&disabled=true"
    shown = (await api.post(own, body)).json
    assert (shown["url"], shown["enabled_events"], shown["status"]) == ("http://127.0.0.1:8000/x", ["*"], "disabled")
    assert (shown["description"], shown["metadata"]) == (None, {"a": "1", "b": "2"})
    assert (await api.post(own, "disabled=false")).json["status"] == "enabled"


async def test_a_deleted_endpoint_is_gone_for_good(api: Api) -> None:
    own = f"{PATH}/{(await registered(api))['id']}"
    id = own.rpartition("/")[2]
    deleted = await api.delete(own)
    assert (deleted.status, deleted.json) == (200, {"id": id, "object": "webhook_endpoint", "deleted": True})
    for method in ("GET", "POST", "DELETE"):
        assert await api.refused(method, own, status=404) == (
            "resource_missing", "id", f"No such webhook endpoint: '{id}'",
        )  # fmt: skip
    assert (await api.get(PATH)).json["data"] == []


IMPOSSIBLE = [
    ("", "parameter_missing", "url"),
    ("url=https://a.example", "parameter_missing", "enabled_events"),
    ("enabled_events[]=*", "parameter_missing", "url"),
    ("url=https://a.example&enabled_events=", "parameter_invalid_empty", "enabled_events"),
    ("url=https://a.example&enabled_events=*", None, "enabled_events"),
    ("url=https://a.example&enabled_events[]=", "parameter_invalid_empty", "enabled_events[0]"),
    ("url=https://a.example&enabled_events[]=customer.vanished", None, "enabled_events[0]"),
    ("url=&enabled_events[]=*", "parameter_invalid_empty", "url"),
    ("url=a.example&enabled_events[]=*", "url_invalid", "url"),
    ("url=/hooks&enabled_events[]=*", "url_invalid", "url"),
    ("url=ftp://a.example&enabled_events[]=*", "url_invalid", "url"),
    ("url=https://&enabled_events[]=*", "url_invalid", "url"),
    ("url=https://a.example:x&enabled_events[]=*", "url_invalid", "url"),
    ("url=https://me@a.example&enabled_events[]=*", "url_invalid", "url"),
    ("url=https://a.example/%20&enabled_events[]=*", "url_invalid", "url"),
    ("url=https://[::&enabled_events[]=*", "url_invalid", "url"),
    ("url=https://a.example&enabled_events[]=*&api_version=latest", None, "api_version"),
    ("url=https://a.example&enabled_events[]=*&connect=true", None, "connect"),
    ("url=https://a.example&enabled_events[]=*&disabled=true", "parameter_unknown", "disabled"),
    ("url=https://a.example&enabled_events[]=*&description=" + "x" * 5001, None, "description"),
    ("url=https://a.example&enabled_events[]=*&expand[]=x", None, "expand"),
]


async def test_an_endpoint_that_cannot_be_is_refused(api: Api) -> None:
    for body, code, param in IMPOSSIBLE:
        assert (await api.refused("POST", PATH, body))[:2] == (code, param)
        assert (await api.get(PATH)).json["data"] == []


async def test_live_mode_endpoints_are_https_only(api: Api) -> None:
    live = await api.issue(livemode=True)
    plain = "url=http://example.com&enabled_events[]=*"
    assert (await api.refused("POST", PATH, plain, key=live))[:2] == ("url_invalid", "url")
    made = await registered(api, key=live)
    assert made["livemode"] is True
    own = f"{PATH}/{made['id']}"
    assert (await api.refused("POST", own, "url=http://example.com", key=live))[:2] == ("url_invalid", "url")
    hint = "a similar object exists in live mode, but a test mode key was used to make this request."
    for method in ("GET", "POST", "DELETE"):
        assert hint in (await api.refused(method, own, status=404))[2]
    stranger = await api.issue(account="acct_other", livemode=True)
    assert hint not in (await api.refused("GET", own, status=404, key=stranger))[2]


async def test_sixteen_endpoints_are_the_most_in_an_account_and_mode(api: Api) -> None:
    made = [await registered(api) for _ in range(16)]
    assert "16" in (await api.refused("POST", PATH, ONE))[2]
    await registered(api, key=await api.issue(livemode=True))
    await registered(api, key=await api.issue(account="acct_other"))
    await api.delete(f"{PATH}/{made[0]['id']}")
    await registered(api)


async def test_pages_of_endpoints_turn_like_those_of_customers(api: Api) -> None:
    ids = [(await registered(api))["id"] for _ in range(4)][::-1]

    async def page(query: str) -> tuple[list[str], bool]:
        shown = (await api.get(f"{PATH}?{query}")).json
        return [item["id"] for item in shown["data"]], shown["has_more"]

    assert await page("limit=3") == (ids[:3], True)
    assert await page(f"limit=3&starting_after={ids[2]}") == (ids[3:], False)
    assert await page(f"limit=1&ending_before={ids[2]}") == (ids[1:2], True)
    assert (await api.get(f"{PATH}?limit=1&expand[]=total_count")).json["total_count"] == 4
    customer = (await api.customer())["id"]
    for cursor in ("we_x", customer):
        assert await api.refused("GET", f"{PATH}?starting_after={cursor}") == (
            "resource_missing", "starting_after", f"No such webhook endpoint: '{cursor}'",
        )  # fmt: skip
    assert (await api.refused("GET", f"{PATH}?created=1"))[:2] == ("parameter_unknown", "created")


async def test_a_registration_under_one_key_is_made_once_and_replayed_with_its_secret(serve: Serve) -> None:
    api = await serve()
    first = await api.post(PATH, ONE, Idempotency_Key="k")
    again = await api.post(PATH, ONE, Idempotency_Key="k")
    assert again.body == first.body
    assert len((await api.get(PATH)).json["data"]) == 1


async def test_an_endpoint_may_be_where_the_operator_lets_webhooks_go_and_nowhere_else(serve: Serve) -> None:
    api = await serve(webhook_deny_networks="10.6.0.0/16", webhook_allowed_ports="443")
    assert (await api.refused("POST", PATH, "url=https://10.6.0.1&enabled_events[]=*"))[:2] == ("url_invalid", "url")
    assert (await api.refused("POST", PATH, "url=https://a.example:8443&enabled_events[]=*"))[0] == "url_invalid"
    own = f"{PATH}/{(await registered(api))['id']}"
    assert (await api.refused("POST", own, "url=https://10.6.0.1"))[:2] == ("url_invalid", "url")


@pytest.mark.parametrize(
    "url",
    [
        "https://a]b[@", "https://[", "https://]", "https://a]", "http://xn--a.com/", "http://xn--/", "https://[::1",
        "https://:1", "https://\ud800".encode(errors="surrogatepass").decode(errors="replace"), "https://a:b/", "https://\U0001f600\u200d/",
        "https://x.onion/", "https://router.home.arpa.invalid/", "https://1.2.0.192.in-addr.arpa/",
        "https://example.com:5432/", "https://example.com:11211/",
    ],
)  # fmt: skip
async def test_a_url_that_cannot_be_worked_with_is_refused(api: Api, url: str) -> None:
    made = await registered(api)
    for path, rest in ((PATH, "&enabled_events[]=*"), (f"{PATH}/{made['id']}", "")):
        answer = await api.post(path, f"url={quote(url)}{rest}")
        assert (answer.status, answer.json["error"]["code"]) == (400, "url_invalid"), answer.body
        assert answer.json["error"]["param"] == "url"
