"""One endpoint's error is that endpoint's: whatever is stored of it, its lane alone is set aside, and workers go on."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import orjson
import pytest

from events.clock import SystemClock
from events.scope import Scope
from tests.servers.receiver import Receiver
from tests.waiting import until
from tests.webhooks.harness import MASTER_KEYS, WebhookHarness
from webhooks.dispatch import worker
from webhooks.endpoints import endpoint
from webhooks.endpoints.status import Statuses
from webhooks.outcome import Outcome
from webhooks.post.sender import Sender
from webhooks.queue.retry import Verdict, judge
from webhooks.queue.turn import Head, Result, result

SEALED = {b"\xff\xfe", b"", b"whsec_!!!"}
OF_ENDPOINTS = {
    "url = 'http://xn--a.com/'": "url_unreadable",
    "url = 'https://a]b[@'": "url_unreadable",
    "url = 'http://['": "url_unreadable",
    "url = 'https://example.com:99999/'": "url_unreadable",
    "url = 'ftp://example.com/'": "url_unreadable",
    "url = '\u00fc'": "url_unreadable",
    "url = ''": "url_unreadable",
    "secrets = ARRAY['\\x00'::bytea]": "secret_unreadable",
    "secrets = '{}'": "secret_unreadable",
    "secrets_until = '{1,2,3}'": "secret_unreadable",
    "rate_limit = 0": "rules_invalid",
    "rate_limit = -1": "rules_invalid",
    "rate_limit = 2147483647": "rules_invalid",
    "in_flight_max = 0": "rules_invalid",
    "in_flight_max = -5": "rules_invalid",  # of which no lane can be leased at all
    "in_flight_max = 2147483647": "rules_invalid",
}
OF_LANES = {
    "concurrency = 0": "state_invalid",
    "concurrency = -7": "state_invalid",
    "concurrency = 2147483647": "state_invalid",
    "open_s = -5": "state_invalid",
    "window_attempts = -1": "state_invalid",
    "failures_in_a_row = 2147483647": "state_invalid",
    "failing_since = '20000-01-01'": "state_invalid",
    "window_started_at = '200000-01-01'": "state_invalid",
    "paced_until = '20000-01-01', ready_at = now()": "state_invalid",
}


async def test_whatever_is_stored_of_an_endpoint_costs_nobody_else_anything(
    webhooks: WebhookHarness, receiver: Receiver
) -> None:
    broken: dict[str, tuple[str, str]] = {}
    sound = await webhooks.endpoint(receiver.url("/sound"), account="acct_sound")
    for table, changes in (("endpoint", OF_ENDPOINTS), ("lane", OF_LANES)):
        for change, reason in changes.items():
            account = f"acct_{len(broken)}"
            id = await webhooks.endpoint(receiver.url(f"/{len(broken)}"), account=account)
            await webhooks.notices(2, account=account)
            column = "id" if table == "endpoint" else "endpoint_id"
            broken[id] = (account, reason)
            await webhooks.catch_up()
            await webhooks.owner.execute(f"UPDATE webhooks.{table} SET {change} WHERE {column} = $1", id)
    for secret in SEALED:
        account = f"acct_{len(broken)}"
        id = await webhooks.endpoint(receiver.url(f"/{len(broken)}"), account=account)
        await webhooks.notices(2, account=account)
        broken[id] = (account, "secret_unreadable")
        sealed = MASTER_KEYS.seal(secret, endpoint.stream(id))
        await webhooks.owner.execute(
            "UPDATE webhooks.endpoint SET secrets = ARRAY[$2::bytea] WHERE id = $1", id, sealed
        )
    await webhooks.notices(3, account="acct_sound")
    await webhooks.catch_up()
    async with webhooks.working() as at_work:
        await until(lambda: len(receiver.requests) == 3, timeout_s=30)
        await until(partial(_all_aside, webhooks, list(broken)), timeout_s=30)
        await webhooks.notices(2, account="acct_sound")
        await webhooks.catch_up()
        await until(lambda: len(receiver.requests) == 5)
        assert {request.path for request in receiver.requests} == {"/sound"}
        reasons = {id: (await webhooks.lane(id))["set_aside"] for id in broken}
        assert reasons == {id: reason for id, (_, reason) in broken.items()}
        assert sum(at_work.metrics.set_aside.values()) >= len(broken)
        assert {id for _, id in await webhooks.deliveries()} == set(broken)
        assert await webhooks.owner.fetchval("SELECT max(attempts) FROM webhooks.delivery") == 0
        for id, (account, _) in broken.items():  # whatever an owner edits
            await webhooks.edit(id, account=account, description="edited")
        webhooks.bell.poke()
        await until(partial(_nothing_left, webhooks), timeout_s=30)
    assert len(receiver.requests) == 5 + 2 * len(broken)
    assert {attempt["endpoint_id"] for attempt in await webhooks.attempts()} == {sound, *broken}


async def test_a_result_that_a_statement_cannot_digest_keeps_no_other_from_being_recorded(
    webhooks: WebhookHarness, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd, *sound = [await webhooks.endpoint(receiver.url(f"/{n}")) for n in range(5)]

    def strange(head: Head, outcome: Outcome, verdict: Verdict, *rest: Any, **options: Any) -> Result:
        recorded = result(head, outcome, verdict, *rest, **options)
        return recorded._replace(status=2**40, excerpt=b"") if head.endpoint_id == odd else recorded

    monkeypatch.setattr(worker, "result", strange)
    await webhooks.notices(4)
    await webhooks.catch_up()
    async with webhooks.working() as at_work:
        await until(partial(_left_to, webhooks, {odd}))
        await until(partial(_all_aside, webhooks, [odd]))
        assert (await webhooks.lane(odd))["set_aside"] == "statement_failed"
        assert at_work.metrics.set_aside == {"statement_failed": 1}
    outcomes = {(attempt["endpoint_id"], attempt["outcome"]) for attempt in await webhooks.attempts()}
    assert outcomes == {(id, "delivered") for id in sound}


async def test_a_notice_that_cannot_be_rendered_is_its_own_deliverys_trouble(
    webhooks: WebhookHarness, receiver: Receiver
) -> None:
    await webhooks.endpoint(receiver.url("/hook"), api_version="2020-08-27")
    first, *_ = await webhooks.notices(3)
    await webhooks.owner.execute("UPDATE projections.notice SET body = '{broken' WHERE sequence = $1", first)
    await webhooks.catch_up()
    async with webhooks.working():
        await until(lambda: len(receiver.requests) == 2)
        await until(partial(_attempts, webhooks, 3))
    faults = {attempt["sequence"]: attempt["fault"] for attempt in await webhooks.attempts()}
    assert [sequence for sequence, fault in faults.items() if fault == "internal"] == [first]
    assert [sequence for sequence, _ in await webhooks.deliveries()] == [first]


async def test_what_raises_while_it_is_sent_or_judged_is_its_lanes_alone(
    webhooks: WebhookHarness, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd, sound = await webhooks.endpoint(receiver.url("/odd")), await webhooks.endpoint(receiver.url("/sound"))
    post = Sender.post

    async def breaks(self: Sender, url: str, *rest: Any, **options: Any) -> Outcome:
        if url.endswith("/odd"):
            raise RecursionError("of our own making")
        return await post(self, url, *rest, **options)

    def stumbles(outcome: Outcome, *rest: Any) -> Verdict:
        if outcome.fault == "internal":
            raise KeyError("of our own making")
        return judge(outcome, *rest)

    monkeypatch.setattr(Sender, "post", breaks)
    await webhooks.notices(2)
    await webhooks.catch_up()
    async with webhooks.working():
        await until(partial(_left_to, webhooks, {odd}))
        await until(partial(_attempts, webhooks, 4))
        monkeypatch.setattr(worker, "judge", stumbles)
        await webhooks.notices()
        await webhooks.catch_up()
        await until(partial(_all_aside, webhooks, [odd]))
        await until(partial(_left_to, webhooks, {odd}))
    assert (await webhooks.lane(odd))["set_aside"] == "internal"
    assert (await webhooks.lane(sound))["set_aside"] is None


async def test_an_operator_and_an_owner_see_that_a_lane_is_set_aside(webhooks: WebhookHarness) -> None:
    id = await webhooks.endpoint()
    await webhooks.owner.execute("UPDATE webhooks.endpoint SET url = 'http://xn--a.com/'")
    await webhooks.notices()
    await webhooks.catch_up()
    async with webhooks.working():
        await until(partial(_all_aside, webhooks, [id]))
    standing = (await Statuses(webhooks.pool, SystemClock()).of(Scope("acct_1", False), [id]))[id]
    assert (standing["set_aside"], standing["breaker"]) == ("url_unreadable", "open")
    assert standing["set_aside_reason"] == "Its URL cannot be parsed; update it."
    assert standing["failing_since"] is not None
    assert orjson.dumps(standing)


async def _all_aside(webhooks: WebhookHarness, ids: Sequence[str]) -> bool:
    ask = "SELECT count(*) FROM webhooks.lane WHERE endpoint_id = ANY ($1) AND set_aside IS NOT NULL AND lease IS NULL"
    count: int = await webhooks.owner.fetchval(ask, ids)
    return count == len(ids)


async def _left_to(webhooks: WebhookHarness, endpoints: set[str]) -> bool:
    return {endpoint for _, endpoint in await webhooks.deliveries()} == endpoints


async def _nothing_left(webhooks: WebhookHarness) -> bool:
    return not await webhooks.deliveries()


async def _attempts(webhooks: WebhookHarness, count: int) -> bool:
    return len(await webhooks.attempts()) == count
