"""Many updates of one customer at once: each is applied or answered 409, and none is lost."""

import asyncio

import asyncpg
import orjson
import pytest

from events import stream_locks
from tests.service.http.blocked_appends import appends_blocked, until_blocked
from tests.service.serving import Api, Serve


@pytest.mark.parametrize("processes", [1, 2])
async def test_a_hundred_updates_at_once_are_all_applied_one_after_the_other(
    serve: Serve, database: str, processes: int
) -> None:
    apis = [await serve() for _ in range(processes)]
    made = await apis[0].customer("description=start")
    path = f"/v1/customers/{made['id']}"
    answers = await asyncio.gather(
        *(apis[n % processes].post(path, f"description=d{n}&metadata[k{n % 50}]={n}") for n in range(100))
    )
    assert {answer.status for answer in answers} <= {200, 429}
    for answer in answers:
        if answer.status == 429:
            assert answer.error["code"] == "lock_timeout"
            assert answer.headers["Stripe-Should-Retry"] == "true"
    applied = {answer.json["description"] for answer in answers if answer.status == 200}
    if processes == 1:
        assert len(applied) == 100
    connection = await asyncpg.connect(database)
    events = [orjson.loads(row["body"]) for row in await connection.fetch(
        "SELECT body FROM projections.notice WHERE type = 'customer.updated' ORDER BY sequence"
    )]  # fmt: skip
    await connection.close()
    assert [event["data"]["object"]["description"] for event in events].count("start") == 0
    assert {event["data"]["object"]["description"] for event in events} == applied
    assert len(events) == len(applied)
    descriptions = ["start", *(event["data"]["object"]["description"] for event in events)]
    assert [event["data"]["previous_attributes"]["description"] for event in events] == descriptions[:-1], (
        "no update lost"
    )
    final = (await apis[0].get(path)).json
    expected: dict[str, str] = {}
    for description in descriptions[1:]:
        number = int(description[1:])
        expected[f"k{number % 50}"] = str(number)
    assert final["metadata"] == expected


async def test_a_customer_that_is_busy_for_too_long_is_worth_another_try(
    api: Api, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await api.customer()
    path = f"/v1/customers/{made['id']}"
    monkeypatch.setattr(stream_locks, "LOCK_TIMEOUT_S", 0.02)
    async with appends_blocked(database) as blocker:
        first = asyncio.create_task(api.post(path, "name=x"))
        await until_blocked(blocker)
        answer = await api.post(path, "name=y", Idempotency_Key="k")
        assert (answer.status, answer.error["code"]) == (429, "lock_timeout")
        assert answer.headers["Stripe-Should-Retry"] == "true"
        assert answer.headers["Stripe-Rate-Limited-Reason"] == "resource-specific"
    assert (await first).status == 200
    again = await api.post(path, "name=y", Idempotency_Key="k")
    assert (again.status, again.json["name"]) == (200, "y"), "a passing trouble is no answer to keep"
