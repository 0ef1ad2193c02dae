"""How endpoints stand: up to where nothing is missing, and up to where nothing more is sent."""

from functools import partial
from typing import Any

from events.clock import SystemClock
from events.scope import Scope
from tests.servers.receiver import Answer, Receiver
from tests.waiting import until
from tests.webhooks.harness import ACCOUNT, WebhookHarness
from webhooks.endpoints.status import Statuses


async def standing(webhooks: WebhookHarness, id: str) -> dict[str, Any]:
    return (await Statuses(webhooks.pool, SystemClock()).of(Scope(ACCOUNT, False), [id]))[id]


async def positions(webhooks: WebhookHarness, id: str) -> tuple[int, int]:
    shown = await standing(webhooks, id)
    return shown["complete_up_to"], shown["settled_up_to"]


async def _done(webhooks: WebhookHarness) -> bool:
    return not await webhooks.deliveries()


async def _attempts(webhooks: WebhookHarness, count: int) -> bool:
    return len(await webhooks.attempts()) >= count


async def test_an_endpoint_is_complete_up_to_what_it_still_is_to_get(
    webhooks: WebhookHarness, receiver: Receiver
) -> None:
    id = await webhooks.endpoint(receiver.url("/hook"))
    other = await webhooks.endpoint(receiver.url("/other"))
    assert await positions(webhooks, id) == (0, 0)
    made = await webhooks.notices(3)
    assert await positions(webhooks, id) == (0, 0), "what is not fanned out is to come"
    await webhooks.catch_up()
    assert await positions(webhooks, id) == (made[0] - 1,) * 2
    receiver.behave("/hook", Answer(), Answer(status=500), Answer())
    async with webhooks.working():
        await until(partial(_attempts, webhooks, 6))
    [(waiting, _)] = await webhooks.deliveries()
    assert await positions(webhooks, id) == (waiting - 1,) * 2
    assert await positions(webhooks, other) == (made[-1],) * 2


async def test_what_was_given_up_is_settled_yet_not_complete_until_it_was_taken(
    webhooks: WebhookHarness, receiver: Receiver
) -> None:
    id = await webhooks.endpoint(receiver.url("/hook"))
    receiver.behave("/hook", Answer(status=410), Answer())
    [first] = await webhooks.notices()
    await webhooks.catch_up()
    async with webhooks.working():
        await until(partial(_done, webhooks))
        assert await positions(webhooks, id) == (first - 1, first)
        shown = await standing(webhooks, id)
        assert shown["failing_since"] is not None
        await webhooks.edit(id, url=receiver.url("/hook?put=right"))
        await webhooks.owner.fetch("SELECT webhooks.resend($1, $2)", id, first)
        webhooks.bell.poke()
        await until(partial(_attempts, webhooks, 2))
    assert await positions(webhooks, id) == (first, first)


async def test_what_was_canceled_is_not_missed(webhooks: WebhookHarness) -> None:
    id = await webhooks.endpoint()
    [first] = await webhooks.notices()
    await webhooks.catch_up()
    await webhooks.owner.fetch("SELECT webhooks.cancel($1, $2)", id, [first])
    assert await positions(webhooks, id) == (first, first)


async def test_a_stopped_endpoint_is_complete_up_to_where_it_was_stopped(
    webhooks: WebhookHarness, receiver: Receiver
) -> None:
    id = await webhooks.endpoint(receiver.url("/hook"))
    await webhooks.edit(id, disabled=True)
    made = await webhooks.notices(2)
    await webhooks.catch_up()
    assert await positions(webhooks, id) == (0, 0)
    assert (await standing(webhooks, id))["status"] == "disabled"
    await webhooks.resume(id)
    assert (await standing(webhooks, id))["recovering"]
    async with webhooks.working():
        await webhooks.recover()
        await until(partial(_done, webhooks))
    assert await positions(webhooks, id) == (made[-1],) * 2
    assert not (await standing(webhooks, id))["recovering"]


async def test_an_open_breaker_and_what_is_pending_and_held_show(webhooks: WebhookHarness, receiver: Receiver) -> None:
    id = await webhooks.endpoint(receiver.url("/hook"))
    await webhooks.rule(id, order="customer", on_exhaustion="hold")
    receiver.behave("/hook", Answer(status=500))
    await webhooks.happens_to(*[f"cus_{n}" for n in range(12)])
    await webhooks.catch_up()
    async with webhooks.working():
        await until(lambda: _open(webhooks, id))
    await webhooks.owner.execute("UPDATE webhooks.delivery SET held = true, due_at = 'infinity' WHERE sequence = 1")
    shown = await standing(webhooks, id)
    assert (shown["breaker"], shown["pending_deliveries"], shown["held_deliveries"]) == ("open", 12, 1)
    assert shown["breaker_until"] - shown["failing_since"] >= 29
    await webhooks.owner.execute("UPDATE webhooks.lane SET open_until = now()")
    assert (await standing(webhooks, id))["breaker"] == "half_open"


async def _open(webhooks: WebhookHarness, id: str) -> bool:
    return (await webhooks.lane(id))["open_until"] is not None
