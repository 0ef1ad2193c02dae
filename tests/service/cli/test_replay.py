"""`rollbook replay`: the log as it was at a moment, in a scratch schema, and nothing else is touched."""

import json
import secrets
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import asyncpg
import pytest

from projections import replay as projected
from projections.replay import Range
from service.commands import replay as replays
from tests.service.command_line import output_of, rollbook, run
from tests.service.serving import Api, Serve, environment

UNTOUCHED = """
SELECT (SELECT count(*) FROM projections.notice), (SELECT count(*) FROM projections.due),
       (SELECT count(*) FROM projections.resource), (SELECT count(*) FROM webhooks.delivery),
       (SELECT sum(version) FROM projections.customer)
"""
DIFFERING = """
SELECT kind, id, was.object, now.object
FROM (SELECT kind, id, convert_from(body, 'UTF8')::jsonb AS object FROM projections.resource) AS was
FULL JOIN now.resource AS now USING (kind, id) WHERE was.object IS DISTINCT FROM now.object
UNION ALL
SELECT 'customer', id, was.object, now.object
FROM (SELECT id, convert_from(body, 'UTF8')::jsonb AS object FROM projections.customer) AS was
FULL JOIN now.customer AS now USING (id) WHERE was.object IS DISTINCT FROM now.object
UNION ALL
SELECT task, subject, NULL, NULL FROM projections.due AS was
FULL JOIN now.due AS now USING (kind, id, task, subject)
WHERE to_timestamp(was.due_at) IS DISTINCT FROM now.due OR was.test_clock IS DISTINCT FROM now.test_clock
"""


