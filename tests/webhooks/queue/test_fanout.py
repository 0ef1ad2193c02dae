"""Fan-out: who gets a notice, and that nobody gets it twice or not at all."""

import asyncio
import random
from datetime import timedelta

import pytest

from events.errors import ConstraintBroken
from tests.waiting import until
from tests.webhooks.harness import ACCOUNT, Floor
from webhooks.queue.fanout import FanOut

LIMIT = 16  # API reference: endpoints of an account in one mode


async def test_a_notice_goes_to_the_endpoints_that_named_its_type_or_all_types(house: Floor) -> None:
    every = await house.endpoint()
    one = await house.endpoint(events=["customer.deleted", "customer.created"])
    await house.endpoint(events=["customer.updated"])
    [sequence] = await house.notices(type="customer.created")
    assert await house.catch_up() == 2
    assert set(await house.deliveries()) == {(sequence, every), (sequence, one)}


async def test_neither_another_account_nor_the_other_mode_hears_of_it(house: Floor) -> None:
    await house.endpoint(account="acct_2")
    await house.endpoint(livemode=True)
    await house.notices()
    assert await house.catch_up() == 0


async def test_a_notice_named_twice_is_fanned_out_once(house: Floor) -> None:
    await house.endpoint()
    sequences = await house.notices(3)
    fan_out = FanOut(house.dsn)
    assert await fan_out.fan_out([*sequences, sequences[0]]) == 3
    assert await fan_out.fan_out(sequences) == 0
    assert await house.catch_up() == 0
    assert await fan_out.fan_out(sequences) == 0, "below the floor there are no marks, and nothing is made"
    assert len(await house.deliveries()) == 3
    await fan_out.close()


async def test_what_was_asked_for_before_it_was_fanned_out_hinders_no_other(house: Floor) -> None:
    id, other = await house.endpoint(), await house.endpoint()
    first, second = await house.notices(2)
    await house.owner.execute("SELECT webhooks.resend($1, $2)", id, second)
    assert await house.catch_up() == 3
    assert set(await house.deliveries()) == {(n, each) for n in (first, second) for each in (id, other)}


async def test_what_does_not_exist_yet_is_not_marked_as_done(house: Floor) -> None:
    await house.endpoint()
    [sequence] = await house.notices()
    fan_out = FanOut(house.dsn)
    assert await fan_out.fan_out([sequence + 1, sequence + 2]) == 0
    await house.notices(2)
    assert await fan_out.fan_out([sequence, sequence + 1, sequence + 2]) == 3
    await fan_out.close()


async def test_many_who_fan_out_at_once_make_each_delivery_once(house: Floor) -> None:
    endpoints = [await house.endpoint() for _ in range(3)]
    sequences = await house.notices(300)
    order = random.Random(7)

    async def from_the_queue() -> int:
        fan_out, made = FanOut(house.dsn), 0
        told = order.sample(sequences, len(sequences))
        for start in range(0, len(told), 20):
            made += await fan_out.fan_out(told[start : start + 20])
        await fan_out.close()
        return made

    async def from_the_log() -> int:
        return sum([await house.catch_up() for _ in range(20)])

    async def meanwhile() -> None:
        for _ in range(10):
            sequences.extend(await house.notices(5))

    more = asyncio.create_task(meanwhile())
    made = await asyncio.gather(*(from_the_queue() for _ in range(4)), from_the_log(), from_the_log())
    await more
    made.append(await house.catch_up())
    assert sum(made) == 350 * 3
    assert await house.deliveries() == sorted((n, id) for n in sequences for id in endpoints)
    assert await house.owner.fetchval("SELECT count(*) FROM webhooks.fanned_out") == 0
    assert await house.owner.fetchval("SELECT sequence FROM webhooks.floor") == sequences[-1]


async def test_lanes_are_woken_in_order_of_id_so_that_nobody_waits_in_a_ring(house: Floor) -> None:
    first, *others = sorted([await house.endpoint() for _ in range(8)])
    sequences = await house.notices()
    fan_out = FanOut(house.dsn)

    async def waits() -> bool:
        query = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND $1 = ANY (pg_blocking_pids(pid)))"
        return bool(await house.pool.fetchval(query, house.owner.get_server_pid()))

    async with house.owner.transaction():
        await house.owner.execute("SELECT FROM webhooks.lane WHERE endpoint_id = $1 FOR UPDATE", first)
        waking = asyncio.create_task(fan_out.fan_out(sequences))
        await until(waits)
        free = await house.pool.fetch("SELECT endpoint_id FROM webhooks.lane FOR UPDATE SKIP LOCKED")
    assert sorted(row["endpoint_id"] for row in free) == others
    assert await waking == 8
    await fan_out.close()


async def test_who_gets_a_notice_does_not_depend_on_when_it_is_fanned_out(house: Floor) -> None:
    await house.notices()  # before anybody listens
    id = await house.endpoint(events=["customer.created"])
    [while_enabled] = await house.notices()
    await house.edit(id, disabled=True)
    await house.notices(2)  # while it is disabled
    await house.edit(id, disabled=False)
    [enabled_again] = await house.notices()
    await house.edit(id, enabled_events=("customer.deleted",))
    await house.notices()  # no longer wanted
    [other_type] = await house.notices(type="customer.deleted")
    await house.catch_up()
    assert [n for n, _ in await house.deliveries()] == [while_enabled, enabled_again, other_type]


