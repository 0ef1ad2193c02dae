"""Fan-out: who gets a notice, and that nobody gets it twice or not at all."""

import asyncio
import random
from datetime import timedelta

import pytest

from events.errors import ConstraintBroken
from tests.waiting import until
from tests.webhooks.harness import ACCOUNT, WebhookHarness
from webhooks.queue.fanout import FanOut

LIMIT = 16  # API reference: endpoints of an account in one mode


async def test_a_notice_goes_to_the_endpoints_that_named_its_type_or_all_types(webhooks: WebhookHarness) -> None:
    every = await webhooks.endpoint()
    one = await webhooks.endpoint(events=["customer.deleted", "customer.created"])
    await webhooks.endpoint(events=["customer.updated"])
    [sequence] = await webhooks.notices(type="customer.created")
    assert await webhooks.catch_up() == 2
    assert set(await webhooks.deliveries()) == {(sequence, every), (sequence, one)}


async def test_neither_another_account_nor_the_other_mode_hears_of_it(webhooks: WebhookHarness) -> None:
    await webhooks.endpoint(account="acct_2")
    await webhooks.endpoint(livemode=True)
    await webhooks.notices()
    assert await webhooks.catch_up() == 0


async def test_a_notice_named_twice_is_fanned_out_once(webhooks: WebhookHarness) -> None:
    await webhooks.endpoint()
    sequences = await webhooks.notices(3)
    fan_out = FanOut(webhooks.dsn)
    assert await fan_out.fan_out([*sequences, sequences[0]]) == 3
    assert await fan_out.fan_out(sequences) == 0
    assert await webhooks.catch_up() == 0
    assert await fan_out.fan_out(sequences) == 0, "below the watermark there are no marks, and nothing is made"
    assert len(await webhooks.deliveries()) == 3
    await fan_out.close()


async def test_what_was_asked_for_before_it_was_fanned_out_hinders_no_other(webhooks: WebhookHarness) -> None:
    id, other = await webhooks.endpoint(), await webhooks.endpoint()
    first, second = await webhooks.notices(2)
    await webhooks.owner.execute("SELECT webhooks.resend($1, $2)", id, second)
    assert await webhooks.catch_up() == 3
    assert set(await webhooks.deliveries()) == {(n, each) for n in (first, second) for each in (id, other)}


async def test_what_does_not_exist_yet_is_not_marked_as_done(webhooks: WebhookHarness) -> None:
    await webhooks.endpoint()
    [sequence] = await webhooks.notices()
    fan_out = FanOut(webhooks.dsn)
    assert await fan_out.fan_out([sequence + 1, sequence + 2]) == 0
    await webhooks.notices(2)
    assert await fan_out.fan_out([sequence, sequence + 1, sequence + 2]) == 3
    await fan_out.close()


async def test_many_who_fan_out_at_once_make_each_delivery_once(webhooks: WebhookHarness) -> None:
    endpoints = [await webhooks.endpoint() for _ in range(3)]
    sequences = await webhooks.notices(300)
    order = random.Random(7)

    async def from_the_queue() -> int:
        fan_out, made = FanOut(webhooks.dsn), 0
        shuffled = order.sample(sequences, len(sequences))
        for start in range(0, len(shuffled), 20):
            made += await fan_out.fan_out(shuffled[start : start + 20])
        await fan_out.close()
        return made

    async def from_the_log() -> int:
        return sum([await webhooks.catch_up() for _ in range(20)])

    async def meanwhile() -> None:
        for _ in range(10):
            sequences.extend(await webhooks.notices(5))

    more = asyncio.create_task(meanwhile())
    made = await asyncio.gather(*(from_the_queue() for _ in range(4)), from_the_log(), from_the_log())
    await more
    made.append(await webhooks.catch_up())
    assert sum(made) == 350 * 3
    assert await webhooks.deliveries() == sorted((n, id) for n in sequences for id in endpoints)
    assert await webhooks.owner.fetchval("SELECT count(*) FROM webhooks.fanned_out") == 0
    assert await webhooks.owner.fetchval("SELECT sequence FROM webhooks.watermark") == sequences[-1]


