"""Deliveries over the wire: looked at, sent once more, canceled, recovered, tried out."""

import socket
from typing import Any

from pydantic import SecretStr

from tests.servers.receiver import Answer, Receiver
from tests.service.serving import Api, Serve, working
from tests.waiting import until

PATH = "/v1/rollbook/deliveries"
ENDPOINTS = "/v1/rollbook/webhook_endpoints"


async def endpoint(api: Api, url: str, **headers: Any) -> str:
    answer = await api.post("/v1/webhook_endpoints", f"url={url}&enabled_events[]=customer.created", **headers)
    assert answer.status == 200, answer.body
    id: str = answer.json["id"]
    return id


async def listed(api: Api, query: str = "", **headers: Any) -> list[Any]:
    answer = await api.get(f"{PATH}?{query}", **headers)
    assert answer.status == 200, answer.body
    data: list[Any] = answer.json["data"]
    return data


async def until_listed(api: Api, query: str, count: int) -> list[Any]:
    found: list[Any] = []

    async def enough() -> bool:
        found[:] = await listed(api, query)
        return len(found) == count

    await until(enough)
    return found


async def test_a_delivery_that_fails_is_looked_at_and_canceled(api: Api, receiver: Receiver) -> None:
    id = await endpoint(api, receiver.url("/hook"))
    receiver.behave("/hook", Answer(status=500, body=b"not today"))
    customer = (await api.customer())["id"]
    async with working(api):
        await receiver.wait_for(1)

        async def tried() -> Any:
            found = await listed(api, f"endpoint={id}&state=pending&customer={customer}")
            return found[0] if found and found[0]["attempt_count"] == 1 else None

        shown = await until(tried)
    assert list(shown) == [
        "id", "object", "attempt_count", "created", "customer", "endpoint", "event", "livemode", "next_attempt",
        "state", "type",
    ]  # fmt: skip
    assert shown["next_attempt"] > shown["created"]
    assert (shown["customer"], shown["endpoint"], shown["type"]) == (customer, id, "customer.created")
    assert await listed(api, f"event={shown['event']}") == [shown]
    own = f"{PATH}/{shown['id']}"
    whole = (await api.get(own)).json
    [attempt] = whole["attempts"]
    assert whole == {**shown, "attempts": [attempt]}
    assert list(whole) == sorted(whole, key=lambda key: (key not in ("id", "object"), key))
    assert 0 <= attempt.pop("at") - shown["created"] < 60
    assert attempt.pop("duration_ms") >= 0
    assert attempt == {
        "object": "rollbook.delivery_attempt",
        "answer": "not today",
        "counts": True,
        "delivered": False,
        "error": None,
        "error_code": None,
        "next_attempt": whole["next_attempt"],
        "number": 1,
        "reason": "The receiver answered 500; only 2xx counts as received.",
        "status": 500,
    }
    canceled = await api.post(f"{own}/cancel", Idempotency_Key="k")
    assert canceled.json["state"] == "canceled"
    assert canceled.json["next_attempt"] is None
    assert (await api.post(f"{own}/cancel", Idempotency_Key="k")).body == canceled.body
    assert (await api.post(f"{own}/cancel")).json == canceled.json, "it is canceled already"
    assert [each["id"] for each in await listed(api, "state=undelivered")] == [shown["id"]]
    assert await listed(api, "state=pending") == []


async def test_a_delivery_is_sent_once_more_and_under_one_key_no_more_than_that(api: Api, receiver: Receiver) -> None:
    id = await endpoint(api, receiver.url("/hook"))
    await api.customer()
    async with working(api):
        [shown] = await until_listed(api, "state=delivered", 1)
    own = f"{PATH}/{shown['id']}"
    resent = await api.post(f"{own}/resend", Idempotency_Key="k")
    assert resent.json["state"] == "pending"
    async with working(api):
        await receiver.wait_for(2)
        await until_listed(api, "state=delivered", 1)
        again = await api.post(f"{own}/resend", Idempotency_Key="k")
        assert again.body == resent.body
        assert again.headers["Idempotent-Replayed"] == "true"
        assert (await api.get(own)).json["state"] == "delivered", "a replay sends nothing"
    assert len(receiver.requests) == 2
    assert "is delivered" in (await api.refused("POST", f"{own}/cancel"))[2]
    await api.post(f"{ENDPOINTS}/{id}/pause")
    assert "is disabled" in (await api.refused("POST", f"{own}/resend"))[2]


