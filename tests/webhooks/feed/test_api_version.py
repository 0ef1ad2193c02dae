"""What receivers get: notices in the version they asked for, and otherwise the very bytes that are stored."""

import orjson

from events.database import load_sql
from events.migrate import sql_files
from projections.notices import with_pending
from tests.plans import explain
from tests.servers.receiver import Answer, Receiver
from tests.waiting import until
from tests.webhooks.feed.discounts import BASIL, COUPON, DECEMBER, DISCOUNT, NEWEST, OLD_DISCOUNT, record_discount
from tests.webhooks.harness import ACCOUNT, WebhookHarness
from webhooks.post import signature
from webhooks.queue.store import LOOKUPS_ONLY


async def done(webhooks: WebhookHarness) -> bool:
    return not await webhooks.deliveries()


async def test_a_notice_comes_in_the_version_of_the_endpoint_signed_as_it_is_sent(
    webhooks: WebhookHarness, receiver: Receiver
) -> None:
    old = await webhooks.endpoint(receiver.url("/old"), api_version=BASIL)
    await webhooks.endpoint(receiver.url("/december"), api_version=DECEMBER)
    await record_discount(webhooks)
    await webhooks.catch_up()
    async with webhooks.working():
        await until(lambda: done(webhooks))
    [sent] = receiver.received("/old")
    shown = orjson.loads(sent.body)
    assert (shown["api_version"], shown["type"]) == (BASIL, "customer.discount.created")
    assert shown["data"]["object"] == {**OLD_DISCOUNT, "coupon": {**COUPON, "account": ACCOUNT}}
    assert 1 <= shown["pending_webhooks"] <= 2
    assert b"\n    " in sent.body, "indented like any other"
    signature.verify(
        sent.body,
        sent.headers["Stripe-Signature"],
        await webhooks.secret(old),
        now=int(sent.headers["webhook-timestamp"]),
    )
    [sent] = receiver.received("/december")
    shown = orjson.loads(sent.body)
    assert (shown["api_version"], shown["data"]["object"]) == (DECEMBER, DISCOUNT)


async def test_without_a_version_of_its_own_or_with_the_same_the_bytes_are_those_stored(
    webhooks: WebhookHarness, receiver: Receiver
) -> None:
    await webhooks.endpoint(receiver.url("/none"))
    await webhooks.endpoint(receiver.url("/same"), api_version=NEWEST)
    [recorded] = await record_discount(webhooks, {**DISCOUNT, "metadata": {"é": "\n"}})
    await webhooks.catch_up()
    async with webhooks.working():
        await until(lambda: done(webhooks))
    stored = {with_pending(recorded.body, pending) for pending in (1, 2)}
    assert {sent.body for sent in receiver.requests} <= stored
    assert len(receiver.requests) == 2


async def test_what_was_recorded_in_an_old_version_is_sent_in_that_unless_another_was_asked_for(
    webhooks: WebhookHarness, receiver: Receiver
) -> None:
    await webhooks.endpoint(receiver.url("/none"))
    await webhooks.endpoint(receiver.url("/newest"), api_version=NEWEST)
    await record_discount(webhooks, version=BASIL)
    await webhooks.catch_up()
    async with webhooks.working():
        await until(lambda: done(webhooks))
    old, new = (orjson.loads(receiver.received(path)[0].body) for path in ("/none", "/newest"))
    assert (old["api_version"], old["data"]["object"]["coupon"]["id"]) == (BASIL, "SALE")
    assert (new["api_version"], new["data"]["object"]) == (NEWEST, DISCOUNT)


async def test_each_account_is_shown_its_own_coupon_of_that_name(webhooks: WebhookHarness, receiver: Receiver) -> None:
    for account in ("acct_1", "acct_2"):
        await webhooks.endpoint(receiver.url(f"/{account}"), account=account, api_version=BASIL)
        await record_discount(webhooks, account=account, count=3)
    await webhooks.catch_up()
    async with webhooks.working():
        await until(lambda: done(webhooks))
    for account in ("acct_1", "acct_2"):
        shown = [
            orjson.loads(sent.body)["data"]["object"]["coupon"]["account"] for sent in receiver.received(f"/{account}")
        ]
        assert shown == [account] * 3


async def test_a_retry_is_rendered_like_the_first_try(webhooks: WebhookHarness, receiver: Receiver) -> None:
    await webhooks.endpoint(receiver.url("/old"), api_version=BASIL)
    receiver.behave("/old", Answer(status=500), Answer())
    await record_discount(webhooks)
    await webhooks.catch_up()
    async with webhooks.working():
        await receiver.wait_for(1)
        await until(lambda: _retried(webhooks))
        await webhooks.hurry()
        await until(lambda: done(webhooks))
    first, second = receiver.received("/old")
    assert first.body == second.body


async def _retried(webhooks: WebhookHarness) -> bool:
    return len(await webhooks.attempts()) == 1


async def test_an_endpoint_keeps_its_version_when_it_is_changed(webhooks: WebhookHarness, receiver: Receiver) -> None:
    id = await webhooks.endpoint(receiver.url("/x"), api_version=BASIL)
    await webhooks.edit(id, description="changed")
    await record_discount(webhooks)
    await webhooks.catch_up()
    async with webhooks.working():
        [sent] = await receiver.wait_for(1)
    assert orjson.loads(sent.body)["api_version"] == BASIL


async def test_coupons_are_found_by_the_index_of_ids(webhooks: WebhookHarness) -> None:
    for number in range(50):
        await webhooks.endpoint(account=f"acct_{number}")
        await record_discount(webhooks, account=f"acct_{number}")
    rows = await webhooks.owner.fetch("SELECT id FROM webhooks.endpoint")
    for setting, value in LOOKUPS_ONLY.items():
        await webhooks.owner.execute(f"SELECT set_config('{setting}', '{value}', false)")
    ids = [row["id"] for row in rows]
    plan = await explain(webhooks.owner, load_sql("webhooks", "get_coupons"), ids, ["SALE"] * len(ids))
    assert plan.indexes == {"endpoint_pkey", "resource_pkey"}
    assert plan.touched <= 3 * len(ids), plan


async def test_endpoints_of_an_older_database_keep_their_versions(webhooks: WebhookHarness) -> None:
    old, none = await webhooks.endpoint(api_version=BASIL), await webhooks.endpoint()
    await webhooks.owner.execute("ALTER TABLE webhooks.endpoint DROP COLUMN api_version")
    await webhooks.owner.execute("ALTER TYPE webhooks.head DROP ATTRIBUTE api_version")
    [migration] = [text for name, text in sql_files("webhooks", "migrations") if name.endswith("0002_versions.sql")]
    await webhooks.owner.execute(migration)
    rows = await webhooks.owner.fetch("SELECT id, api_version FROM webhooks.endpoint")
    assert {row["id"]: row["api_version"] for row in rows} == {old: BASIL, none: None}