@pytest.fixture
async def owner(database: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


async def busy(api: Api) -> list[str]:
    """Something of everything; gives the ids of three customers."""
    await api.post("/v1/coupons", "id=SAVE&percent_off=10&duration=once")
    await api.post("/v1/promotion_codes", "promotion[type]=coupon&promotion[coupon]=SAVE&code=HELLO")
    endpoint = await api.post("/v1/webhook_endpoints", "url=https://example.com/hook&enabled_events[]=*")
    assert endpoint.status == 200, endpoint.body
    clock = (await api.post("/v1/test_helpers/test_clocks", "frozen_time=1800000000")).json["id"]
    alice = await api.customer("name=Alice&email=alice@example.com&source=tok_visa")
    bob = await api.customer(
        f"name=Bob&coupon=SAVE&test_clock={clock}&tax_id_data[0][type]=eu_vat&tax_id_data[0][value]=DE123456789"
    )
    carol = await api.customer("name=Carol")
    for path, body in (
        ("balance_transactions", "amount=-500&currency=eur"),
        ("cash_balance", "settings[reconciliation_mode]=manual"),
    ):
        assert (await api.post(f"/v1/customers/{alice['id']}/{path}", body)).status == 200
    return [alice["id"], bob["id"], carol["id"]]


async def test_a_moment_of_the_log_is_as_it_was_and_nothing_else_is_touched(
    serve: Serve, database: str, owner: asyncpg.Connection, tmp_path: Path
) -> None:
    api = await serve()
    alice, bob, carol = await busy(api)
    then = (await api.get(f"/v1/customers/{alice}")).json
    moment = await owner.fetchval("SELECT position FROM events.head")
    await api.update(alice, "name=Alicia")
    await api.delete(f"/v1/customers/{bob}")
    await owner.execute("DELETE FROM keys.subject WHERE stream = $1", f"customer-{carol}")
    before = await owner.fetchrow(UNTOUCHED)

    words = ("replay", "--until", f"{moment}", "--into", "past", "--json")
    code, document, errors = await run(environment(database, tmp_path), *words)
    assert code == 0, errors
    said = json.loads(document)
    assert said["rows"]["event"] == moment
    assert json.loads(await owner.fetchval("SELECT object FROM past.customer WHERE name = 'Alice'")) == then
    [row] = await owner.fetch("SELECT * FROM past.customer WHERE name = 'Bob'")
    assert (row["id"], row["deleted"], row["test_clock"][:6]) == (bob, False, "clock_")
    assert await owner.fetchval("SELECT sealed FROM past.event WHERE id = $1 AND version = 1", carol)
    assert await owner.fetchval("SELECT name FROM past.customer WHERE id = $1", carol) is None, "its key is destroyed"
    secret = "SELECT data ->> 'secret' FROM past.event WHERE type = 'webhook_endpoint.created'"
    assert await owner.fetchval(secret) == "(not shown)"

    await owner.execute("DELETE FROM projections.customer WHERE id = $1", carol)
    head = await owner.fetchval("SELECT position FROM events.head")
    await output_of(database, tmp_path, "replay", "--until", f"{head}", "--into", "now")
    await owner.execute("DELETE FROM now.customer WHERE id = $1", carol)
    assert await owner.fetch(DIFFERING) == []
    assert (await owner.fetchrow(UNTOUCHED))[:4] == before[:4]
    read = "SELECT data -> 'filters' ->> 'into' FROM now.event WHERE type = 'audit.read'"
    assert await owner.fetchval(read) == "past", "the replay before is in the audit trail"

    assert "past    finished" in await output_of(database, tmp_path, "replay", "--list")
    await output_of(database, tmp_path, "replay", "--drop", "past")
    assert await owner.fetchval("SELECT to_regnamespace('past')") is None


async def test_a_range_has_what_changed_in_it(
    api: Api, database: str, owner: asyncpg.Connection, tmp_path: Path
) -> None:
    first, second = await api.customer("name=First"), await api.customer("name=Second")
    start = await owner.fetchval("SELECT clock_timestamp()")
    await api.update(second["id"], "name=Changed")
    end: datetime = await owner.fetchval("SELECT clock_timestamp()")
    await api.update(first["id"], "name=Later")
    words = ("--from", start.isoformat(), "--until", end.isoformat(), "--into", "scratch")
    await output_of(database, tmp_path, "replay", *words)
    assert [row["name"] for row in await owner.fetch("SELECT name FROM scratch.customer")] == ["Changed"]
    assert [tuple(row) for row in await owner.fetch("SELECT id, version FROM scratch.event")] == [(second["id"], 2)]


async def test_what_cannot_be_replayed_is_said_in_a_line(
    api: Api, database: str, owner: asyncpg.Connection, tmp_path: Path
) -> None:
    await api.customer("name=Alice")
    await owner.execute("CREATE SCHEMA mine")

    async def refused(*words: str) -> str:
        code, said = await rollbook(database, tmp_path, "replay", *words)
        assert (code, said.count("\n")) == (1, 1), said
        return said

    for name in ("public", "events", "keys", "projections_previous", "pg_scratch"):
        assert "is a reserved name" in await refused("--until", "1", "--into", name)
    assert "lower case letters" in await refused("--until", "1", "--into", 'x"; DROP SCHEMA events; --')
    assert await refused("--until", "1", "--into", "mine") == "The schema mine is there already.\n"
    assert "The log ends at position" in await refused("--until", "99999", "--into", "scratch")
    assert "no event in that range" in await refused("--until", "2001-01-01", "--into", "scratch")
    assert "no scratch schema mine" in await refused("--drop", "mine")
    assert "no scratch schema events" in await refused("--drop", "events")
    for words in (
        (),
        ("--until", "1"),
        ("--into", "x"),
        ("--until", "yesterday", "--into", "x"),
        ("--list", "--drop", "x"),
    ):
        assert (await rollbook(database, tmp_path, "replay", *words))[0] == 2


async def test_one_that_was_cut_off_is_unfinished_and_one_that_fails_is_dropped(
    api: Api, database: str, owner: asyncpg.Connection, tmp_path: Path
) -> None:
    customer = await api.customer("name=Alice")
    until = await owner.fetchval("SELECT position FROM events.head")
    connection = await asyncpg.connect(database)
    replaying = replays.replay_over(api.core, connection)
    await replaying.create("scratch")
    filling = replaying.fill("scratch", Range(0, until))
    await anext(filling)
    connection.terminate()
    with pytest.raises(asyncpg.InterfaceError):
        await anext(filling)
    code, said = await rollbook(database, tmp_path, "replay", "--until", f"{until}", "--into", "scratch")
    assert (code, said) == (
        1,
        "The schema scratch is there already, unfinished. To drop it: rollbook replay --drop scratch.\n",
    )
    await output_of(database, tmp_path, "replay", "--drop", "scratch")

    stream = f"customer-{customer['id']}"
    await owner.execute(
        "UPDATE keys.subject SET wrapped = $2 WHERE stream = $1", stream, api.core.master_keys.mint(stream)[1]
    )
    code, said = await rollbook(database, tmp_path, "replay", "--until", f"{until}", "--into", "scratch")
    assert code == 1
    assert "does not unseal" in said
    assert await projected.scratch_schemas(owner) == {}


async def test_a_role_that_owns_nothing_is_refused(api: Api, database: str, owner: asyncpg.Connection) -> None:
    await api.customer("name=Alice")
    role = f"app_{secrets.token_hex(4)}"
    await owner.execute(f"CREATE ROLE {role} LOGIN IN ROLE rollbook_service")
    connection = await asyncpg.connect(database, user=role)
    try:
        with pytest.raises(projected.NotReplayed, match=f"The role {role} may not make a schema in this database"):
            await replays.replay_over(api.core, connection).create("scratch")
    finally:
        await connection.close()
        await owner.execute(f"DROP ROLE {role}")


def test_text_with_a_character_that_jsonb_has_not_is_written_all_the_same() -> None:
    taken = {"nul": "a\0b", "escaped": "\\u0000", "both": "\\\0"}
    written = json.loads(projected.for_jsonb(json.dumps(taken).encode()))
    assert written == {"nul": "a\ufffdb", "escaped": "\\u0000", "both": "\\\ufffd"}
