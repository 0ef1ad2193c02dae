"""What an endpoint's owner can do beyond the API reference, over the wire."""

import re
from typing import Any

import pytest

from tests.service.serving import Api, working
from tests.waiting import until

PATH = "/v1/webhook_endpoints"
OWN = "/v1/rollbook/webhook_endpoints"


async def registered(api: Api, url: str = "https://example.com/hooks", **headers: Any) -> Any:
    """A new endpoint, as the API shows it; with its secret."""
    answer = await api.post(PATH, f"url={url}&enabled_events[]=*", **headers)
    assert answer.status == 200, answer.body
    return answer.json


async def test_a_rolled_secret_is_shown_in_that_answer_alone(api: Api) -> None:
    made = await registered(api)
    old = made.pop("secret")
    rolled = await api.post(f"{OWN}/{made['id']}/roll_secret", "overlap=1", Idempotency_Key="k")
    shown = rolled.json
    assert list(shown)[2:] == sorted(list(shown)[2:])
    secret = shown.pop("secret")
    assert re.fullmatch(r"whsec_[0-9A-Za-z]{32}", secret)
    assert secret != old
    assert shown == made
    assert "secret" not in (await api.get(f"{PATH}/{made['id']}")).json
    again = await api.post(f"{OWN}/{made['id']}/roll_secret", "overlap=1", Idempotency_Key="k")
    assert again.body == rolled.body, "a retry rolls nothing more"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("overlap=169", None),
        ("overlap=-1", None),
        ("overlap=", "parameter_invalid_integer"),
        ("overlap=1.5", "parameter_invalid_integer"),
    ],
)
async def test_an_overlap_is_up_to_a_week(api: Api, body: str, code: str | None) -> None:
    made = await registered(api)
    assert (await api.refused("POST", f"{OWN}/{made['id']}/roll_secret", body))[:2] == (code, "overlap")
    assert (await api.post(f"{OWN}/{made['id']}/roll_secret", "overlap=168")).status == 200


async def test_secrets_of_others_are_not_rolled(api: Api) -> None:
    made = await registered(api)
    own = f"{OWN}/{made['id']}/roll_secret"
    stranger = await api.issue(account="acct_other")
    assert (await api.refused("POST", own, status=404, key=stranger))[:2] == ("resource_missing", "id")
    reader = await api.issue(key_type="restricted", permissions=("webhook_endpoints:read",))
    await api.refused("POST", own, status=403, key=reader)
    writer = await api.issue(key_type="restricted", permissions=("webhook_endpoints:write",))
    assert (await api.post(own, key=writer)).status == 200
    await api.delete(f"{PATH}/{made['id']}")
    assert (await api.refused("POST", own, status=404))[:2] == ("resource_missing", "id")


async def test_a_pause_shows_as_disabled_and_a_resumed_endpoint_as_enabled(api: Api) -> None:
    made = await registered(api)
    own = f"{OWN}/{made['id']}"
    shown = (await api.get(own)).json
    for _ in range(2):
        assert (await api.post(f"{own}/pause")).json == {**shown, "affected": 0, "status": "disabled"}
    assert (await api.get(f"{PATH}/{made['id']}")).json["status"] == "disabled"
    for body in ("", "replay=skip", "replay=latest", "replay=all"):
        assert (await api.post(f"{own}/resume", body)).json["status"] == "enabled"
    assert (await api.post(f"{PATH}/{made['id']}", "disabled=true")).json["status"] == "disabled"
    assert (await api.post(f"{own}/resume", "replay=skip")).json["status"] == "enabled"
    assert (await api.get(f"{PATH}/{made['id']}")).json["status"] == "enabled"
    assert (await api.refused("POST", f"{own}/resume", "replay=some"))[:2] == (None, "replay")
    assert (await api.refused("POST", f"{own}/resume", "replay="))[:2] == ("parameter_invalid_empty", "replay")
    for verb in ("pause", "resume", "cancel_pending"):
        path = f"{OWN}/we_none/{verb}"
        assert (await api.refused("POST", path, status=404))[:2] == ("resource_missing", "id")
    assert (await api.refused("POST", f"{OWN}/we_none/recover", "position=0", status=404))[:2] == (
        "resource_missing",
        "id",
    )


async def test_actions_say_how_many_deliveries_and_events_they_are_about(api: Api) -> None:
    own = f"{OWN}/{(await registered(api))['id']}"

    async def affected(verb: str, body: str = "") -> Any:
        shown = (await api.post(f"{own}/{verb}", body)).json
        assert list(shown)[2:] == sorted(list(shown)[2:])
        return shown["affected"]

    assert await affected("pause") == 0
    customer = (await api.customer("name=Jenny"))["id"]
    for name in ("a", "b"):
        await api.update(customer, f"name={name}")
    stranger = await api.issue(account="acct_other")
    await api.customer("name=Other", key=stranger)
    assert await affected("resume", "replay=latest") == 1
    assert await affected("recover", "position=0") == 3
    assert await affected("recover", "position=1") == 2
    assert await affected("recover", "since=1") == 3
    await affected("pause")
    assert await affected("resume", "replay=skip") == 0
    async with working(api):

        async def pending() -> bool:
            return bool((await api.get(own)).json["settled_up_to"] >= 3)

        await until(pending)
    assert await affected("cancel_pending") == 0


async def test_events_about_endpoints_may_be_enabled_by_name(api: Api) -> None:
    types = ["rollbook.endpoint.disabled", "rollbook.endpoint.failing"]
    named = "".join(f"&enabled_events[]={type}" for type in types)
    answer = await api.post(PATH, f"url=https://example.com/hooks{named}")
    assert answer.json["enabled_events"] == types


