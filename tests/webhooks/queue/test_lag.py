"""How things stand, as it is seen from the database, at a cost that does not grow."""

import asyncio
from datetime import timedelta

import pytest

from events.database import PINNED_PLANS, load_sql
from tests.plans import explain
from tests.waiting import until
from tests.webhooks.harness import WebhookHarness
from webhooks.queue.lag import Backlog, LagMonitor

MANY = 3_000
COUNTED = 100
HOUR = timedelta(hours=1)

FILL = f"""
INSERT INTO webhooks.endpoint (id, account, livemode, version, status, url, secrets, lane_version)
SELECT 'we_' || n, 'acct_' || n, false, 1, 'enabled', '', '{{}}', 1 FROM generate_series(1, {MANY}) AS n;
INSERT INTO webhooks.lane (endpoint_id, ready_at)
SELECT 'we_' || n, now() - make_interval(secs => n) FROM generate_series(1, {MANY}) AS n;
INSERT INTO webhooks.delivery (sequence, endpoint_id, appended_at, due_at)
SELECT n, 'we_' || n % 10 + 1, now(), now() FROM generate_series(1, {MANY}) AS n;
INSERT INTO projections.notice (sequence, appended_at, id, account, livemode, type, created, position, stream, version,
    object_id, body)
SELECT n, now(), 'evt_' || n, 'acct_1', false, 'customer.created', 0, n, '', 1, '', ''
FROM generate_series(1, {MANY}) AS n;
INSERT INTO projections.due (kind, id, task, subject, account, livemode, due_at, try_at)
SELECT 'customer', n, '', '', 'acct_1', false, 1, n FROM generate_series(1, {MANY}) AS n;
INSERT INTO events.log (position, stream, version, account, livemode, type, schema_version, payload, hash, recorded_at,
    actor)
SELECT n, 'note-' || n, 1, 'acct_1', false, 'noted', 1, '', '', now(), 'key_1' FROM generate_series(1, {MANY}) AS n;
"""


async def look(webhooks: WebhookHarness) -> Backlog:
    return await LagMonitor(webhooks.pool).look()


async def test_where_nothing_waits_nothing_lags(webhooks: WebhookHarness) -> None:
    seen = await look(webhooks)
    assert seen == Backlog(
        relay_notices=0, relay_lag=None, fan_out_notices=0, fan_out_lag=None, search_events=0, search_lag=None,
        due_lag=None, pending=0, overdue=None, idle=0, scheduled=0, ready=0, leased=0, closed=0, open=0, half_open=0,
        quiet=0, gone=0, set_aside=0, paused=0, held=0, parked=0,
    )  # fmt: skip


async def test_the_lag_of_what_waits_is_measured(webhooks: WebhookHarness) -> None:
    await webhooks.endpoint()
    first, *_ = await webhooks.notices(3)
    seen = await look(webhooks)
    assert (seen.relay_notices, seen.fan_out_notices, seen.search_events, seen.pending) == (3, 3, 2, 0)
    assert seen.relay_lag is not None
    assert timedelta() < seen.relay_lag < HOUR
    assert seen.relay_lag == seen.fan_out_lag
    assert seen.search_lag is not None
    await webhooks.catch_up()
    await webhooks.owner.execute(
        "UPDATE webhooks.delivery SET due_at = now() - interval '1 h' WHERE sequence = $1", first
    )
    await webhooks.owner.execute("UPDATE webhooks.relay_cursor SET sequence = 2")
    await webhooks.owner.execute("UPDATE projections.checkpoint SET position = 2")
    seen = await look(webhooks)
    assert (seen.relay_notices, seen.fan_out_notices, seen.search_events, seen.pending) == (1, 0, 0, 3)
    assert (seen.fan_out_lag, seen.search_lag) == (None, None)
    assert seen.overdue is not None
    assert HOUR <= seen.overdue < 2 * HOUR


