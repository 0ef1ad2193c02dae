"""The feed over the wire: read on from a position, waited for, and never with a gap."""

import asyncio
import socket
import struct
from dataclasses import replace
from typing import Any

import asyncpg
import orjson
import pytest

from events.scope import Scope
from service.commands.keys import DEVELOPMENT_KEY
from tests.service.http import raw
from tests.service.serving import Answer, Api, Launch, Serve
from tests.waiting import until
from webhooks.feed.feed import Feed

FEED = "/v1/rollbook/feed"


async def feed(api: Api, query: str = "after=0", **headers: Any) -> Answer:
    answer = await api.get(f"{FEED}?{query}", **headers)
    assert answer.status == 200, answer.body
    assert answer.headers["Content-Type"] == "application/x-ndjson"
    return answer


def lines(answer: Answer) -> list[Any]:
    return [orjson.loads(line) for line in answer.body.splitlines()]


def types(answer: Answer) -> list[str]:
    return [line["event"]["type"] for line in lines(answer)]


def reached(answer: Answer) -> int:
    return int(answer.headers["Rollbook-Position"])


async def waiting(api: Api, count: int) -> None:
    async def so_many() -> bool:
        return f"service_feed_waiting {count}.0" in (await api.get("/metrics")).body.decode()

    await until(so_many)


async def test_each_line_is_a_notice_as_the_api_shows_it_with_its_position(api: Api) -> None:
    customer = await api.customer("name=Line%0Abreak")
    await api.update(customer["id"], "email=a@b.co")
    await api.delete(f"/v1/customers/{customer['id']}")
    answer = await feed(api)
    assert types(answer) == ["customer.created", "customer.updated", "customer.deleted"]
    assert [line["position"] for line in lines(answer)] == [1, 2, 3]
    assert reached(answer) == 3
    for line in lines(answer):
        assert line["event"] == (await api.get(f"/v1/events/{line['event']['id']}")).json


async def test_what_is_read_in_portions_is_all_there_once(api: Api) -> None:
    for _ in range(7):
        await api.customer()
    position, found = 0, list[int]()
    while portion := lines(answer := await feed(api, f"after={position}&limit=3")):
        assert len(portion) <= 3
        found.extend(line["position"] for line in portion)
        position = reached(answer)
    assert found == list(range(1, 8))


async def test_without_a_position_the_feed_begins_at_the_present(api: Api) -> None:
    await api.customer()
    answer = await feed(api, "")
    assert (answer.body, reached(answer)) == (b"", 1)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("types=customer.updated", ["customer.updated"]),
        ("types=coupon.*", ["coupon.created"]),
        ("types=customer.updated,coupon.created", ["customer.updated", "coupon.created"]),
        ("types[]=coupon.*&types[]=customer.created", ["customer.created", "coupon.created"]),
        ("types=*", ["customer.created", "customer.updated", "coupon.created"]),
        ("types=charge.*", []),
    ],
)
async def test_only_the_types_that_were_asked_for_are_sent(api: Api, query: str, found: list[str]) -> None:
    customer = await api.customer()
    await api.update(customer["id"], "name=Ada")
    await api.post("/v1/coupons", "percent_off=10")
    answer = await feed(api, f"after=0&{query}")
    assert types(answer) == found
    assert reached(answer) == 3, "what was left out is passed over"


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("types=customer.cretaed", "types"),
        ("types=nothing.*", "types"),
        ("types=", "types"),
        ("after=-1", "after"),
        ("limit=1001", "limit"),
        ("wait=61", "wait"),
    ],
)
async def test_what_makes_no_sense_is_refused(api: Api, query: str, param: str) -> None:
    _, blamed, _ = await api.refused("GET", f"{FEED}?{query}")
    assert blamed == param


async def test_a_request_waits_for_the_first_notice_from_whichever_process(serve: Serve) -> None:
    api, other = await serve(), await serve()
    patient = asyncio.create_task(feed(api, "after=0&wait=60"))
    await waiting(api, 1)
    customer = await other.customer()
    answer = await patient
    assert [line["event"]["data"]["object"]["id"] for line in lines(answer)] == [customer["id"]]
    await waiting(api, 0)


async def test_many_wait_each_for_their_own(api: Api) -> None:
    stranger, live = await api.issue(account="acct_other"), await api.issue(livemode=True)
    asked = {
        "all": asyncio.create_task(feed(api, "after=0&wait=60")),
        "coupons": asyncio.create_task(feed(api, "after=0&wait=60&types=coupon.*")),
        "stranger": asyncio.create_task(feed(api, "after=0&wait=60", key=stranger)),
        "live": asyncio.create_task(feed(api, "after=0&wait=60", key=live)),
    }
    await waiting(api, 4)
    await api.customer()
    assert types(await asked["all"]) == ["customer.created"]
    await waiting(api, 3)
    await api.post("/v1/coupons", "percent_off=10")
    assert types(await asked["coupons"]) == ["coupon.created"]
    await api.customer(key=live)
    assert [line["event"]["livemode"] for line in lines(await asked["live"])] == [True]
    await waiting(api, 1)
    await api.customer(key=stranger)
    answer = await asked["stranger"]
    assert (types(answer), reached(answer)) == (["customer.created"], 4)


