"""kill -9 of an API process between a commit and its answer: the retry gets the first answer, and adds nothing."""

import asyncio
import signal
from collections.abc import AsyncIterator

import aiohttp
import asyncpg
import pytest

from events import folding_code
from events.customer import CUSTOMER
from events.decider import SNAPSHOT_EVENTS
from events.snapshots import Snapshots, fold
from tests.service.http.blocked_appends import appends_blocked, until_blocked
from tests.service.serving import Answer, Api, Launch
from tests.waiting import until

pytestmark = pytest.mark.faults
KEY = "a-key-of-a-client"


@pytest.fixture
async def watcher(database: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


async def post(api: Api, url: str, body: str, idempotency_key: str) -> Answer:
    """Send a POST to another process by the key of `api`."""
    headers = {
        "Authorization": f"Bearer {api.key}",
        "Idempotency-Key": idempotency_key,
        "Content-Type": "application/x-www-form-urlencoded",
    }
    async with api.session.post(url, data=body.encode(), headers=headers) as response:
        return Answer(response.status, response.headers, await response.read())


async def test_a_create_whose_process_died_before_answering_is_answered_by_another(
    api: Api, launch: Launch, database: str, watcher: asyncpg.Connection
) -> None:
    process = await launch()
    async with appends_blocked(database) as blocker:
        lost = asyncio.create_task(post(api, f"{process.url}/v1/customers", "name=x", KEY))
        await until_blocked(blocker)
        process.process.send_signal(signal.SIGSTOP)  # from here on it can answer nobody

    async def committed() -> bool:
        return bool(await watcher.fetchval("SELECT count(*) FROM projections.customer"))

    await until(committed)
    await process.kill9()
    with pytest.raises(aiohttp.ClientError):
        await lost
    again = await api.post("/v1/customers", "name=x", Idempotency_Key=KEY)
    assert (again.status, again.headers["Idempotent-Replayed"]) == (200, "true")
    stored = await watcher.fetchrow("SELECT id, body FROM projections.customer")
    assert (again.json["id"], again.body) == (stored["id"], stored["body"])
    notices = await watcher.fetch("SELECT object_id FROM projections.notice")
    assert [row["object_id"] for row in notices] == [again.json["id"]]


async def test_whenever_a_process_dies_its_clients_retries_make_each_customer_once(
    api: Api, launch: Launch, watcher: asyncpg.Connection
) -> None:
    process = await launch()
    answered: dict[str, str] = {}
    enough = asyncio.Event()

    async def client(name: str) -> None:
        for n in range(10_000):
            key = f"{name}-{n}"
            asked.add(key)
            try:
                answer = await post(api, f"{process.url}/v1/customers", f"name={key}", key)
            except (aiohttp.ClientError, ConnectionError):
                return
            assert answer.status == 200
            answered[key] = answer.json["id"]
            if len(answered) > 100:
                enough.set()

    asked: set[str] = set()
    async with asyncio.TaskGroup() as clients:
        for number in range(8):
            clients.create_task(client(f"client{number}"))
        await enough.wait()
        await process.kill9()
    lost = asked - answered.keys()
    assert lost, "some request was under way"
    for key in asked:
        answer = await api.post("/v1/customers", f"name={key}", Idempotency_Key=key)
        assert answer.status == 200
        assert answered.setdefault(key, answer.json["id"]) == answer.json["id"]
    stored = {row["id"] for row in await watcher.fetch("SELECT id FROM projections.customer")}
    assert stored == set(answered.values())
    assert len(stored) == len(asked) == await watcher.fetchval("SELECT count(*) FROM projections.notice")


async def test_whenever_a_process_dies_what_several_streams_agree_on_is_there_whole_or_not_at_all(
    api: Api, launch: Launch, watcher: asyncpg.Connection
) -> None:
    """The customer, the coupon it redeems, the token it uses up and the payment method it gets are one commit."""
    await api.post("/v1/coupons", "id=SALE&percent_off=10")
    number = "card[number]=4242424242424242&card[exp_month]=12&card[exp_year]=2040"
    tokens = [(await api.post("/v1/tokens", number)).json["id"] for _ in range(40)]
    process = await launch()
    answered: dict[str, str] = {}
    enough = asyncio.Event()

    def asked_for(token: str) -> str:
        return f"source={token}&coupon=SALE&payment_method=pm_card_visa&balance=-5"

    async def client(mine: list[str]) -> None:
        for token in mine:
            try:
                answer = await post(api, f"{process.url}/v1/customers", asked_for(token), token)
            except (aiohttp.ClientError, ConnectionError):
                return
            assert answer.status == 200, answer.body
            answered[token] = answer.json["id"]
            if len(answered) > 10:
                enough.set()

    async with asyncio.TaskGroup() as clients:
        for start in range(4):
            clients.create_task(client(tokens[start::4]))
        await enough.wait()
        await process.kill9()
    assert len(answered) < len(tokens), "some request was under way"
    redeemed = (await api.get("/v1/coupons/SALE")).json["times_redeemed"]
    there = await watcher.fetchval("SELECT count(*) FROM projections.customer")
    assert len(answered) <= there == redeemed
    for token in tokens:
        answer = await api.post("/v1/customers", asked_for(token), Idempotency_Key=token)
        assert answer.status == 200, answer.body
        assert answered.setdefault(token, answer.json["id"]) == answer.json["id"]
        assert (await api.get(f"/v1/tokens/{token}")).json["used"] is True
    kinds = "SELECT kind, count(*) FROM projections.resource WHERE kind = ANY ($1) AND NOT deleted GROUP BY kind"
    counted = await watcher.fetch(kinds, ["source", "payment_method", "customer_balance_transaction"])
    assert {count for _, count in counted} == {len(set(answered.values()))} == {len(tokens)}
    assert len(counted) == 3
    assert (await api.get("/v1/coupons/SALE")).json["times_redeemed"] == len(tokens)


async def test_whenever_a_process_dies_a_snapshot_it_left_is_the_state_of_the_whole_history(
    api: Api, launch: Launch, watcher: asyncpg.Connection
) -> None:
    id = (await api.customer())["id"]
    path = f"/v1/customers/{id}/balance_transactions"
    process = await launch()
    asked: set[str] = set()
    answered: set[str] = set()
    enough = asyncio.Event()

    async def client(name: str) -> None:
        for n in range(10_000):
            key = f"{name}-{n}"
            asked.add(key)
            try:
                answer = await post(api, f"{process.url}{path}", "amount=1&currency=usd", key)
            except (aiohttp.ClientError, ConnectionError):
                return
            assert answer.status == 200, answer.body
            answered.add(key)
            if len(answered) > SNAPSHOT_EVENTS + 10:
                enough.set()

    async with asyncio.TaskGroup() as clients:
        for number in range(4):
            clients.create_task(client(f"client{number}"))
        await enough.wait()
        await process.kill9()
    assert asked - answered, "some request was under way"
    core, stream, code = api.core, CUSTOMER.stream(id), folding_code.digest(CUSTOMER.evolve.__module__)
    assert code is not None
    assert (await core.log.load_state(stream, code)).snapshot is not None
    loaded, _ = await Snapshots(core.log, core.codec, core.master_keys).load(CUSTOMER, stream)
    whole = fold(CUSTOMER, core.codec, core.master_keys, stream, await core.log.load(stream))
    assert loaded is not None
    assert whole is not None
    assert (loaded.state, loaded.version, loaded.hash) == (whole.state, whole.version, whole.hash)
    assert len(answered) <= len(whole.state.balance.transactions) <= len(asked)
    for key in asked:
        again = await api.post(path, "amount=1&currency=usd", Idempotency_Key=key)
        assert again.status == 200, again.body
    assert (await api.get(f"/v1/customers/{id}")).json["balance"] == len(asked)