async def test_lanes_are_woken_in_order_of_id_so_that_nobody_waits_in_a_ring(webhooks: WebhookHarness) -> None:
    first, *others = sorted([await webhooks.endpoint() for _ in range(8)])
    sequences = await webhooks.notices()
    fan_out = FanOut(webhooks.dsn)

    async def waits() -> bool:
        query = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND $1 = ANY (pg_blocking_pids(pid)))"
        return bool(await webhooks.pool.fetchval(query, webhooks.owner.get_server_pid()))

    async with webhooks.owner.transaction():
        await webhooks.owner.execute("SELECT FROM webhooks.lane WHERE endpoint_id = $1 FOR UPDATE", first)
        waking = asyncio.create_task(fan_out.fan_out(sequences))
        await until(waits)
        free = await webhooks.pool.fetch("SELECT endpoint_id FROM webhooks.lane FOR UPDATE SKIP LOCKED")
    assert sorted(row["endpoint_id"] for row in free) == others
    assert await waking == 8
    await fan_out.close()


async def test_who_gets_a_notice_does_not_depend_on_when_it_is_fanned_out(webhooks: WebhookHarness) -> None:
    await webhooks.notices()  # before anybody listens
    id = await webhooks.endpoint(events=["customer.created"])
    [while_enabled] = await webhooks.notices()
    await webhooks.edit(id, disabled=True)
    await webhooks.notices(2)  # while it is disabled
    await webhooks.edit(id, disabled=False)
    [enabled_again] = await webhooks.notices()
    await webhooks.edit(id, enabled_events=("customer.deleted",))
    await webhooks.notices()  # no longer wanted
    [other_type] = await webhooks.notices(type="customer.deleted")
    await webhooks.catch_up()
    assert [n for n, _ in await webhooks.deliveries()] == [while_enabled, enabled_again, other_type]


async def test_an_edit_of_anything_else_leaves_what_it_wants_alone(webhooks: WebhookHarness) -> None:
    id = await webhooks.endpoint()
    await webhooks.notices()
    await webhooks.edit(id, url="https://example.org/other", description="moved")
    await webhooks.notices()
    assert await webhooks.catch_up() == 2


async def test_a_deleted_endpoint_gets_nothing_and_is_swept_away(webhooks: WebhookHarness) -> None:
    id, other = await webhooks.endpoint(), await webhooks.endpoint()
    await webhooks.notices(5)
    await webhooks.catch_up()
    await webhooks.notices(5)
    await webhooks.delete(id)
    fan_out = FanOut(webhooks.dsn)
    assert await fan_out.sweep(3) == 3
    assert await webhooks.catch_up() == 5, "the other one's"
    assert await fan_out.sweep(3) == 2
    assert await fan_out.sweep(3) == 0
    assert {endpoint for _, endpoint in await webhooks.deliveries()} == {other}
    assert await webhooks.lane(id) is None
    await fan_out.close()


async def test_the_log_is_given_time_before_it_is_gone_around(webhooks: WebhookHarness) -> None:
    await webhooks.endpoint()
    first, second, third = await webhooks.notices(3)
    fan_out = FanOut(webhooks.dsn)
    await fan_out.fan_out([first, third])
    assert await webhooks.catch_up(delay_s=60) == 0
    assert await webhooks.owner.fetchval("SELECT sequence FROM webhooks.watermark") == first
    assert await webhooks.catch_up(delay_s=0.000_001) == 1, "a time that is over by now"
    assert [n for n, _ in await webhooks.deliveries()] == [first, second, third]
    assert await webhooks.owner.fetchval("SELECT sequence FROM webhooks.watermark") == third
    await fan_out.close()


async def test_one_more_endpoint_than_the_limit_is_refused_and_its_neighbours_are_not(webhooks: WebhookHarness) -> None:
    await asyncio.gather(*(webhooks.endpoint() for _ in range(LIMIT - 1)))
    gone = await webhooks.endpoint()
    others = asyncio.gather(*(webhooks.endpoint(account=f"acct_{n}") for n in range(2, 6)))
    with pytest.raises(ConstraintBroken, match="webhook_endpoint_limit"):
        await webhooks.endpoint()
    assert len(await others) == 4
    await webhooks.endpoint(livemode=True)
    await webhooks.delete(gone)
    await webhooks.endpoint()


