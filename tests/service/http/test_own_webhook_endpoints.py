"""What an endpoint's owner can do beyond the API reference, over the wire."""

import re
from typing import Any

import pytest

from tests.service.serving import Api

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
    reader = await api.issue(power="restricted", rights=("webhook_endpoints:read",))
    await api.refused("POST", own, status=403, key=reader)
    writer = await api.issue(power="restricted", rights=("webhook_endpoints:write",))
    assert (await api.post(own, key=writer)).status == 200
    await api.delete(f"{PATH}/{made['id']}")
    assert (await api.refused("POST", own, status=404))[:2] == ("resource_missing", "id")


async def test_a_pause_shows_as_disabled_and_a_resumed_endpoint_as_enabled(api: Api) -> None:
    made = await registered(api)
    del made["secret"]
    own = f"{OWN}/{made['id']}"
    for _ in range(2):
        assert (await api.post(f"{own}/pause")).json == {**made, "status": "disabled"}
    for body in ("", "replay=skip", "replay=latest", "replay=all"):
        assert (await api.post(f"{own}/resume", body)).json == made
    assert (await api.post(f"{PATH}/{made['id']}", "disabled=true")).json["status"] == "disabled"
    assert (await api.post(f"{own}/resume", "replay=skip")).json == made
    assert (await api.refused("POST", f"{own}/resume", "replay=some"))[:2] == (None, "replay")
    assert (await api.refused("POST", f"{own}/resume", "replay="))[:2] == ("parameter_invalid_empty", "replay")
    for verb in ("pause", "resume"):
        path = f"{OWN}/we_none/{verb}"
        assert (await api.refused("POST", path, status=404))[:2] == ("resource_missing", "id")


async def test_what_we_tell_of_endpoints_may_be_asked_for_by_name(api: Api) -> None:
    types = ["rollbook.endpoint.disabled", "rollbook.endpoint.failing"]
    named = "".join(f"&enabled_events[]={type}" for type in types)
    answer = await api.post(PATH, f"url=https://example.com/hooks{named}")
    assert answer.json["enabled_events"] == types
