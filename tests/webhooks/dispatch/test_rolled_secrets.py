"""Secrets that are rolled: what a receiver gets, checked by the libraries that receivers use."""

import secrets
from datetime import UTC, datetime, timedelta

import pytest
import stripe
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from tests import acting
from tests.servers.receiver import Received, Receiver
from tests.webhooks.harness import MASTER_KEYS, WebhookHarness, origin
from webhooks.endpoints import endpoint
from webhooks.endpoints.endpoint import ENDPOINT, RollSecret
from webhooks.post import signature

DAY_S = 24 * 3600
NOW = datetime.now(UTC)


async def roll(webhooks: WebhookHarness, id: str, ago: timedelta = timedelta(), overlap_s: int = DAY_S) -> str:
    """Roll the secret of an endpoint, so long ago; gives the new one."""
    secret = signature.new_secret(secrets.token_bytes(32))
    command = RollSecret(id=id, at=int((NOW - ago).timestamp()), overlap_s=overlap_s, secret=secret)
    await acting.update(webhooks.executor, ENDPOINT, id, command, origin())
    return secret


def verifies(received: Received, secret: str) -> bool:
    """Whether both libraries take what was received for signed with a secret; they must agree."""
    try:
        stripe.Webhook.construct_event(received.body, received.headers["Stripe-Signature"], secret)
    except stripe.SignatureVerificationError:
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(received.body, dict(received.headers))
        return False
    Webhook(secret).verify(received.body, dict(received.headers))
    return True


def signatures(received: Received) -> tuple[int, int]:
    """How many there are of each scheme."""
    return received.headers["Stripe-Signature"].count("v1="), len(received.headers["webhook-signature"].split(" "))


async def delivered(webhooks: WebhookHarness, receiver: Receiver) -> Received:
    """What arrives of an event that is published now."""
    before = len(receiver.requests)
    await webhooks.notices()
    async with webhooks.working():
        await webhooks.catch_up()
        return (await receiver.wait_for(before + 1))[-1]


async def test_both_secrets_sign_while_they_overlap(webhooks: WebhookHarness, receiver: Receiver) -> None:
    id = await webhooks.endpoint(receiver.url("/hook"))
    old = await webhooks.secret(id)
    new = await roll(webhooks, id)
    got = await delivered(webhooks, receiver)
    assert signatures(got) == (2, 2)
    assert [verifies(got, secret) for secret in (old, new, signature.new_secret(bytes(32)))] == [True, True, False]


async def test_when_the_overlap_has_ended_only_the_new_one_signs_though_no_job_ran(
    webhooks: WebhookHarness, receiver: Receiver
) -> None:
    id = await webhooks.endpoint(receiver.url("/hook"))
    old = await webhooks.secret(id)
    new = await roll(webhooks, id, timedelta(hours=25))
    kept = await webhooks.owner.fetchval("SELECT cardinality(secrets) FROM webhooks.endpoint")
    assert kept == 2, "nobody has removed the old one"
    got = await delivered(webhooks, receiver)
    assert signatures(got) == (1, 1)
    assert [verifies(got, secret) for secret in (old, new)] == [False, True]


async def test_without_an_overlap_the_old_one_ends_at_once(webhooks: WebhookHarness, receiver: Receiver) -> None:
    id = await webhooks.endpoint(receiver.url("/hook"))
    first = await webhooks.secret(id)
    second = await roll(webhooks, id)
    third = await roll(webhooks, id, overlap_s=0)
    got = await delivered(webhooks, receiver)
    assert [verifies(got, secret) for secret in (first, second, third)] == [False, False, True]


async def test_a_worker_that_has_the_lane_signs_with_a_new_secret_too(
    webhooks: WebhookHarness, receiver: Receiver
) -> None:
    id = await webhooks.endpoint(receiver.url("/hook"))
    await webhooks.notices()
    async with webhooks.working():
        await webhooks.catch_up()
        await receiver.wait_for(1)
        new = await roll(webhooks, id)
        await webhooks.notices()
        await webhooks.catch_up()
        got = (await receiver.wait_for(2))[-1]
    assert verifies(got, new)


async def test_secrets_lie_sealed_in_every_table(webhooks: WebhookHarness) -> None:
    id = await webhooks.endpoint()
    secrets = [await webhooks.secret(id), await roll(webhooks, id)]
    for table in ("webhooks.endpoint", "projections.resource", "events.log"):
        text = "\n".join(row[0] for row in await webhooks.owner.fetch(f"SELECT t::text FROM {table} t"))
        for secret in secrets:
            assert secret not in text
            assert secret.encode().hex() not in text
    sealed = await webhooks.owner.fetchval("SELECT secrets FROM webhooks.endpoint")
    assert [MASTER_KEYS.unseal(each, endpoint.stream(id)).decode() for each in sealed] == secrets[::-1]
