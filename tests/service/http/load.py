"""Load on an application: locks that make its requests wait, its metrics, and the responses to shed requests."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from service.http import credentials
from tests.service.serving import Answer, Api

LARGE = "%C3%A9" * 250
METADATA = "&".join(f"metadata[k{n}]={LARGE}" for n in range(50))  # 25 KB of a customer


@asynccontextmanager
async def search_table_locked(api: Api) -> AsyncIterator[Callable[[], Awaitable[int]]]:
    """Searches wait: another transaction locks the table. Gives what counts those that Postgres has."""
    owner = await asyncpg.connect(api.core.dsn)
    transaction = owner.transaction()
    await transaction.start()
    await owner.execute("LOCK TABLE projections.search IN ACCESS EXCLUSIVE MODE")

    async def waiting() -> int:
        count: int = await owner.fetchval(
            "SELECT count(*) FROM pg_locks WHERE relation = 'projections.search'::regclass AND NOT granted"
        )
        return count

    try:
        yield waiting
    finally:
        await transaction.rollback()
        await owner.close()


@asynccontextmanager
async def log_head_locked(api: Api) -> AsyncIterator[None]:
    """Appends wait: another transaction has the head of the log."""
    owner = await asyncpg.connect(api.core.dsn)
    transaction = owner.transaction()
    await transaction.start()
    await owner.execute("SELECT FROM events.head FOR UPDATE")
    try:
        yield
    finally:
        await transaction.rollback()
        await owner.close()


async def metric(api: Api, name: str) -> float:
    """The value of a metric, 0 where there is none."""
    async with api.session.get(f"{api.url}/metrics") as response:
        for line in (await response.text()).splitlines():
            if line.startswith(name + " "):
                return float(line.rpartition(" ")[2])
    return 0.0


def in_flight(api: Api, count: int) -> Callable[[], Any]:
    async def is_so() -> bool:
        return await metric(api, "service_requests_in_flight") == count

    return is_so


def limited(answer: Answer, reason: str) -> None:
    """A 429 in the API's form, that says what is limited and when to come again."""
    assert answer.status == 429, answer.body
    assert answer.error["code"] == "rate_limit"
    assert answer.error["type"] == "invalid_request_error"
    assert answer.headers["Stripe-Rate-Limited-Reason"] == reason
    assert answer.headers["Retry-After"] == "1"
    assert answer.headers["Stripe-Should-Retry"] == "true"


def overloaded(answer: Answer) -> None:
    """A 503 in the API's form, that says when to come again."""
    assert answer.status == 503, answer.body
    assert answer.error["type"] == "api_error"
    assert answer.headers["Retry-After"] == "1"
    assert answer.headers["Stripe-Should-Retry"] == "true"


async def waits(api: Api, count: int) -> bool:
    return await metric(api, "service_feed_waiting") == count


async def key_id_of(api: Api, key: str) -> str:
    principal = await api.core.reader.principal(credentials.digest(key))
    assert principal is not None
    return principal.key_id


def sample(api: Api, name: str) -> float:
    value = api.core.metrics.registry.get_sample_value(name)
    assert value is not None
    return value