async def test_a_wait_that_ends_without_events_is_answered_with_the_position_of_the_feed(api: Api) -> None:
    stranger = await api.issue(account="acct_other")

    async def in_vain(wait: int) -> tuple[bool, Answer]:
        """What is answered, and whether there was time to publish something meanwhile."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + wait
        patient = asyncio.create_task(feed(api, f"after=0&wait={wait}", key=stranger))
        await waiting(api, 1)
        await api.customer()
        return loop.time() < until_s - 0.5, await patient

    position, (in_time, answer) = 1, await in_vain(2)
    if not in_time:  # the machine is busy
        position, (_, answer) = 2, await in_vain(20)
    assert (answer.body, reached(answer)) == (b"", position)


async def test_a_position_whose_events_are_gone_is_refused_with_the_oldest_there_is(api: Api, database: str) -> None:
    for _ in range(5):
        await api.customer()
    await _forget(database, upto=3)
    answer = await api.get(f"{FEED}?after=2")
    assert (answer.status, answer.error["param"]) == (400, "after")
    assert "after position 2 are no longer stored" in answer.error["message"]
    oldest = answer.headers["Rollbook-Oldest-Position"]
    assert oldest == "3"
    assert [line["position"] for line in lines(await feed(api, f"after={oldest}"))] == [4, 5]
    await _forget(database, upto=5)
    assert (await api.get(f"{FEED}?after=4")).headers["Rollbook-Oldest-Position"] == "5"
    assert reached(await feed(api, "after=5")) == 5


async def test_a_position_that_is_not_there_yet_is_refused(api: Api) -> None:
    await api.customer()
    _, param, message = await api.refused("GET", f"{FEED}?after=2&wait=60")
    assert (param, message) == ("after", "Position 2 does not exist yet: the last one is 1.")


async def test_a_key_needs_the_right_to_read_events(api: Api) -> None:
    assert (
        await api.get(FEED, key=await api.issue(key_type="restricted", permissions=("customers:read",)))
    ).status == 403
    assert (await api.get(FEED, key=await api.issue(key_type="restricted", permissions=("events:read",)))).status == 200


async def test_an_older_version_reads_the_same_lines(api: Api) -> None:
    await api.customer()
    assert (await feed(api, Stripe_Version="2024-06-20")).body == (await feed(api)).body


async def test_a_service_that_stops_lets_go_who_waits(api: Api, launch: Launch) -> None:
    process = await launch("api")
    elsewhere = replace(api, port=process.port, key=DEVELOPMENT_KEY)
    patient = asyncio.create_task(feed(elsewhere, "after=0&wait=60"))
    await waiting(elsewhere, 1)
    process.process.terminate()
    async with asyncio.timeout(30):
        assert (await patient).body == b""
        assert await process.process.wait() == 0


async def _forget(database: str, *, upto: int) -> None:
    owner = await asyncpg.connect(database)
    await owner.execute("DELETE FROM projections.notice WHERE sequence <= $1", upto)
    await owner.close()


@pytest.mark.parametrize("end", ["close", "reset", "half"])
async def test_a_client_that_disconnects_waits_no_longer(serve: Serve, end: str) -> None:
    api = await serve(feed_key_waiting_max=1)
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(raw.head(api, f"GET {FEED}?after=0&wait=60 HTTP/1.1"))
    await waiting(api, 1)
    if end == "half":
        writer.write_eof()
        answer = await raw.answer(reader)
        assert (answer.status, answer.body, answer.headers["rollbook-position"]) == (200, b"", "0")
    elif end == "reset":
        linger = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.close()
    await waiting(api, 0)
    next_one = asyncio.create_task(feed(api, "after=0&wait=60"))
    await waiting(api, 1)
    await api.customer()
    assert types(await next_one) == ["customer.created"]
    assert 'route="feed.read",status="500"' not in (await api.get("/metrics")).body.decode()


async def test_of_an_account_four_read_at_once_and_others_do_not_wait_for_them(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger = await api.issue(account="acct_other")
    reading, most, go_on = 0, 0, asyncio.Event()
    read = Feed._read

    async def slowly(self: Feed, scope: Scope, *arguments: Any) -> Any:
        nonlocal reading, most
        if scope.account == "acct_other":
            return await read(self, scope, *arguments)
        reading += 1
        most = max(most, reading)
        await go_on.wait()
        reading -= 1
        return await read(self, scope, *arguments)

    monkeypatch.setattr(Feed, "_read", slowly)

    async def in_flight() -> bool:
        value = api.core.metrics.registry.get_sample_value("service_requests_in_flight")
        return value == 10

    asked = [asyncio.create_task(feed(api)) for _ in range(10)]
    await until(in_flight)
    assert reached(await feed(api, key=stranger)) == 0
    assert reading == 4
    go_on.set()
    await asyncio.gather(*asked)
    assert most == 4


async def test_those_who_wait_do_not_keep_others_from_reading(api: Api) -> None:
    patient = [asyncio.create_task(feed(api, "after=0&wait=60")) for _ in range(6)]
    await waiting(api, 6)
    assert reached(await feed(api)) == 0
    await api.customer()
    assert [types(answer) for answer in await asyncio.gather(*patient)] == [["customer.created"]] * 6
