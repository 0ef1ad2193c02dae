"""`rollbook master-key`: a rotation under a running service, killed and run again; then the old key opens nothing."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from events.keys import MasterKeys
from events.rewrap import NotRotated
from service import suitability
from tests.service.command_line import output_of, rollbook, run
from tests.service.serving import MASTER_KEY, Api, Serve, command, environment
from tests.waiting import until
from webhooks.endpoints.rewrap import SealedSecrets

NEW_KEY = base64.b64encode(bytes(range(100, 132))).decode()
BOTH = {"ROLLBOOK_MASTER_KEY": f"{NEW_KEY},{MASTER_KEY}"}
NEW = MasterKeys.parse(NEW_KEY)
STREAMS = 2000
COUNTED = "SELECT count(*) FROM keys.subject WHERE substring(wrapped FROM 1 FOR 4) = $1"
WAITING = (
    "SELECT true FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' "
    "AND application_name = 'rollbook master key'"
)


@pytest.fixture
async def owner(database: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


async def made(api: Api, number: int) -> tuple[dict[str, Any], dict[str, Any], str]:
    """A customer with a card, an endpoint, and the fingerprint of the card."""
    customer = await api.customer(f"name=Alice&source=tok_visa&metadata[n]={number}", Idempotency_Key=f"first-{number}")
    endpoint = await api.post("/v1/webhook_endpoints", "url=https://example.com/hook&enabled_events[]=*")
    card = await api.get(f"/v1/customers/{customer['id']}/sources/{customer['default_source']}")
    return customer, endpoint.json, card.json["fingerprint"]


async def test_a_rotation_that_is_killed_is_run_again_and_the_old_key_opens_nothing_any_more(
    serve: Serve, database: str, owner: asyncpg.Connection, tmp_path: Path
) -> None:
    first = await serve()
    await suitability.prepare(first.core)
    customer, endpoint, fingerprint = await made(first, 1)
    streams = [f"customer-cus_A{number:04}" for number in range(STREAMS)]
    wrapped = [first.core.master_keys.mint(stream)[1] for stream in streams]
    await owner.execute("INSERT INTO keys.subject SELECT * FROM unnest($1::text[], $2::bytea[])", streams, wrapped)
    running = await serve(master_key=BOTH["ROLLBOOK_MASTER_KEY"])
    await suitability.prepare(running.core)

    eraser = await asyncpg.connect(database)
    async with eraser.transaction():  # the one in the middle is being erased
        await eraser.execute("SELECT FROM keys.subject WHERE stream = $1 FOR UPDATE", streams[STREAMS // 2])
        rotating = await asyncio.create_subprocess_exec(
            *command("master-key", "rotate", "--yes"),
            env=environment(database, tmp_path, **BOTH),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        await until(lambda: owner.fetchval(WAITING), timeout_s=60)
        rotating.kill()
        await rotating.wait()
    await eraser.close()
    assert 0 < await owner.fetchval(COUNTED, NEW.names[0]) < STREAMS

    await running.update(customer["id"], "name=Bob")
    other, *_ = await made(running, 2)
    said = await output_of(database, tmp_path, "master-key", "rotate", "--yes", **BOTH)
    old = MasterKeys.parse(MASTER_KEY).names[0].hex()
    assert said.splitlines()[-1] == (f"Retired: {old}. Remove them from ROLLBOOK_MASTER_KEY, and destroy them.")
    await running.update(customer["id"], "name=Carol")
    await running.update(other["id"], "name=Carol")

    newest = await serve(master_key=NEW_KEY)
    await suitability.prepare(newest.core)
    assert (await newest.update(customer["id"], "name=Dora"))["name"] == "Dora"
    again = await newest.customer("name=Alice&source=tok_visa&metadata[n]=1", Idempotency_Key="first-1")
    assert again == customer, "the answer that was kept is replayed"
    assert (await made(newest, 3))[2] == fingerprint
    stored = await owner.fetchrow("SELECT secrets FROM webhooks.endpoint WHERE id = $1", endpoint["id"])
    assert NEW.unseal(stored["secrets"][0], f"webhook_endpoint-{endpoint['id']}").decode() == endpoint["secret"]

    assert (await first.post("/v1/customers", "name=Late")).status == 503, "what it seals is refused"
    document = json.loads(
        await output_of(database, tmp_path, "master-key", "list", "--json", ROLLBOOK_MASTER_KEY=NEW_KEY)
    )
    assert [(each["name"], each["state"]) for each in document] == [(old, "retired"), (NEW.names[0].hex(), "newest")]
    assert document[0]["seals"] == {}
    assert document[1]["seals"]["signing secrets"] == 3


async def test_a_rotation_without_a_newer_key_changes_nothing(serve: Serve, database: str, tmp_path: Path) -> None:
    api = await serve()
    await suitability.prepare(api.core)
    await made(api, 1)
    code, said = await rollbook(database, tmp_path, "master-key", "rotate", "--yes")
    assert code == 0
    assert "Everything is sealed by the newest master key" in said
    assert "newest" in await output_of(database, tmp_path, "master-key", "list")
    code, said = await rollbook(database, tmp_path, "master-key", "rotate")
    assert code == 2, "nobody can be asked"


@pytest.mark.parametrize("schema", ["projections_next", "projections_previous"])
async def test_no_rotation_passes_by_secrets_in_another_version_of_the_read_model(
    owner: asyncpg.Connection, schema: str
) -> None:
    await owner.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}; CREATE TABLE {schema}.resource ()")
    with pytest.raises(NotRotated, match=f"^{schema}.resource is .*, and then run the rotation again"):
        async for _ in SealedSecrets().reseal(owner, NEW):
            pass


async def test_a_new_key_is_printed_and_is_one(tmp_path: Path) -> None:
    keys = []
    for words in ((), ("--json",)):
        code, said, errors = await run(environment("", tmp_path), "master-key", "new", *words)
        assert (code, errors) == (0, "")
        keys.append(json.loads(said)["master_key"] if words else said.strip())
    assert len({MasterKeys.parse(key).names for key in keys}) == 2