@pytest.mark.parametrize(
    ("how", "states"),
    [
        ("ready_at = 'infinity'", {"idle", "closed"}),
        ("ready_at = now() + interval '1 h'", {"scheduled", "closed"}),
        ("ready_at = now()", {"ready", "closed"}),
        ("ready_at = now(), leased_until = now() + interval '1 h'", {"leased", "closed"}),
        ("ready_at = now(), leased_until = now()", {"ready", "closed"}),
        ("ready_at = now() + interval '1 h', open_until = now() + interval '1 h'", {"scheduled", "open"}),
        ("ready_at = now(), open_until = now()", {"ready", "half_open"}),
        ("quiet_until = now() + interval '1 h'", {"idle", "closed", "quiet"}),
        ("quiet_until = now()", {"idle", "closed"}),
        ("gone = true", {"idle", "closed", "gone"}),
    ],
)
async def test_a_lane_is_counted_by_its_state(webhooks: WebhookHarness, how: str, states: set[str]) -> None:
    await webhooks.endpoint()
    await webhooks.owner.execute(f"UPDATE webhooks.lane SET {how}")
    seen = (await look(webhooks))._asdict()
    kinds = ("idle", "scheduled", "ready", "leased", "closed", "open", "half_open", "quiet", "gone", "paused")
    assert {kind for kind in kinds if seen[kind]} == states


async def test_an_endpoint_that_is_disabled_is_counted_as_paused(webhooks: WebhookHarness) -> None:
    await webhooks.edit(await webhooks.endpoint(), disabled=True)
    assert (await look(webhooks)).paused == 1


async def test_what_is_due_is_measured_from_its_time_and_what_is_not_is_not(webhooks: WebhookHarness) -> None:
    insert = (
        "INSERT INTO projections.due (kind, id, task, subject, account, livemode, due_at, try_at) "
        "VALUES ('customer', $1, '', '', 'acct_1', false, 1, $2)"
    )
    now = await webhooks.owner.fetchval("SELECT floor(extract(epoch FROM now()))::bigint")
    await webhooks.owner.execute(insert, "at once, by a test clock", 0)
    await webhooks.owner.execute(insert, "later", now + 100)
    assert (await look(webhooks)).due_lag is None
    await webhooks.owner.execute(insert, "due", now - 3600)
    lag = (await look(webhooks)).due_lag
    assert lag is not None
    assert HOUR <= lag < 2 * HOUR


async def test_a_look_goes_by_indexes_and_counts_no_further_than_it_says(webhooks: WebhookHarness) -> None:
    await webhooks.owner.execute("SELECT events.extend_log(10), events.make_day('projections.notice', current_date)")
    await webhooks.owner.execute(FILL)
    await webhooks.owner.execute("ANALYZE")
    for setting, value in PINNED_PLANS.items():
        await webhooks.owner.execute(f"SELECT set_config('{setting}', '{value}', false)")
    plan = await explain(webhooks.owner, load_sql("webhooks", "read_backlog"), COUNTED)
    assert plan.touched <= 3 * COUNTED + 2 * 100 + 20, plan
    counted = (await webhooks.pool.fetchrow(load_sql("webhooks", "read_backlog"), COUNTED))["pending"]
    assert counted == COUNTED


async def test_who_cannot_see_says_nothing(webhooks: WebhookHarness) -> None:
    lag_monitor, stop = LagMonitor(webhooks.pool, every_s=0.01), asyncio.Event()
    task = asyncio.create_task(lag_monitor.run(stop))
    await until(lambda: lag_monitor.seen)
    await webhooks.owner.execute("ALTER TABLE webhooks.watermark RENAME TO elsewhere")
    await until(lambda: lag_monitor.seen is None)
    await webhooks.owner.execute("ALTER TABLE webhooks.elsewhere RENAME TO watermark")
    await until(lambda: lag_monitor.seen)
    stop.set()
    await task