RULES = {
    "in_flight_max": None,
    "missed": "send",
    "on_exhaustion": "skip",
    "order": "none",
    "payload": "full",
    "rate_limit": None,
}


async def test_an_endpoint_shows_how_it_stands(api: Api) -> None:
    made = await registered(api)
    shown = (await api.get(f"{OWN}/{made['id']}")).json
    assert list(shown)[:2] == ["id", "object"]
    assert list(shown)[2:] == sorted(list(shown)[2:])
    assert shown == {
        "id": made["id"],
        "object": "rollbook.webhook_endpoint",
        "breaker": "closed",
        "breaker_until": None,
        "complete_up_to": 0,
        "concurrency": 4,
        "failing_since": None,
        "held_deliveries": 0,
        "livemode": False,
        "pending_deliveries": 0,
        "quiet_until": None,
        "recovering": False,
        "set_aside": None,
        "set_aside_reason": None,
        "settled_up_to": 0,
        "status": "enabled",
        "url": made["url"],
        **RULES,
    }
    assert (await api.get(OWN)).json == {"object": "list", "data": [shown], "has_more": False, "url": OWN}
    assert (await api.get(f"{OWN}?expand[]=total_count")).json["total_count"] == 1


async def test_rules_are_set_one_by_one_and_unset(api: Api) -> None:
    made = await registered(api)
    own = f"{OWN}/{made['id']}"
    before = (await api.get(own)).json
    for body, rules in (
        ("order=customer", {"order": "customer"}),
        ("on_exhaustion=hold&payload=thin", {"on_exhaustion": "hold", "payload": "thin"}),
        ("missed=skip", {"missed": "skip"}),
        ("rate_limit=100&in_flight_max=8", {"rate_limit": 100, "in_flight_max": 8}),
        ("rate_limit=&order=none", {"rate_limit": None, "order": "none"}),
        ("", {}),
    ):
        before |= rules
        assert (await api.post(own, body)).json == before
        assert (await api.get(own)).json == before
    first = await api.post(own, "order=strict", Idempotency_Key="k")
    await api.post(own, "order=none")
    assert (await api.post(own, "order=strict", Idempotency_Key="k")).body == first.body
    assert (await api.get(own)).json["order"] == "none", "a replay sets nothing"


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ("order=some", None, "order"),
        ("order=", "parameter_invalid_empty", "order"),
        ("on_exhaustion=wait", None, "on_exhaustion"),
        ("payload=fat", None, "payload"),
        ("missed=keep", None, "missed"),
        ("missed=", "parameter_invalid_empty", "missed"),
        ("rate_limit=0", None, "rate_limit"),
        ("rate_limit=1001", None, "rate_limit"),
        ("rate_limit=fast", "parameter_invalid_integer", "rate_limit"),
        ("in_flight_max=33", None, "in_flight_max"),
        ("url=https://example.com", "parameter_unknown", "url"),
    ],
)
async def test_rules_that_cannot_be_are_refused(api: Api, body: str, code: str | None, param: str) -> None:
    made = await registered(api)
    assert (await api.refused("POST", f"{OWN}/{made['id']}", body))[:2] == (code, param)
    shown = (await api.get(f"{OWN}/{made['id']}")).json
    assert {name: shown[name] for name in RULES} == RULES


async def test_rules_and_standings_are_for_owners_alone(api: Api) -> None:
    made = await registered(api)
    own = f"{OWN}/{made['id']}"
    stranger, live = await api.issue(account="acct_other"), await api.issue(livemode=True)
    for key in (stranger, live):
        for method in ("GET", "POST"):
            assert (await api.refused(method, own, status=404, key=key))[:2] == ("resource_missing", "id")
        assert (await api.get(OWN, key=key)).json["data"] == []
    reader = await api.issue(key_type="restricted", permissions=("webhook_endpoints:read",))
    assert (await api.get(own, key=reader)).status == 200
    await api.refused("POST", own, "order=strict", status=403, key=reader)
    await api.delete(f"{PATH}/{made['id']}")
    for method in ("GET", "POST"):
        assert (await api.refused(method, own, status=404))[:2] == ("resource_missing", "id")


async def test_lists_of_standings_go_by_pages(api: Api) -> None:
    ids = [(await registered(api))["id"] for _ in range(3)]
    first = (await api.get(f"{OWN}?limit=2")).json
    assert ([each["id"] for each in first["data"]], first["has_more"]) == (ids[:0:-1], True)
    rest = (await api.get(f"{OWN}?starting_after={ids[1]}")).json
    assert [each["id"] for each in rest["data"]] == [ids[0]]
    assert (await api.refused("GET", f"{OWN}?starting_after=we_x"))[:2] == ("resource_missing", "starting_after")


@pytest.mark.parametrize("at", ["20000-01-01", "infinity", "-infinity", "4000-01-01 BC"])
async def test_a_time_of_a_lane_that_cannot_be_shown_spoils_no_list(api: Api, at: str) -> None:
    made = await registered(api)
    for column in ("open_until", "quiet_until", "failing_since"):
        await api.core.pool.execute(
            f"UPDATE webhooks.lane SET {column} = '{at}' WHERE endpoint_id = $1",
            made["id"],
        )
    answer = await api.get(OWN)
    assert answer.status == 200, answer.body
    [shown] = answer.json["data"]
    assert (shown["breaker_until"], shown["quiet_until"], shown["failing_since"]) == (None, None, None)
