"""Workers: what they send, to whom, how often, and what they leave behind."""

from collections.abc import AsyncIterator

import orjson
import pytest

from tests.servers.receiver import Receiver
from tests.waiting import until
from tests.webhooks.floor import Floor, floor
from webhooks import signature


@pytest.fixture
async def house(database: str) -> AsyncIterator[Floor]:
    async with floor(database) as built:
        yield built


async def test_a_notice_is_delivered_signed_and_gone(house: Floor, receiver: Receiver) -> None:
    id = await house.endpoint(receiver.url("/hook"))
    [sequence] = await house.notices()
    await house.catch_up()
    async with house.working():
        [sent] = await receiver.wait_for(1, "/hook")
        await until(lambda: _none(house))
    told = orjson.loads(sent.body)
    signature.verify(
        sent.body,
        sent.headers["Stripe-Signature"],
        await house.secret(id),
        now=int(sent.headers["webhook-timestamp"]),
    )
    assert sent.headers["webhook-id"] == told["id"]
    assert told["pending_webhooks"] == 1
    [attempt] = await house.attempts()
    assert (attempt["sequence"], attempt["endpoint_id"], attempt["attempt"]) == (sequence, id, 1)
    assert (attempt["outcome"], attempt["status"], attempt["next_at"]) == ("delivered", 200, None)
    lane = await house.lane(id)
    assert lane["lease"] is None


async def _none(house: Floor) -> bool:
    return not await house.deliveries()