async def test_pending_counts_those_who_will_want_it_then_those_who_have_not_taken_it(webhooks: WebhookHarness) -> None:
    ids = [await webhooks.endpoint() for _ in range(3)]
    await webhooks.endpoint(events=["customer.deleted"])
    [sequence] = await webhooks.notices()

    async def pending() -> int:
        ask = "SELECT webhooks.pending($1, $2, false, 'customer.created')"
        count: int = await webhooks.owner.fetchval(ask, sequence, ACCOUNT)
        return count

    assert await pending() == 3
    await webhooks.catch_up()
    assert await pending() == 3
    await webhooks.owner.execute("DELETE FROM webhooks.delivery WHERE endpoint_id = $1", ids[0])
    assert await pending() == 2
    await webhooks.delete(ids[1])
    assert await pending() == 1


async def test_writing_the_rows_again_changes_nothing(webhooks: WebhookHarness) -> None:
    id = await webhooks.endpoint()
    [sequence] = await webhooks.notices()
    await webhooks.owner.execute(
        """
        CREATE TEMP TABLE kept AS SELECT * FROM projections.resource;
        DELETE FROM projections.resource;
        INSERT INTO projections.resource SELECT * FROM kept;
        """
    )
    await webhooks.catch_up()
    assert await webhooks.deliveries() == [(sequence, id)]


async def many_endpoints(webhooks: WebhookHarness, account: str, count: int, *, livemode: bool = False) -> None:
    """Have one endpoint, and so many more like it."""
    id = await webhooks.endpoint(account=account, livemode=livemode)
    await webhooks.owner.execute(
        "INSERT INTO webhooks.interest (endpoint_id, account, livemode, above, enabled_events) "
        "SELECT 'we_' || livemode || n, account, livemode, above, enabled_events "
        "FROM webhooks.interest, generate_series(1, $2) AS n WHERE endpoint_id = $1",
        id,
        count - 1,
    )


async def test_what_is_much_for_one_account_is_fanned_out_in_parts_and_others_do_not_wait(
    webhooks: WebhookHarness,
) -> None:
    await many_endpoints(webhooks, "acct_many", 6_000)
    one = await webhooks.endpoint(account="acct_one")
    many = await webhooks.notices(4, account="acct_many")
    [last] = await webhooks.notices(account="acct_one")
    fan_out = FanOut(webhooks.dsn)
    assert await fan_out.fan_out([*many, last]) == 12_001, "two of the many, and that of the other account"
    assert (last, one) in await webhooks.deliveries()
    assert await fan_out.fan_out([*many, last]) == 12_000, "the rest"
    assert await fan_out.fan_out([*many, last]) == 0
    await fan_out.close()


async def test_an_account_with_notices_in_both_modes_takes_no_more_turns_than_another(webhooks: WebhookHarness) -> None:
    for livemode in (False, True):
        await many_endpoints(webhooks, "acct_many", 6_000, livemode=livemode)
    one = await webhooks.endpoint(account="acct_one")
    test = await webhooks.notices(1, account="acct_many")
    live = await webhooks.notices(1, account="acct_many", livemode=True)
    later = await webhooks.notices(1, account="acct_many")
    last = await webhooks.notices(2, account="acct_one")
    fan_out = FanOut(webhooks.dsn)
    assert await fan_out.fan_out([*test, *live, *last, *later]) == 12_002, "both of the other account before the last"
    assert {(sequence, one) for sequence in last} <= set(await webhooks.deliveries())
    await fan_out.close()


async def test_along_the_log_too_others_do_not_wait_for_what_is_much_for_one_account(webhooks: WebhookHarness) -> None:
    await many_endpoints(webhooks, "acct_many", 6_000)
    one = await webhooks.endpoint(account="acct_one")
    await webhooks.notices(4, account="acct_many")
    [last] = await webhooks.notices(account="acct_one")
    fan_out = FanOut(webhooks.dsn)
    step = await fan_out.catch_up(timedelta(0), 500)
    assert (step.passed, step.missed, step.made) == (2, 2, 12_000), "no more in one transaction"
    assert await fan_out.look_ahead(500) == 12_001
    assert (last, one) in await webhooks.deliveries()
    await fan_out.close()
    assert await webhooks.catch_up() == 0
    assert await webhooks.owner.fetchval("SELECT sequence FROM webhooks.watermark") == last
