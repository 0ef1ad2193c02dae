"""The feed over a real database: its bounds, and how it is read."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from events.database import load_sql
from events.errors import LogUnavailable
from events.follow import Wakeup
from events.scope import Scope
from tests.plans import explain
from tests.waiting import until
from tests.webhooks.feed.discounts import BASIL, OLD_DISCOUNT, record_discount
from tests.webhooks.harness import ACCOUNT, WebhookHarness
from webhooks.feed.feed import Crowded, Feed

MINE = Scope(ACCOUNT, False)


@pytest.fixture
async def feed(webhooks: WebhookHarness) -> AsyncIterator[Feed]:
    opened = Feed(webhooks.pool, Wakeup(webhooks.dsn, "rollbook_log"), waiting_max=2)
    await opened.open()
    yield opened
    await opened.close()


async def test_no_more_wait_than_may(webhooks: WebhookHarness, feed: Feed) -> None:
    waiting = [asyncio.create_task(feed.read(MINE, 0, limit=10, wait_s=60)) for _ in range(2)]
    await until(lambda: feed.waiting == 2)
    with pytest.raises(Crowded):
        await feed.read(MINE, 0, limit=10, wait_s=60)
    assert (await feed.read(MINE, 0, limit=10)).position == 0, "who does not wait is answered"
    await webhooks.notices(1)
    for task in waiting:
        assert (await task).position == 1
    assert feed.waiting == 0


async def test_who_gives_up_waiting_makes_room(feed: Feed) -> None:
    task = asyncio.create_task(feed.read(MINE, 0, limit=10, wait_s=60))
    await until(lambda: feed.waiting == 1)
    task.cancel()
    await until(lambda: feed.waiting == 0)


async def test_a_closed_feed_is_read_and_not_waited_for(webhooks: WebhookHarness, feed: Feed) -> None:
    waiting = asyncio.create_task(feed.read(MINE, 0, limit=10, wait_s=60))
    await until(lambda: feed.waiting == 1)
    await feed.close()
    assert not (await waiting).notices
    assert (await feed.read(MINE, 0, limit=10, wait_s=60)).position == 0
    await webhooks.notices(1)
    assert len((await feed.read(MINE, 0, limit=10, wait_s=60)).notices) == 1


async def test_a_portion_ends_where_it_is_large_enough(webhooks: WebhookHarness, feed: Feed) -> None:
    await webhooks.notices(10)
    (size,) = {len(body) for _, body in (await feed.read(MINE, 0, limit=10)).notices}
    feed = Feed(webhooks.pool, Wakeup(webhooks.dsn, "rollbook_log"), bytes_enough=2 * size + 1)
    read, position = [], 0
    while (portion := await feed.read(MINE, position, limit=10)).notices:
        read.append([sequence for sequence, _ in portion.notices])
        position = portion.position
    assert read == [[1, 2, 3], [4, 5, 6], [7, 8, 9], [10]]


async def test_nothing_is_missed_by_who_reads_while_others_write(webhooks: WebhookHarness, feed: Feed) -> None:
    async def write() -> None:
        for _ in range(20):
            for account in (ACCOUNT, "acct_2", ACCOUNT):
                await webhooks.notices(3, account=account)

    writing, read, position = asyncio.create_task(write()), list[int](), 0
    while len(read) < 120:
        portion = await feed.read(MINE, position, limit=7, wait_s=30)
        read.extend(sequence for sequence, _ in portion.notices)
        position = portion.position
    await writing
    rows = await webhooks.owner.fetch("SELECT sequence FROM projections.notice WHERE account = $1 ORDER BY 1", ACCOUNT)
    assert read == [row["sequence"] for row in rows]


async def test_what_was_recorded_in_an_older_version_of_the_api_is_read_in_that(
    webhooks: WebhookHarness, feed: Feed
) -> None:
    await record_discount(webhooks, version=BASIL)
    ((_, body),) = (await feed.read(MINE, 0, limit=10)).notices
    assert str(OLD_DISCOUNT["id"]).encode() in body
    assert BASIL.encode() in body


async def test_waiting_goes_on_over_a_cut_connection(webhooks: WebhookHarness, feed: Feed) -> None:
    waiting = asyncio.create_task(feed.read(MINE, 0, limit=10, wait_s=60))
    await until(lambda: feed.waiting == 1)
    await webhooks.owner.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name ~ 'listen'"
    )
    await webhooks.notices(1)
    try:
        portion = await waiting
    except LogUnavailable:  # its own reading was cut
        portion = await feed.read(MINE, 0, limit=10)
    assert portion.position == 1


async def test_the_feed_is_read_by_indexes_alone(webhooks: WebhookHarness) -> None:
    await webhooks.notices(1)  # makes the partition of today
    await webhooks.owner.execute(
        "INSERT INTO projections.notice SELECT n, now(), 'evt_' || n, 'acct_' || n % 500, false, 'type_' || n % 7, 0, "
        "n, 's', 1, 'o', 'body' FROM generate_series(2, 20000) AS n"
    )
    await webhooks.owner.execute("UPDATE projections.notice_head SET sequence = 20000, appended_at = now()")
    await webhooks.owner.execute("ANALYZE projections.notice")
    for setting in ("enable_seqscan", "enable_hashjoin", "enable_mergejoin"):  # as in the service's own pool
        await webhooks.owner.execute(f"SET {setting} = off")
    for types in (None, "{type_1}"):
        arguments = ("acct_3", False, 10000, None, types, 5, 4_000_000)
        plan = await explain(webhooks.owner, load_sql("webhooks", "read_feed"), *arguments)
        assert plan.touched <= 150, plan
    plan = await explain(webhooks.owner, load_sql("webhooks", "notices_since"), 19990, "2020-01-01")
    assert plan.touched <= 20, plan
