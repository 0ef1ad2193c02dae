"""A database of every earlier revision comes to today's schema, and today's service goes on with what is in it."""

import re
from pathlib import Path

import asyncpg
import orjson
import pytest

from events import chain
from events.api_key import ApiKey
from events.migrate import migrate
from events.scope import Scope
from projections import api_keys
from service import suitability
from service.commands import keys
from tests.migrations.restore import REVISIONS, restore
from tests.service.serving import serving, settings_for
from tests.shape import shape_of

PARTITION = re.compile(r"_\d{8}\b|\blog_\d+\b")
STREAMS = "SELECT DISTINCT stream FROM events.log WHERE stream LIKE 'customer-%' ORDER BY stream"


def apart_from_partitions(shape: str) -> list[str]:
    return [line for line in shape.splitlines() if not PARTITION.search(line)]


@pytest.mark.parametrize("revision", REVISIONS)
async def test_a_database_of_an_earlier_revision_comes_to_todays_schema(
    revision: str, empty_database: str, database: str, tmp_path: Path
) -> None:
    await restore(empty_database, revision)
    assert await migrate(empty_database) != []
    assert apart_from_partitions(await shape_of(empty_database)) == apart_from_partitions(await shape_of(database))
    assert await migrate(empty_database) == []
    async with serving(settings_for(tmp_path), empty_database) as api:
        await suitability.prepare(api.core)  # the master key is taken from what it sealed then
        api.key = keys.DEVELOPMENT_KEY
        for body in await api.core.reader.api_keys():
            assert list(orjson.loads(body)) == list(api_keys.render(ApiKey(), Scope("", False))), (
                "as it is rendered now"
            )
        listed = (await api.get("/v1/customers?limit=100")).json["data"]
        assert {"Jenny Rosen", "Zoë Müller", "山田太郎"} <= {customer["name"] for customer in listed}
        owner = await asyncpg.connect(empty_database)
        for customer in listed:
            assert (await api.update(customer["id"], "description=migrated"))["name"] == customer["name"]
        for row in await owner.fetch(STREAMS):
            assert chain.first_break((await api.core.log.load(row["stream"])).records) is None
        await owner.close()
        made = await api.customer("email=new@example.com")
        assert (await api.get("/v1/customers?limit=1")).json["data"][0]["id"] == made["id"]
        assert (await api.delete(f"/v1/customers/{listed[-1]['id']}")).status == 200
        endpoints = (await api.get("/v1/rollbook/webhook_endpoints")).json["data"]
        assert len(endpoints) == 3
        assert sum(endpoint["pending_deliveries"] for endpoint in endpoints) > 0
        assert (await api.get("/v1/rollbook/deliveries?limit=100")).json["data"] != []
        if revision != "dbdfe61":  # which knew customers, events and endpoints
            assert (await api.get("/v1/coupons/WINTER")).json["percent_off"] == 25
            assert (await api.get("/v1/promotion_codes")).json["data"] != []
            assert (await api.get("/v1/tax_ids")).json["data"] != []
