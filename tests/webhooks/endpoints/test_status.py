"""How endpoints stand: up to where nothing is missing, and up to where nothing more is sent."""

from functools import partial
from typing import Any

from events.clock import SystemClock
from tests.servers.receiver import Answer, Receiver
from tests.waiting import until
from tests.webhooks.harness import ACCOUNT, Floor
from webhooks.endpoints.status import Statuses


async def standing(house: Floor, id: str) -> dict[str, Any]:
    return (await Statuses(house.pool, SystemClock()).of(ACCOUNT, False, [id]))[id]


async def positions(house: Floor, id: str) -> tuple[int, int]:
    shown = await standing(house, id)
    return shown["complete_up_to"], shown["settled_up_to"]


async def _done(house: Floor) -> bool:
    return not await house.deliveries()


async def _attempts(house: Floor, count: int) -> bool:
    return len(await house.attempts()) >= count


async def test_an_endpoint_is_complete_up_to_what_it_still_is_to_get(house: Floor, receiver: Receiver) -> None:
    id = await house.endpoint(receiver.url("/hook"))
    other = await house.endpoint(receiver.url("/other"))
    assert await positions(house, id) == (0, 0)
    made = await house.notices(3)
    assert await positions(house, id) == (0, 0), "what is not fanned out is to come"
    await house.catch_up()
    assert await positions(house, id) == (made[0] - 1,) * 2
    receiver.behave("/hook", Answer(), Answer(status=500), Answer())
    async with house.working():
        await until(partial(_attempts, house, 6))
    [(waiting, _)] = await house.deliveries()
    assert await positions(house, id) == (waiting - 1,) * 2
    assert await positions(house, other) == (made[-1],) * 2


async def test_what_was_given_up_is_settled_yet_not_complete_until_it_was_taken(
    house: Floor, receiver: Receiver
) -> None:
    id = await house.endpoint(receiver.url("/hook"))
    receiver.behave("/hook", Answer(status=410), Answer())
    [first] = await house.notices()
    await house.catch_up()
    async with house.working():
        await until(partial(_done, house))
        assert await positions(house, id) == (first - 1, first)
        shown = await standing(house, id)
        assert shown["failing_since"] is not None
        await house.edit(id, url=receiver.url("/hook?put=right"))
        await house.owner.fetch("SELECT webhooks.resend($1, $2)", id, first)
        house.bell.poke()
        await until(partial(_attempts, house, 2))
    assert await positions(house, id) == (first, first)


async def test_what_was_canceled_is_not_missed(house: Floor) -> None:
    id = await house.endpoint()
    [first] = await house.notices()
    await house.catch_up()
    await house.owner.fetch("SELECT webhooks.cancel($1, $2)", id, [first])
    assert await positions(house, id) == (first, first)


async def test_a_stopped_endpoint_is_complete_up_to_where_it_was_stopped(house: Floor, receiver: Receiver) -> None:
    id = await house.endpoint(receiver.url("/hook"))
    await house.edit(id, disabled=True)
    made = await house.notices(2)
    await house.catch_up()
    assert await positions(house, id) == (0, 0)
    assert (await standing(house, id))["status"] == "disabled"
    await house.resume(id)
    assert (await standing(house, id))["recovering"]
    async with house.working():
        await house.recover()
        await until(partial(_done, house))
    assert await positions(house, id) == (made[-1],) * 2
    assert not (await standing(house, id))["recovering"]


async def test_an_open_breaker_and_what_is_pending_and_held_show(house: Floor, receiver: Receiver) -> None:
    id = await house.endpoint(receiver.url("/hook"))
    await house.rule(id, order="customer", on_exhaustion="hold")
    receiver.behave("/hook", Answer(status=500))
    await house.happens_to(*[f"cus_{n}" for n in range(12)])
    await house.catch_up()
    async with house.working():
        await until(lambda: _open(house, id))
    await house.owner.execute("UPDATE webhooks.delivery SET held = true, due_at = 'infinity' WHERE sequence = 1")
    shown = await standing(house, id)
    assert (shown["breaker"], shown["pending_deliveries"], shown["held_deliveries"]) == ("open", 12, 1)
    assert shown["breaker_until"] - shown["failing_since"] >= 29
    await house.owner.execute("UPDATE webhooks.lane SET open_until = now()")
    assert (await standing(house, id))["breaker"] == "half_open"


async def _open(house: Floor, id: str) -> bool:
    return (await house.lane(id))["open_until"] is not None