async def test_an_edit_of_anything_else_leaves_what_it_wants_alone(house: Floor) -> None:
    id = await house.endpoint()
    await house.notices()
    await house.edit(id, url="https://example.org/other", description="moved")
    await house.notices()
    assert await house.catch_up() == 2


async def test_a_deleted_endpoint_gets_nothing_and_is_swept_away(house: Floor) -> None:
    id, other = await house.endpoint(), await house.endpoint()
    await house.notices(5)
    await house.catch_up()
    await house.notices(5)
    await house.delete(id)
    fan_out = FanOut(house.dsn)
    assert await fan_out.sweep(3) == 3
    assert await house.catch_up() == 5, "the other one's"
    assert await fan_out.sweep(3) == 2
    assert await fan_out.sweep(3) == 0
    assert {endpoint for _, endpoint in await house.deliveries()} == {other}
    assert await house.lane(id) is None
    await fan_out.close()


async def test_the_log_is_given_time_before_it_is_gone_around(house: Floor) -> None:
    await house.endpoint()
    first, second, third = await house.notices(3)
    fan_out = FanOut(house.dsn)
    await fan_out.fan_out([first, third])
    assert await house.catch_up(delay_s=60) == 0
    assert await house.owner.fetchval("SELECT sequence FROM webhooks.floor") == first
    assert await house.catch_up(delay_s=0.000_001) == 1, "a time that is over by now"
    assert [n for n, _ in await house.deliveries()] == [first, second, third]
    assert await house.owner.fetchval("SELECT sequence FROM webhooks.floor") == third
    await fan_out.close()


async def test_one_more_endpoint_than_the_limit_is_refused_and_its_neighbours_are_not(house: Floor) -> None:
    await asyncio.gather(*(house.endpoint() for _ in range(LIMIT - 1)))
    gone = await house.endpoint()
    others = asyncio.gather(*(house.endpoint(account=f"acct_{n}") for n in range(2, 6)))
    with pytest.raises(ConstraintBroken, match="webhook_endpoint_limit"):
        await house.endpoint()
    assert len(await others) == 4
    await house.endpoint(livemode=True)
    await house.delete(gone)
    await house.endpoint()


async def test_pending_counts_those_who_will_want_it_then_those_who_have_not_taken_it(house: Floor) -> None:
    ids = [await house.endpoint() for _ in range(3)]
    await house.endpoint(events=["customer.deleted"])
    [sequence] = await house.notices()

    async def pending() -> int:
        ask = "SELECT webhooks.pending($1, $2, false, 'customer.created')"
        count: int = await house.owner.fetchval(ask, sequence, ACCOUNT)
        return count

    assert await pending() == 3
    await house.catch_up()
    assert await pending() == 3
    await house.owner.execute("DELETE FROM webhooks.delivery WHERE endpoint_id = $1", ids[0])
    assert await pending() == 2
    await house.delete(ids[1])
    assert await pending() == 1


async def test_writing_the_rows_again_changes_nothing(house: Floor) -> None:
    id = await house.endpoint()
    [sequence] = await house.notices()
    await house.owner.execute(
        """
        CREATE TEMP TABLE kept AS SELECT * FROM projections.resource;
        DELETE FROM projections.resource;
        INSERT INTO projections.resource SELECT * FROM kept;
        """
    )
    await house.catch_up()
    assert await house.deliveries() == [(sequence, id)]


async def many_endpoints(house: Floor, account: str, count: int) -> None:
    """Have one endpoint, and so many more like it."""
    id = await house.endpoint(account=account)
    await house.owner.execute(
        "INSERT INTO webhooks.interest (endpoint_id, account, livemode, above, enabled_events) "
        "SELECT 'we_' || n, account, livemode, above, enabled_events "
        "FROM webhooks.interest, generate_series(1, $2) AS n WHERE endpoint_id = $1",
        id,
        count - 1,
    )


async def test_what_is_much_for_one_account_is_fanned_out_in_parts_and_others_do_not_wait(house: Floor) -> None:
    await many_endpoints(house, "acct_many", 6_000)
    one = await house.endpoint(account="acct_one")
    many = await house.notices(4, account="acct_many")
    [last] = await house.notices(account="acct_one")
    fan_out = FanOut(house.dsn)
    assert await fan_out.fan_out([*many, last]) == 12_001, "two of the many, and that of the other account"
    assert (last, one) in await house.deliveries()
    assert await fan_out.fan_out([*many, last]) == 12_000, "the rest"
    assert await fan_out.fan_out([*many, last]) == 0
    await fan_out.close()


async def test_along_the_log_too_others_do_not_wait_for_what_is_much_for_one_account(house: Floor) -> None:
    await many_endpoints(house, "acct_many", 6_000)
    one = await house.endpoint(account="acct_one")
    await house.notices(4, account="acct_many")
    [last] = await house.notices(account="acct_one")
    fan_out = FanOut(house.dsn)
    step = await fan_out.catch_up(timedelta(0), 500)
    assert (step.passed, step.missed, step.made) == (2, 2, 12_000), "no more in one transaction"
    assert await fan_out.look_ahead(500) == 12_001
    assert (last, one) in await house.deliveries()
    await fan_out.close()
    assert await house.catch_up() == 0
    assert await house.owner.fetchval("SELECT sequence FROM webhooks.floor") == last
