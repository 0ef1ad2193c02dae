"""Erasing a person: what is left of one who had a value in every field, and what each route answers afterwards."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import asyncpg
import pytest

from events import chain
from events.customer import CUSTOMER
from events.customer.erasure import EraseCustomer, NotErasable, PlaceHold, ReleaseHold
from events.errors import Missing
from events.history import History
from events.log import record_of
from events.record import Origin
from events.scope import Scope
from service import history
from service.history import StreamHistory
from service.history_kinds import KINDS
from tests.acting import update
from tests.projections.rebuilding import rebuild_customers
from tests.service.http.subscriptions import report
from tests.service.person import EVERY, echoing, person
from tests.service.serving import ACCOUNT, Api, Launch, Serve
from tests.waiting import until

TABLES = """
SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname IN ('events', 'keys', 'projections', 'webhooks')
"""


@pytest.fixture
async def owner(database: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


def origin(api: Api) -> Origin:
    return Origin(account=ACCOUNT, livemode=False, at=api.core.clock.now(), actor="system")


async def erase(api: Api, id: str, **more: Any) -> bool:
    at = int(api.core.clock.now().timestamp())
    command = EraseCustomer(id=id, at=at, basis="GDPR Art. 17", requested_by="test", **more)
    return await api.core.eraser.erase(command, origin(api))


async def found(owner: asyncpg.Connection, values: Sequence[str]) -> dict[str, list[str]]:
    """In which tables each value is, bytea looked into as well, without regard to case."""
    where: dict[str, list[str]] = {}
    for (table,) in await owner.fetch(TABLES):
        [(text,)] = await owner.fetch(f"SELECT coalesce(string_agg(t::text, '\n'), '') FROM {table} t")
        text = text.lower()
        for value in values:
            if value.lower() in text or value.encode().hex() in text or value.lower().encode().hex() in text:
                where.setdefault(value, []).append(table)
    return where


async def read_models(owner: asyncpg.Connection) -> list[Any]:
    customers = await owner.fetch("SELECT * FROM projections.customer ORDER BY id")
    resources = await owner.fetch("SELECT * FROM projections.resource WHERE parent <> '' ORDER BY kind, id")
    return [tuple(row) for row in (*customers, *resources)]


async def breaks(owner: asyncpg.Connection) -> dict[str, int]:
    """The streams whose chain is broken, and at which version."""
    records: dict[str, list[Any]] = {}
    for row in await owner.fetch("SELECT * FROM events.log ORDER BY stream, version"):
        records.setdefault(row["stream"], []).append(record_of(row))
    broken = {stream: chain.first_break(each) for stream, each in records.items()}
    return {stream: version for stream, version in broken.items() if version is not None}


async def test_no_byte_of_an_erased_person_is_left(
    serve: Serve, launch: Launch, owner: asyncpg.Connection, database: str, tmp_path: Any
) -> None:
    api = await serve()
    async with echoing() as receiver:
        hook = await api.post("/v1/webhook_endpoints", f"url={receiver.url}&enabled_events[]=*")
        assert hook.status == 200, hook.body
        process = await launch("serve")
        known = await person(api)
        neighbor = await api.customer("name=Neighbor&email=neighbor@example.com", Idempotency_Key="neighbor")
        before = await found(owner, EVERY)
        assert set(before) == set(EVERY), "each of them is looked for in the right way"
        notices = await owner.fetchval("SELECT count(*) FROM projections.notice")

        async def delivered() -> bool:
            return bool(await owner.fetchval("SELECT count(*) = $1 FROM webhooks.attempt WHERE excerpt <> ''", notices))

        await until(delivered)
        assert await erase(api, known["customer"])
        assert await found(owner, EVERY) == {}
        assert await breaks(owner) == {}

        async def redaction_arrived() -> bool:
            return any(b'"type": "customer.redacted"' in each.body for each in receiver.received)

        await until(redaction_arrived)
        assert await found(owner, EVERY) == {}
        await process.kill9()
    logs = "".join(path.read_text() for path in tmp_path.glob("*.log")).lower()
    assert "webhook" in logs
    assert [value for value in EVERY if value.lower() in logs] == []
    rows = await read_models(owner)
    await rebuild_customers(database, api.core.folds)
    assert await read_models(owner) == rows
    assert (await api.customer("name=Neighbor&email=neighbor@example.com", Idempotency_Key="neighbor")) == neighbor


async def test_routes_answer_of_an_erased_customer_as_of_a_deleted_one(api: Api) -> None:
    known = await person(api)
    id = known["customer"]
    assert await erase(api, id)
    assert not await erase(api, id), "once is enough"
    path = f"/v1/customers/{id}"
    assert (await api.get(path)).json == {"id": id, "object": "customer", "deleted": True}
    beneath = ("sources", "payment_methods", "tax_ids", "balance_transactions", "subscriptions", "cash_balance")
    assert [(await api.get(f"{path}/{name}")).status for name in beneath] == [404] * len(beneath)
    assert (await api.get("/v1/customers")).json["data"] == []
    assert (await api.get("/v1/customers/search?query=name:'qqname16'")).json["data"] == []
    for method in (known["method"], known["detached"]):
        shown = (await api.get(f"/v1/payment_methods/{method}")).json
        assert (shown["customer"], shown["billing_details"]["name"], shown["metadata"]) == (None, None, {})
    assert "card" not in (await api.get(f"/v1/tokens/{known['token']}")).json
    changes = {
        path: "name=Back",
        f"{path}/sources": "source=tok_visa",
        f"{path}/tax_ids": "type=us_ein&value=12-3456789",
        f"{path}/balance_transactions": "amount=1&currency=usd",
        f"{path}/cash_balance": "settings[reconciliation_mode]=manual",
        f"{path}/sources/{known['source']}": "name=Back",
        f"/v1/payment_methods/{known['method']}": "metadata[a]=b",
        f"/v1/payment_methods/{known['method']}/attach": f"customer={id}",
        f"/v1/payment_methods/{known['method']}/detach": "",
        "/v1/payment_methods": f"type=card&card[token]={known['token']}",
    }
    answers = {changed: await api.post(changed, body) for changed, body in changes.items()}
    assert {changed: answer.status // 100 for changed, answer in answers.items()} == dict.fromkeys(changes, 4)
    assert (await api.delete(path)).status == 404
    events = (await api.get("/v1/events?limit=100")).json["data"]
    assert all(set(one["data"]["object"]) <= {"id", "object", "customer", "redacted"} for one in events[12:])
    assert events[0]["type"] == "customer.redacted"
    assert events[0]["data"] == {"object": {"id": id, "object": "customer", "deleted": True, "redacted": True}}
    replay = await api.post(path, "description=qqupdated33", Idempotency_Key="unchanged")
    assert replay.status == 400
    assert "erased" in replay.error["message"]


async def test_notices_in_older_versions_of_the_api_are_redacted_too(api: Api) -> None:
    known = await person(api)
    await erase(api, known["customer"])
    for version in ("2020-08-27", "2025-09-30.clover"):
        shown = await api.get("/v1/events?limit=100", Stripe_Version=version)
        assert shown.status == 200
        assert [value for value in EVERY if value in shown.body.decode()] == []


async def test_a_deleted_customer_is_erased_and_its_deletion_is_not_told_again(
    api: Api, owner: asyncpg.Connection
) -> None:
    id = (await api.customer("name=qqname16&source=tok_visa&payment_method=pm_card_visa"))["id"]
    assert (await api.delete(f"/v1/customers/{id}")).status == 200
    assert await found(owner, ["qqname16"]) != {}, "the event of the deletion shows the customer"
    before = await api.events()
    assert await erase(api, id)
    assert await found(owner, ["qqname16"]) == {}
    assert [event["type"] for event in (await api.events())[len(before) :]] == ["customer.redacted"]


async def test_a_hold_and_a_running_subscription_forbid_an_erasure(api: Api, owner: asyncpg.Connection) -> None:
    id = (await api.customer("name=qqname16"))["id"]
    await report(api, id)
    with pytest.raises(NotErasable, match="running"):
        await erase(api, id)
    hold = PlaceHold(id="hold_1", at=1, reason="qqreason1")
    await update(api.core.executor, CUSTOMER, id, hold, origin(api))
    assert await found(owner, ["qqreason1"]) == {}, "a reason is sealed"
    with pytest.raises(NotErasable, match="hold_1"):
        await erase(api, id, cancel_subscriptions=True)
    assert (await api.get(f"/v1/customers/{id}")).json["name"] == "qqname16"
    await update(api.core.executor, CUSTOMER, id, ReleaseHold(id=None, at=2), origin(api))
    assert await erase(api, id, cancel_subscriptions=True)


async def test_a_customer_of_another_account_is_not_erased(api: Api) -> None:
    id = (await api.customer())["id"]
    command = EraseCustomer(id=id, at=1, basis="", requested_by="")
    with pytest.raises(Missing):
        await api.core.eraser.erase(command, origin(api)._replace(account="acct_other"))
    with pytest.raises(Missing):
        await erase(api, "cus_none")


async def test_every_process_forgets_what_it_has_cached(serve: Serve) -> None:
    first, second = await serve(), await serve()
    id = (await first.customer("name=qqname16"))["id"]
    await second.update(id, "name=qqname17")
    stream, loader = CUSTOMER.stream(id), second.core.executor._loader
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(second.core.invalidation.run(stop))

        async def cached() -> bool:  # from when it listens on, and has dropped what it had
            await second.update(id, "name=qqname18")
            return loader.generation >= 2 and loader.cached(stream) is not None

        await until(cached)
        await erase(first, id)
        await until(lambda: loader.cached(stream) is None)
        stop.set()
    answer = await second.post(f"/v1/customers/{id}", "name=qqname18")
    assert answer.status == 404


async def test_an_erasure_drops_the_states_that_a_history_keeps(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "MARK_EVENTS", 2)
    first, second = await serve(), await serve()
    stream = CUSTOMER.stream((await first.customer("name=qqname16"))["id"])
    id = stream.removeprefix(CUSTOMER.stream(""))
    for number in range(3):
        await first.update(id, f"name=qqname{number}")
    core, kind, scope = second.core, KINDS["customers"], Scope(ACCOUNT, False)
    histories = StreamHistory(History(core.pool), core.codec, core.master_keys)
    core.invalidation.add(histories.erase)
    head = await histories.head(kind, scope, id)
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(core.invalidation.run(stop))
        await until(lambda: histories._generation >= 2)  # it listens
        assert [each.sealed async for each in histories.events(kind, stream, head, 4, 4)] == [False]
        assert stream in histories._marks
        await erase(first, id)
        await until(lambda: not histories._marks)
        stop.set()


async def test_a_process_that_heard_nothing_of_an_erasure_answers_no_byte_of_it(serve: Serve) -> None:
    first, second = await serve(), await serve()
    id = (await first.customer("name=qqname16&payment_method=pm_card_visa"))["id"]
    [method] = (await first.get(f"/v1/customers/{id}/payment_methods")).json["data"]
    await second.update(id, "name=qqname17")
    await second.post(f"/v1/payment_methods/{method['id']}", "billing_details[name]=qqbilling25")
    await erase(first, id)
    for path, body in ((f"/v1/customers/{id}", "name=qqname17"), (f"/v1/payment_methods/{method['id']}", "")):
        answer = await second.post(path, body)
        assert answer.status in (400, 404)
        assert b"qq" not in answer.body


async def test_an_erasure_and_changes_at_the_same_time_leave_nothing(api: Api, owner: asyncpg.Connection) -> None:
    id = (await api.customer("name=qqname16"))["id"]
    changes = [api.post(f"/v1/customers/{id}", f"name=qqname{number}") for number in range(20, 40)]
    erased, answers = await asyncio.gather(erase(api, id), asyncio.gather(*changes))
    assert erased
    assert {answer.status for answer in answers} <= {200, 404, 429}
    assert await found(owner, ["qqname"]) == {}
    assert await breaks(owner) == {}


async def test_versions_of_read_models_that_are_not_in_use_forget_too(
    api: Api, owner: asyncpg.Connection, database: str
) -> None:
    id = (await api.customer("name=Zebulon Quark&email=zebulon@example.com"))["id"]
    await rebuild_customers(database, api.core.folds)
    versions = "SELECT count(*) FROM projections_previous.customer WHERE strpos(encode(body, 'escape'), 'Zebulon') > 0"
    assert await owner.fetchval(versions) == 1
    assert await erase(api, id)
    assert await owner.fetchval(versions) == 0
    await rebuild_customers(database, api.core.folds)
    assert await owner.fetchval("SELECT count(*) FROM projections.customer WHERE id = $1 AND deleted", id) == 1
