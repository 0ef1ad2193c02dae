"""Secrets at rest: what is shown once is nowhere in the database in clear, and a replay shows it again all the same."""

import asyncpg
import pytest

from tests.service.serving import Api

TABLES = """
SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname IN ('events', 'keys', 'projections', 'webhooks')
"""


@pytest.fixture
async def stored(database: str) -> asyncpg.Connection:
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


async def everywhere(connection: asyncpg.Connection, secret: str) -> list[str]:
    """The tables that contain a text, bytea columns included."""
    found = []
    for (table,) in await connection.fetch(TABLES):
        # a row as text shows bytea in hexadecimal digits
        query = f"SELECT true FROM {table} t WHERE position($1 in t::text) + position($2 in t::text) > 0 LIMIT 1"
        if await connection.fetchval(query, secret, secret.encode().hex()):
            found.append(table)
    return found


async def test_signing_secrets_are_shown_again_and_kept_nowhere_in_clear(api: Api, stored: asyncpg.Connection) -> None:
    body = "url=https://example.com/hook&enabled_events[]=*&description=findable"
    created = await api.post("/v1/webhook_endpoints", body, Idempotency_Key="make")
    path = f"/v1/rollbook/webhook_endpoints/{created.json['id']}/roll_secret"
    rolled = await api.post(path, Idempotency_Key="roll")
    secrets = [created.json["secret"], rolled.json["secret"]]
    assert all(secret.startswith("whsec_") for secret in secrets)
    assert secrets[0] != secrets[1]
    for secret in secrets:
        assert await everywhere(stored, secret) == []
    assert await everywhere(stored, "findable") != [], "it is looked for in the right way"
    assert (await api.post("/v1/webhook_endpoints", body, Idempotency_Key="make")).body == created.body
    assert (await api.post(path, Idempotency_Key="roll")).body == rolled.body


async def test_every_kept_answer_is_sealed(api: Api, stored: asyncpg.Connection) -> None:
    await api.post("/v1/customers", "name=Jenny&email=a@b.co", Idempotency_Key="plain")
    await api.post("/v1/customers", "name=Jenny&source=tok_visa", Idempotency_Key="more")
    refused = await api.post("/v1/customers/cus_none", "name=Jenny", Idempotency_Key="refused")
    assert refused.status == 404
    kept = await stored.fetch("SELECT key, body FROM events.receipt ORDER BY key")
    assert [row["key"] for row in kept] == ["more", "plain", "refused"]
    assert all(row["body"][0] == 1 and b"cus_" not in row["body"] for row in kept)


async def test_api_keys_are_kept_as_digests_alone(api: Api, stored: asyncpg.Connection) -> None:
    assert await everywhere(stored, await api.issue()) == []
