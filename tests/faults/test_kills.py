"""kill -9 of each part in the middle of load: acknowledged = stored = published = delivered."""

import asyncio
import time
from collections import Counter

import asyncpg
import pytest

from events import chain
from events.log import record_of
from tests.faults.deployment import Deployment, Load, Subscriber, account, delivered
from tests.servers.receiver import Receiver
from tests.waiting import until

pytestmark = [pytest.mark.faults, pytest.mark.rabbitmq, pytest.mark.timeout(600)]

PARTS = ("api", "relay", "worker", "postgres", "rabbit")
CUSTOMERS = 120  # for each of them
BEFORE_THE_KILL = 30  # customers
QUEUES_SETTLED_S = 2.5  # see PrivateRabbit.kill9
# What may be sent again after a kill is what one part had in flight: of them all, the relay has most.
REPEATED_MAX = 200


async def test_nothing_acknowledged_is_lost_whichever_part_is_killed(
    deployment: Deployment, receiver: Receiver
) -> None:
    subscriber = Subscriber(deployment.amqp_url, "faults.subscriber")
    listening = asyncio.create_task(subscriber.run())
    acknowledged: list[str] = []
    try:
        await asyncio.wait_for(subscriber.listening.wait(), 30)
        declared = time.monotonic()
        await deployment.register(receiver.url("/hook"))
        await until(lambda: time.monotonic() - declared >= QUEUES_SETTLED_S)
        for part in PARTS:
            await kill_under_load(deployment, part, subscriber, receiver, acknowledged)
        firsts = list(dict.fromkeys(subscriber.sequences))
        assert firsts == sorted(firsts), "first seen in log order"

        async def nothing_pending() -> bool:
            return (await account(deployment.dsn)).pending == 0

        await until(nothing_pending, timeout_s=60)
        positions = (await account(deployment.dsn)).positions
        assert positions == list(range(1, len(positions) + 1)), "positions have no gap"
        assert await broken_chains(deployment.dsn) == []
    finally:
        listening.cancel()


async def kill_under_load(
    deployment: Deployment, part: str, subscriber: Subscriber, receiver: Receiver, acknowledged: list[str]
) -> None:
    """Kill a part while customers are made and changed, and look for each of them, and of those `acknowledged` before.

    The new ones are added to these.
    """
    before = repeated(subscriber.got), repeated(delivered(receiver, "/hook"))
    load = Load(deployment)
    working = asyncio.create_task(load.run(CUSTOMERS))
    await until(lambda: len(load.created) >= BEFORE_THE_KILL, timeout_s=60)
    assert not working.done(), f"{part} is killed in the middle of load"
    await deployment.kill9_and_restart(part)
    await asyncio.wait_for(working, 90)
    assert len(load.created) == load.updated == CUSTOMERS
    acknowledged += load.created

    stored = await account(deployment.dsn)
    assert len(acknowledged) == len(set(acknowledged))
    assert set(acknowledged) == stored.customers, f"{part}: acknowledged = stored, and nothing else"
    expected = set(stored.notices)
    assert len(stored.notices) == len(expected) == 2 * len(acknowledged), f"{part}: each change was made once"

    await until(lambda: set(subscriber.got) >= expected, timeout_s=60)
    await until(lambda: set(delivered(receiver, "/hook")) >= expected, timeout_s=60)
    assert set(subscriber.got) == expected, f"{part}: stored = published"
    assert set(delivered(receiver, "/hook")) == expected, f"{part}: stored = delivered"
    again = repeated(subscriber.got) - before[0], repeated(delivered(receiver, "/hook")) - before[1]
    print(f"{part}: published again {again[0]}, delivered again {again[1]}")
    assert max(again) <= REPEATED_MAX


def repeated(got: Counter[str]) -> int:
    """How many times something came again."""
    return got.total() - len(got)


async def broken_chains(dsn: str) -> list[str]:
    """Streams whose hashes do not chain."""
    connection = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetch("SELECT * FROM events.log ORDER BY stream, version")
    finally:
        await connection.close()
    streams: dict[str, list[asyncpg.Record]] = {}
    for row in rows:
        streams.setdefault(row["stream"], []).append(row)
    return [stream for stream, records in streams.items() if chain.first_break(map(record_of, records)) is not None]
