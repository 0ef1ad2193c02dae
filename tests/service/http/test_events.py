"""The public feed over the wire: what each event contains, and which events a list shows."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from events.clock import FrozenClock
from tests.service.serving import Api, Serve

NOON = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(NOON)


@pytest.fixture
async def api(serve: Serve, clock: FrozenClock) -> Api:
    return await serve(clock=clock)


async def listed(api: Api, query: str = "") -> list[Any]:
    answer = await api.get("/v1/events" + query)
    assert answer.status == 200, answer.body
    data: list[Any] = answer.json["data"]
    return data


async def test_each_change_of_a_customer_is_an_event(api: Api) -> None:
    created = await api.post("/v1/customers", "name=Ada&email=a@b.co&metadata[a]=1", Idempotency_Key="k")
    id = created.json["id"]
    updated = await api.post(f"/v1/customers/{id}", "email=c@d.co&metadata[a]=&metadata[tier]=gold&address[city]=Rome")
    await api.post(f"/v1/customers/{id}", "email=c@d.co")
    await api.delete(f"/v1/customers/{id}")
    gone, changed, new = await listed(api)
    assert list(new) == [
        "id", "object", "api_version", "created", "data", "livemode", "pending_webhooks", "request", "type",
    ]  # fmt: skip
    assert new == {
        "id": new["id"],
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": int(NOON.timestamp()),
        "data": {"object": created.json},
        "livemode": False,
        "pending_webhooks": 0,
        "request": {"id": created.headers["Request-Id"], "idempotency_key": "k"},
        "type": "customer.created",
    }
    assert (changed["type"], gone["type"]) == ("customer.updated", "customer.deleted")
    assert changed["data"] == {
        "object": updated.json,
        "previous_attributes": {"address": None, "email": "a@b.co", "metadata": {"a": "1", "tier": None}},
    }
    assert changed["request"] == {"id": updated.headers["Request-Id"], "idempotency_key": None}
    assert gone["data"] == {"object": updated.json}
    for event in (gone, changed, new):
        assert (await api.get(f"/v1/events/{event['id']}")).json == event


async def test_events_are_filtered_by_type(api: Api) -> None:
    id = (await api.customer())["id"]
    await api.update(id, "name=x")
    every = ["customer.updated", "customer.created"]
    for query, types in {
        "?type=customer.created": every[1:],
        "?type=customer.*": every,
        "?type=*": every,
        "?type=customer.up*": every[:1],
        "?type=coupon.*": [],
        "?type=nonsense": [],
        "?types[]=customer.updated&types[]=customer.deleted": every[:1],
        "?types[0]=customer.created": every[1:],
    }.items():
        assert (query, [event["type"] for event in await listed(api, query)]) == (query, types)
    exclusive = await api.refused("GET", "/v1/events?type=*&types[]=customer.created")
    assert exclusive[0] == "parameters_exclusive"
    many = "&".join(f"types[]=t{n}" for n in range(21))
    assert (await api.refused("GET", f"/v1/events?{many}"))[1] == "types"


async def test_events_are_filtered_by_whether_every_endpoint_took_them(api: Api) -> None:
    await api.customer()
    await api.post("/v1/webhook_endpoints", "url=http://127.0.0.1:8000/&enabled_events[]=*")
    await api.customer()
    pending, taken = await listed(api)
    assert (pending["pending_webhooks"], taken["pending_webhooks"]) == (1, 0)
    assert await listed(api, "?delivery_success=false") == [pending]
    assert await listed(api, "?delivery_success=true") == [taken]
    assert (await api.refused("GET", "/v1/events?delivery_success=1"))[:2] == (None, "delivery_success")


async def test_events_are_paged_and_counted_like_every_list(api: Api, clock: FrozenClock) -> None:
    for _ in range(3):
        await api.customer()
    clock.advance(timedelta(seconds=1))
    await api.customer()
    every = [event["id"] for event in await listed(api)]
    assert [event["id"] for event in await listed(api, f"?limit=2&starting_after={every[0]}")] == every[1:3]
    assert [event["id"] for event in await listed(api, f"?limit=2&ending_before={every[3]}")] == every[1:3]
    later = int(clock.at.timestamp())
    assert [event["id"] for event in await listed(api, f"?created={later}")] == every[:1]
    assert [event["id"] for event in await listed(api, f"?created[lt]={later}")] == every[1:]
    shown = (await api.get("/v1/events?limit=1&expand[]=total_count")).json
    assert (shown["has_more"], shown["total_count"], shown["url"]) == (True, 4, "/v1/events")
    counted = f"/v1/events?type=customer.created&created={later}&delivery_success=true&expand[]=total_count"
    assert (await api.get(counted)).json["total_count"] == 1
    assert await api.refused("GET", "/v1/events?starting_after=evt_x") == (
        "resource_missing", "starting_after", "No such event: 'evt_x'",
    )  # fmt: skip


@pytest.mark.parametrize("bound", ["9" * 18, "-" + "9" * 18, "0", "-1"])
async def test_any_time_at_all_is_a_bound(api: Api, bound: str) -> None:
    await api.customer()
    for name in ("gt", "gte", "lt", "lte"):
        for path in ("/v1/events", "/v1/customers"):
            answer = await api.get(f"{path}?created[{name}]={bound}&expand[]=total_count")
            assert answer.status == 200, answer.body


async def test_events_can_be_read_for_thirty_days(api: Api, clock: FrozenClock) -> None:
    await api.customer()
    (event,) = await listed(api)
    clock.advance(timedelta(days=30))
    assert await listed(api) == [event]
    clock.advance(timedelta(seconds=1))
    assert await listed(api) == []
    assert (await api.refused("GET", f"/v1/events/{event['id']}", status=404))[0] == "resource_missing"


async def test_no_account_or_mode_hears_of_another(api: Api) -> None:
    await api.customer()
    (event,) = await listed(api)
    path = f"/v1/events/{event['id']}"
    hint = "a similar object exists in test mode"
    live, stranger = await api.issue(livemode=True), await api.issue(account="acct_other")
    for key in (live, stranger):
        assert (await api.get("/v1/events", key=key)).json["data"] == []
        message = (await api.refused("GET", path, status=404, key=key))[2]
        assert (hint in message) == (key == live)


async def test_nothing_is_expanded_in_an_event(api: Api) -> None:
    await api.customer()
    (event,) = await listed(api)
    for path in (f"/v1/events/{event['id']}?expand[]=data", "/v1/events?expand[]=data.request"):
        assert (await api.refused("GET", path))[:2] == (None, "expand")
