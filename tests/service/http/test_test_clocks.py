"""Test clocks over the wire: what is shown of them, who lives under them, what moves them."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from service.jobs import scheduler
from tests.service.http import node_client
from tests.service.http.python_client import run_script
from tests.service.serving import Answer, Api
from tests.waiting import until

PATH = "/v1/test_helpers/test_clocks"
FROZEN = 1_577_836_800  # 2020-01-01
DAY = 86_400
KEYS = [
    "id", "object", "created", "deletes_after", "frozen_time", "livemode", "name", "status", "status_details",
]  # fmt: skip


@pytest.fixture
async def kept(api: Api) -> AsyncIterator[Api]:
    """One application, and beside it whoever does what is due."""
    stop = asyncio.Event()
    keeping = asyncio.create_task(scheduler.run(api.core, stop))
    yield api
    stop.set()
    await keeping


async def clock(api: Api, body: str = f"frozen_time={FROZEN}") -> Any:
    answer = await api.post(PATH, body)
    assert answer.status == 200, answer.body
    return answer.json


async def ready(api: Api, id: str) -> Any:
    """A clock that stands, as soon as it does."""

    async def stands() -> Any:
        shown = (await api.get(f"{PATH}/{id}")).json
        return shown if shown["status"] == "ready" else None

    return await until(stands)


async def test_a_clock_stands_at_the_time_it_was_set_to(api: Api) -> None:
    made = await clock(api, f"frozen_time={FROZEN}&name=Renewal")
    assert list(made) == KEYS
    assert re.fullmatch(r"clock_[0-9A-Za-z]{14}", made["id"])
    assert made["deletes_after"] == made["created"] + 30 * DAY
    assert {key: made[key] for key in KEYS if key not in ("id", "created", "deletes_after")} == {
        "object": "test_helpers.test_clock",
        "frozen_time": FROZEN,
        "livemode": False,
        "name": "Renewal",
        "status": "ready",
        "status_details": {},
    }
    assert (await api.get(f"{PATH}/{made['id']}")).json == made
    assert (await api.get(PATH)).json == {"object": "list", "data": [made], "has_more": False, "url": PATH}
    [event] = await api.events("test_helpers.test_clock.created")
    assert event["data"] == {"object": made}


async def test_a_clock_may_stand_in_the_past_or_far_ahead_and_go_without_a_name(api: Api) -> None:
    for time in (0, 253_402_300_799):
        made = await clock(api, f"frozen_time={time}&name=")
        assert (made["frozen_time"], made["name"]) == (time, None)


async def test_a_clock_that_is_advanced_answers_at_once_and_is_ready_later(kept: Api) -> None:
    made = await clock(kept)
    moving = (await kept.post(f"{PATH}/{made['id']}/advance", f"frozen_time={FROZEN + DAY}")).json
    assert moving == {
        **made,
        "status": "advancing",
        "status_details": {"advancing": {"target_frozen_time": FROZEN + DAY}},
    }
    assert await ready(kept, made["id"]) == {**made, "frozen_time": FROZEN + DAY}
    events = await kept.events(*(f"test_helpers.test_clock.{word}" for word in ("created", "advancing", "ready")))
    assert [event["type"].rpartition(".")[2] for event in events] == ["created", "advancing", "ready"]
    assert [event["data"]["object"]["frozen_time"] for event in events] == [FROZEN, FROZEN, FROZEN + DAY]
    assert events[1]["request"]["id"].startswith("req_")
    assert events[2]["request"] is None, "the system did it"


async def test_customers_under_a_clock_live_on_its_time(kept: Api) -> None:
    id = (await clock(kept))["id"]
    made = await kept.customer(f"test_clock={id}&email=ada@example.com")
    assert (made["test_clock"], made["created"]) == (id, FROZEN)
    assert (await kept.get(f"/v1/customers/{made['id']}")).json == made
    [event] = await kept.events("customer.created")
    assert event["data"]["object"] == made
    await kept.post(f"{PATH}/{id}/advance", f"frozen_time={FROZEN + DAY}")
    await ready(kept, id)
    assert (await kept.customer(f"test_clock={id}"))["created"] == FROZEN + DAY
    assert (await kept.customer(f"test_clock={id}&expand[]=test_clock"))["test_clock"] == (
        await kept.get(f"{PATH}/{id}")
    ).json


async def test_customers_under_a_clock_are_found_by_it_alone(api: Api) -> None:
    first, second = (await clock(api))["id"], (await clock(api))["id"]
    under = [(await api.customer(f"test_clock={first}&email=a@example.com"))["id"] for _ in range(3)]
    other = await api.customer(f"test_clock={second}")
    free = await api.customer("email=a@example.com")

    async def listed(query: str) -> list[str]:
        return [one["id"] for one in (await api.get(f"/v1/customers?{query}")).json["data"]]

    assert await listed("") == await listed("email=a@example.com") == [free["id"]]
    assert await listed(f"test_clock={first}") == under[::-1]
    assert await listed(f"test_clock={first}&limit=1&starting_after={under[2]}") == [under[1]]
    assert await listed(f"test_clock={first}&limit=1&ending_before={under[0]}") == [under[1]]
    assert await listed(f"test_clock={first}&email=b@example.com") == []
    assert await listed(f"test_clock={second}") == [other["id"]]
    assert (await api.refused("GET", "/v1/customers?test_clock=clock_x"))[:2] == ("resource_missing", "test_clock")
    total = (await api.get(f"/v1/customers?test_clock={first}&limit=1&expand[]=total_count")).json["total_count"]
    assert total == 3


async def test_a_clock_is_made_for_a_customer_that_is_there(api: Api) -> None:
    customer = await api.customer("name=Ada")
    id = (await clock(api, f"frozen_time={FROZEN}&customer={customer['id']}"))["id"]
    shown = (await api.get(f"/v1/customers/{customer['id']}")).json
    assert shown == {**customer, "test_clock": id}
    assert (await api.get("/v1/customers")).json["data"] == []
    assert (await api.get(f"/v1/customers?test_clock={id}")).json["data"] == [shown]
    [event] = await api.events("customer.updated")
    assert event["data"] == {"object": shown, "previous_attributes": {"test_clock": None}}
    refused = await api.refused("POST", PATH, f"frozen_time={FROZEN}&customer={customer['id']}")
    assert refused[:2] == (None, "customer")
    assert len((await api.get(PATH)).json["data"]) == 1


async def test_of_twenty_customers_at_once_three_get_under_a_clock(api: Api) -> None:
    id = (await clock(api))["id"]
    answers: list[Answer] = await asyncio.gather(
        *(api.post("/v1/customers", f"test_clock={id}&name=c{number}") for number in range(20))
    )
    assert sorted(answer.status for answer in answers) == [200] * 3 + [400] * 17
    assert {answer.error["param"] for answer in answers if answer.status == 400} == {"test_clock"}
    listed = (await api.get(f"/v1/customers?test_clock={id}")).json["data"]
    assert {one["id"] for one in listed} == {answer.json["id"] for answer in answers if answer.status == 200}
    assert len(await api.events("customer.created")) == 3
    assert (await api.get("/v1/customers")).json["data"] == [], "nobody who was refused is anywhere else"


async def test_a_customer_that_is_deleted_makes_room_for_another(api: Api) -> None:
    id = (await clock(api))["id"]
    made = [await api.customer(f"test_clock={id}") for _ in range(3)]
    await api.refused("POST", "/v1/customers", f"test_clock={id}")
    await api.delete(f"/v1/customers/{made[0]['id']}")
    await api.customer(f"test_clock={id}")


async def test_with_the_clock_end_its_customers(api: Api) -> None:
    id = (await clock(api))["id"]
    under = [(await api.customer(f"test_clock={id}"))["id"] for _ in range(3)]
    free = (await api.customer())["id"]
    # Cash would keep a customer from being deleted by itself.
    await api.update(under[0], "cash_balance[settings][reconciliation_mode]=manual")
    await api.refused("DELETE", f"/v1/customers/{under[0]}")
    answer = await api.delete(f"{PATH}/{id}")
    assert (answer.status, answer.json) == (200, {"id": id, "object": "test_helpers.test_clock", "deleted": True})
    for customer in under:
        assert (await api.get(f"/v1/customers/{customer}")).json["deleted"] is True
    assert (await api.refused("GET", f"/v1/customers?test_clock={id}"))[:2] == ("resource_missing", "test_clock")
    assert (await api.get(f"/v1/customers/{free}")).json["id"] == free
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/advance")):
        body = f"frozen_time={FROZEN + 1}" if method == "POST" else ""
        assert await api.refused(method, f"{PATH}/{id}{path}", body, status=404) == (
            "resource_missing", "id", f"No such test clock: '{id}'",
        )  # fmt: skip
    assert (await api.refused("POST", "/v1/customers", f"test_clock={id}"))[:2] == ("resource_missing", "test_clock")
    events = await api.events("customer.deleted", "test_helpers.test_clock.deleted")
    assert sorted(event["data"]["object"]["id"] for event in events) == sorted([*under, id])
    assert len({event["request"]["id"] for event in events}) == 1, "one commit, one request"


async def test_nothing_under_a_clock_changes_while_it_moves(api: Api) -> None:
    id = (await clock(api))["id"]
    customer = (await api.customer(f"test_clock={id}&name=Ada"))["id"]
    await api.post(f"{PATH}/{id}/advance", f"frozen_time={FROZEN + DAY}")  # and nobody is there to do it
    for method, path, body in (
        ("POST", f"/v1/customers/{customer}", "name=Bob"),
        ("POST", f"/v1/customers/{customer}", "name=Bob&expand[]=sources"),
        ("DELETE", f"/v1/customers/{customer}", ""),
        ("POST", "/v1/customers", f"test_clock={id}"),
        ("POST", f"{PATH}/{id}/advance", f"frozen_time={FROZEN + 2 * DAY}"),
    ):
        answer = await api.ask(method, path, body or None)
        assert (answer.status, answer.error["code"]) == (429, "lock_timeout")
        assert answer.headers["Stripe-Should-Retry"] == "true"
    assert (await api.get(f"/v1/customers/{customer}")).json["name"] == "Ada"
    assert (await api.delete(f"{PATH}/{id}")).status == 200, "only to end it, nobody has to wait"
    assert (await api.get(f"/v1/customers/{customer}")).json["deleted"] is True


IMPOSSIBLE = [
    ("", "", "parameter_missing", "frozen_time"),
    ("", "frozen_time=", "parameter_invalid_integer", "frozen_time"),
    ("", "frozen_time=soon", "parameter_invalid_integer", "frozen_time"),
    ("", "frozen_time=1.5", "parameter_invalid_integer", "frozen_time"),
    ("", "frozen_time=-1", None, "frozen_time"),
    ("", "frozen_time=253402300800", None, "frozen_time"),
    ("", f"frozen_time=1&name={'x' * 301}", None, "name"),
    ("", "frozen_time=1&customer=", "parameter_invalid_empty", "customer"),
    ("", "frozen_time=1&customer=cus_x", "resource_missing", "customer"),
    ("", "frozen_time=1&status=ready", "parameter_unknown", "status"),
    ("", "frozen_time=1&expand[]=customers", None, "expand"),
    ("/advance", "", "parameter_missing", "frozen_time"),
    ("/advance", f"frozen_time={FROZEN}", None, "frozen_time"),
    ("/advance", f"frozen_time={FROZEN - 1}", None, "frozen_time"),
    ("/advance", "frozen_time=1640995201", None, "frozen_time"),  # 2022-01-01, and a second
    ("/advance", f"frozen_time={FROZEN + 1}&name=x", "parameter_unknown", "name"),
]


async def test_what_no_clock_can_do_is_refused(api: Api) -> None:
    made = await clock(api)
    for path, body, code, param in IMPOSSIBLE:
        url = f"{PATH}/{made['id']}{path}" if path else PATH
        assert (await api.refused("POST", url, body))[:2] == (code, param), body
    assert (await api.get(PATH)).json["data"] == [made]
    for path, status in (("", 404), ("/advance", 404)):
        method = "POST" if path else "GET"
        body = f"frozen_time={FROZEN}" if path else ""
        refused = await api.refused(method, f"{PATH}/clock_x{path}", body, status=status)
        assert refused == ("resource_missing", "id", "No such test clock: 'clock_x'")
    await api.refused("POST", f"{PATH}/{made['id']}", "name=x", status=404)  # a clock has no attributes to change


async def test_a_customers_clock_is_for_its_creation_only(api: Api) -> None:
    id = (await clock(api))["id"]
    customer = (await api.customer())["id"]
    for body, code in (("test_clock=", "parameter_invalid_empty"), ("test_clock=clock_x", "resource_missing")):
        assert (await api.refused("POST", "/v1/customers", body))[:2] == (code, "test_clock")
    refused = await api.refused("POST", f"/v1/customers/{customer}", f"test_clock={id}")
    assert refused[:2] == ("parameter_unknown", "test_clock")


async def test_clocks_are_for_test_mode_and_stay_in_their_account(api: Api) -> None:
    made = await clock(api)
    live = await api.issue(livemode=True)
    for method, path in (
        ("POST", PATH),
        ("GET", PATH),
        ("GET", f"{PATH}/{made['id']}"),
        ("DELETE", f"{PATH}/{made['id']}"),
        ("POST", f"{PATH}/{made['id']}/advance"),
    ):
        refused = await api.refused(method, path, f"frozen_time={FROZEN + 1}" if method == "POST" else "", key=live)
        assert refused[:2] == ("livemode_mismatch", None)
    body = f"test_clock={made['id']}"
    assert (await api.refused("POST", "/v1/customers", body, key=live))[:2] == ("resource_missing", "test_clock")
    stranger = await api.issue(account="acct_other")
    assert (await api.refused("POST", "/v1/customers", body, key=stranger))[:2] == ("resource_missing", "test_clock")
    assert (await api.refused("GET", f"{PATH}/{made['id']}", status=404, key=stranger))[0] == "resource_missing"
    assert (await api.refused("DELETE", f"{PATH}/{made['id']}", status=404, key=stranger))[0] == "resource_missing"
    reader = await api.issue(key_type="restricted", permissions=("test_clocks:read",))
    assert (await api.get(PATH, key=reader)).status == 200
    await api.refused("POST", PATH, f"frozen_time={FROZEN}", status=403, key=reader)


async def test_pages_of_clocks_turn(api: Api) -> None:
    ids = [(await clock(api))["id"] for _ in range(4)][::-1]

    async def page(query: str) -> tuple[list[str], bool]:
        shown = (await api.get(f"{PATH}?{query}")).json
        return [item["id"] for item in shown["data"]], shown["has_more"]

    assert await page("limit=3") == (ids[:3], True)
    assert await page(f"limit=3&starting_after={ids[2]}") == (ids[3:], False)
    assert await page(f"limit=1&ending_before={ids[2]}") == (ids[1:2], True)
    assert (await api.refused("GET", f"{PATH}?starting_after=clock_x"))[:2] == ("resource_missing", "starting_after")


async def test_a_clock_under_one_key_is_made_once(api: Api) -> None:
    first = await api.post(PATH, f"frozen_time={FROZEN}", Idempotency_Key="k")
    again = await api.post(PATH, f"frozen_time={FROZEN}", Idempotency_Key="k")
    assert (again.body, again.headers["Idempotent-Replayed"]) == (first.body, "true")
    assert len((await api.get(PATH)).json["data"]) == 1


async def test_clocks_serve_the_client_for_python(kept: Api) -> None:
    def begin(client: Any) -> Any:
        clocks = client.v1.test_helpers.test_clocks
        made = clocks.create({"frozen_time": FROZEN, "name": "Renewal"})
        assert type(made).__name__ == "TestClock"
        assert (made.frozen_time, made.name, made.status) == (FROZEN, "Renewal", "ready")
        assert clocks.retrieve(made.id) == made
        assert [one.id for one in clocks.list({"limit": 1}).data] == [made.id]
        customer = client.v1.customers.create({"test_clock": made.id})
        assert (customer.created, customer.test_clock) == (FROZEN, made.id)
        assert [one.id for one in client.v1.customers.list({"test_clock": made.id}).data] == [customer.id]
        moving = clocks.advance(made.id, {"frozen_time": FROZEN + DAY})
        assert (moving.status, moving.status_details.advancing.target_frozen_time) == ("advancing", FROZEN + DAY)
        return made.id, customer.id

    def finish(client: Any) -> None:
        clocks = client.v1.test_helpers.test_clocks
        assert clocks.retrieve(id).frozen_time == FROZEN + DAY
        gone = clocks.delete(id)
        assert (gone.id, gone.deleted) == (id, True)
        assert client.v1.customers.retrieve(customer).deleted

    id, customer = await run_script(kept, begin)
    await ready(kept, id)
    await run_script(kept, finish)


@pytest.mark.node
async def test_clocks_and_subscriptions_serve_the_client_for_node(kept: Api, node: Path) -> None:
    await node_client.run_script(node, "test_clocks.mjs", str(kept.port), kept.key)


async def test_what_is_due_of_a_customer_is_done_as_its_clock_passes_by(kept: Api) -> None:
    await kept.post("/v1/coupons", "id=MONTH&percent_off=10&duration=repeating&duration_in_months=1")
    id = (await clock(kept))["id"]
    customer = await kept.customer(f"test_clock={id}&coupon=MONTH")
    assert (customer["discount"]["start"], customer["discount"]["end"]) == (FROZEN, FROZEN + 31 * DAY)
    for day, left in ((30, True), (31, False)):
        await kept.post(f"{PATH}/{id}/advance", f"frozen_time={FROZEN + day * DAY}")
        await ready(kept, id)
        shown = (await kept.get(f"/v1/customers/{customer['id']}")).json
        assert (shown["discount"] is not None) is left, day
    [event] = await kept.events("customer.discount.deleted")
    assert event["request"] is None
    assert event["data"]["object"]["id"] == customer["discount"]["id"]


async def test_what_was_due_of_a_customer_follows_it_under_a_clock(kept: Api) -> None:
    await kept.post("/v1/coupons", "id=MONTH&percent_off=10&duration=repeating&duration_in_months=1")
    customer = await kept.customer("coupon=MONTH")
    end = customer["discount"]["end"]
    id = (await clock(kept, f"frozen_time={end - DAY}&customer={customer['id']}"))["id"]
    await kept.post(f"{PATH}/{id}/advance", f"frozen_time={end}")
    await ready(kept, id)
    assert (await kept.get(f"/v1/customers/{customer['id']}")).json["discount"] is None
