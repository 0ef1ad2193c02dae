"""Every read model, emptied and made anew from the log, gives every answer again, byte for byte."""

from collections.abc import Iterable
from typing import Any

import asyncpg
import orjson

from events.record import Origin
from events.unit_of_work import UnitOfWork
from projections import discounts
from projections.runner import Runner
from projections.search.rows import SearchProjection
from projections.testclocks import DELETE
from service import trigger
from service.client import calling
from service.commands import keys
from tests.projections.rebuilding import rebuild_customers, rebuild_search, verify_customers
from tests.service.http.objects import create_coupon
from tests.service.serving import Api
from webhooks.broker import subscribers
from webhooks.broker.subscriber import SUBSCRIBER, AddSubscriber, Command, RemoveSubscriber

SEARCHES = ("created>0", "name:'jenny rosen'", "metadata['order_id']:'6735'", "email~'rosen'")
# Those wait for events, read what is no read model, or are read as events themselves.
OTHER = ("/v1/rollbook/feed", "/v1/rollbook/audit")
ONE_OF_EACH = """
SELECT id, parent FROM (
    SELECT *, row_number() OVER (PARTITION BY kind, deleted ORDER BY id) AS n FROM projections.resource) AS numbered
WHERE n = 1 ORDER BY kind, id
"""
STORED = {
    "customer": "SELECT * FROM projections.customer ORDER BY id",
    "resource": "SELECT account, livemode, id, kind, parent, created, position, version, deleted, lookup, body, "
    "facts - 'secrets' AS facts FROM projections.resource ORDER BY kind, id",
    "due": "SELECT * FROM projections.due ORDER BY kind, id, task, subject",
    "search": "SELECT * FROM projections.search ORDER BY id",
    "endpoint": "SELECT id, version, status, url, enabled_events, lane_version FROM webhooks.endpoint ORDER BY id",
    "interest": "SELECT * FROM webhooks.interest ORDER BY endpoint_id, above",
    "lane": "SELECT * FROM webhooks.lane ORDER BY endpoint_id",
}


async def one_of_everything(api: Api) -> None:
    """An object of each kind, in each state that a recipe of `rollbook trigger` brings one into; and the rest."""
    async with calling(api.url, api.key) as client:
        for recipe in trigger.RECIPES.values():
            await trigger.follow(recipe, client, say=lambda line: None)
    again = await create_coupon(api, "id=AGAIN&percent_off=10&duration=repeating&duration_in_months=2")
    await api.delete("/v1/coupons/AGAIN")
    await create_coupon(api, "id=AGAIN&percent_off=20&duration=repeating&duration_in_months=3")
    await api.customer(f"coupon={again['id']}&name=Jenny Rosen&metadata[a]=b&tax[ip_address]=203.0.113.7")
    await api.post("/v1/webhook_endpoints", "url=https://example.com/0&enabled_events[]=*")
    made = await api.post("/v1/webhook_endpoints", "url=https://example.com/1&enabled_events[]=*")
    await api.post(f"/v1/webhook_endpoints/{made.json['id']}", "disabled=true")
    await api.issue(livemode=True)
    revoked = orjson.loads((await api.core.reader.api_keys())[-1])["id"]

    async def revoke(unit: UnitOfWork) -> None:
        await keys.revoke(unit, revoked)

    await api.core.executor.transact(revoke, keys.origin(await keys.scope_of(api.core.log, revoked), api.core.clock))
    await api.issue(key_type="restricted", permissions=("customers:read",))
    for command in (add("one"), RemoveSubscriber(name="one"), add("one"), add("two")):
        await subscribe(api, command)


def add(name: str) -> AddSubscriber:
    return AddSubscriber(account="*", at=1_700_000_000, mode="*", name=name, types=("customer.*",))


async def subscribe(api: Api, command: Command) -> None:
    async def act(unit: UnitOfWork) -> None:
        await unit.load(SUBSCRIBER, command.name)
        unit.do(SUBSCRIBER, command.name, command)

    at = api.core.clock.now()
    await api.core.executor.transact(act, Origin(subscribers.OWNER, subscribers.LIVEMODE, at, "system"))


async def paths(api: Api, owner: asyncpg.Connection) -> list[str]:
    """Every GET of the API: lists, objects by their ids, what belongs to a customer, searches."""
    described = (await api.get("/openapi.json")).json["paths"]
    templates = [path for path, methods in described.items() if "get" in methods and not path.startswith(OTHER)]
    objects = await owner.fetch(ONE_OF_EACH)
    customers = [row["id"] for row in await owner.fetch("SELECT id FROM projections.customer ORDER BY id LIMIT 4")]
    found = [f"/v1/customers/search?limit=100&query={query}" for query in SEARCHES]
    for template in templates:
        names = [part[1:-1] for part in template.split("/") if part.startswith("{")]
        if len(names) == 1:
            values: list[tuple[str, ...]] = [(id,) for id in customers + sorted({row["id"] for row in objects})]
        elif names:
            values = [(row["parent"], row["id"]) for row in objects if row["parent"].startswith("cus_")]
        else:
            values = [] if template.endswith("/search") else [()]
        found += [template.format_map(dict(zip(names, each, strict=True))) for each in values]
    return found


async def answers(api: Api, asked: Iterable[str]) -> dict[str, bytes]:
    """What each of them answers that answers anything."""
    got = {path: await api.get(path) for path in asked}
    return {path: answer.body for path, answer in got.items() if answer.status == 200}


async def stored(owner: asyncpg.Connection) -> dict[str, list[Any]]:
    return {name: list(map(tuple, await owner.fetch(query))) for name, query in STORED.items()}


async def test_emptied_read_models_made_anew_give_every_answer_and_have_every_effect_due(
    api: Api, database: str
) -> None:
    await one_of_everything(api)
    while await Runner(api.core.pool, SearchProjection()).advance():
        pass
    owner = await asyncpg.connect(database)
    tables, said = await stored(owner), await answers(api, await paths(api, owner))
    assert {discounts.END, DELETE} <= {row[2] for row in tables["due"]}
    assert len(said) > 60
    assert all(tables.values())
    await owner.execute("TRUNCATE projections.customer, projections.resource, projections.due, projections.search")
    await rebuild_customers(database, api.core.folds)
    await rebuild_search(database)
    after = await stored(owner)
    for name, rows in tables.items():
        assert after[name] == rows, name
    assert await answers(api, said) == said
    outcome = await verify_customers(database, api.core.folds)
    assert [comparison.differing for comparison in outcome.comparisons] == [[], []]
    await owner.close()