async def test_an_endpoint_is_tried_out_alone(api: Api, receiver: Receiver) -> None:
    id, other = await endpoint(api, receiver.url("/a")), await endpoint(api, receiver.url("/b"))
    async with working(api):
        event = (await api.post(f"{ENDPOINTS}/{id}/test", Idempotency_Key="k")).json
        assert (await api.post(f"{ENDPOINTS}/{id}/test", Idempotency_Key="k")).json == event
        [got] = await receiver.wait_for(1)
        [shown] = await until_listed(api, "state=delivered", 1)
    assert (event["object"], event["type"]) == ("event", "rollbook.endpoint.test")
    assert event["data"]["object"] == (await api.get(f"/v1/webhook_endpoints/{id}")).json
    assert (got.path, got.headers["webhook-id"]) == ("/a", event["id"])
    assert (shown["event"], shown["customer"], shown["endpoint"]) == (event["id"], None, id)
    assert (await api.get(f"/v1/events/{event['id']}")).json == {**event, "pending_webhooks": 0}
    await api.post(f"{ENDPOINTS}/{other}/pause")
    assert "is disabled" in (await api.refused("POST", f"{ENDPOINTS}/{other}/test"))[2]


async def test_an_endpoint_gets_what_it_missed_after_a_pause_and_what_came_before_it_when_asked(
    api: Api, receiver: Receiver
) -> None:
    early = (await api.customer())["id"]
    id = await endpoint(api, receiver.url("/hook"))
    await api.post(f"{ENDPOINTS}/{id}/pause")
    missed = (await api.customer())["id"]
    async with working(api):
        await api.post(f"{ENDPOINTS}/{id}/resume")
        [shown] = await until_listed(api, "state=delivered", 1)
        assert shown["customer"] == missed
        answer = await api.post(f"{ENDPOINTS}/{id}/recover", "since=0")
        assert (answer.status, answer.json["id"]) == (200, id)
        assert [each["customer"] for each in await until_listed(api, "state=delivered", 2)] == [missed, early]
        assert (await api.post(f"{ENDPOINTS}/{id}/recover", "position=0")).status == 200
    for body, code, param in (
        ("", "parameter_missing", "since"),
        ("since=1&position=1", "parameters_exclusive", "position"),
        ("since=x", "parameter_invalid_integer", "since"),
        ("position=-1", None, "position"),
    ):
        assert (await api.refused("POST", f"{ENDPOINTS}/{id}/recover", body))[:2] == (code, param)


async def test_deliveries_of_others_are_not_there(api: Api, receiver: Receiver) -> None:
    await endpoint(api, receiver.url("/hook"))
    await api.customer()
    async with working(api):
        [shown] = await until_listed(api, "state=delivered", 1)
    own = f"{PATH}/{shown['id']}"
    stranger, live = await api.issue(account="acct_other"), await api.issue(livemode=True)
    assert await listed(api, key=stranger) == await listed(api, key=live) == []
    for method, path in (("GET", own), ("POST", f"{own}/resend"), ("POST", f"{own}/cancel")):
        for key in (stranger, live):
            code, param, message = await api.refused(method, path, status=404, key=key)
            assert (code, param) == ("resource_missing", "id")
            assert ("test mode" in message) == (key == live)
    reader = await api.issue(key_type="restricted", permissions=("webhook_endpoints:read",))
    assert (await api.get(own, key=reader)).status == 200
    await api.refused("POST", f"{own}/resend", status=403, key=reader)
    assert (await api.refused("GET", f"{PATH}/dlv_none", status=404))[0] == "resource_missing"


async def test_lists_of_deliveries_refuse_what_they_cannot_be(api: Api) -> None:
    for query, code, param in (
        ("state=lost", None, "state"),
        ("state=", "parameter_invalid_empty", "state"),
        ("starting_after=dlv_x_1", "resource_missing", "starting_after"),
        ("ending_before=x", "resource_missing", "ending_before"),
        ("expand[]=total_count", None, "expand"),
        ("expand[]=data.endpoint", None, "expand"),
        ("limit=101", None, "limit"),
    ):
        assert (await api.refused("GET", f"{PATH}?{query}"))[:2] == (code, param), query
    assert (await api.get(PATH)).json == {"object": "list", "data": [], "has_more": False, "url": PATH}


async def test_a_fault_of_the_egress_proxy_is_shown_as_such_and_takes_no_try(serve: Serve, receiver: Receiver) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closing:
        gone = f"http://127.0.0.1:{closing.getsockname()[1]}"
    api = await serve(webhook_proxy_url=SecretStr(gone))
    id = await endpoint(api, receiver.url("/hook"))
    await api.customer()
    async with working(api):

        async def attempted() -> Any:
            found = await listed(api, f"endpoint={id}")
            return found and (await api.get(f"{PATH}/{found[0]['id']}")).json["attempts"] and found[0]

        shown = await until(attempted)
    [attempt] = (await api.get(f"{PATH}/{shown['id']}")).json["attempts"]
    assert (attempt["error"], attempt["counts"], attempt["status"]) == ("proxy", False, None)
    assert (shown["attempt_count"], shown["state"]) == (0, "pending")
    assert receiver.requests == []
