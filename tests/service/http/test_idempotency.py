"""Idempotency keys: at most one effect, and the same answer to whoever asks again."""

import asyncio

import asyncpg
import pytest

from service.http import pipeline
from tests.service.http.blocked_appends import appends_blocked, until_blocked
from tests.service.serving import Answer, Api, Serve
from tests.waiting import until

KEY = "a-key-of-a-client"


async def customers(api: Api) -> int:
    shown = (await api.get("/v1/customers?limit=1&expand[]=total_count")).json
    count: int = shown["total_count"]
    return count


async def notices(database: str) -> int:
    connection = await asyncpg.connect(database)
    count: int = await connection.fetchval("SELECT count(*) FROM projections.notice")
    await connection.close()
    return count


def assert_replay(answer: Answer, first: Answer) -> None:
    assert (answer.status, answer.body) == (first.status, first.body), "byte for byte"
    assert answer.headers["Idempotent-Replayed"] == "true"
    assert answer.headers["Original-Request"] == first.headers["Request-Id"]
    assert answer.headers["Request-Id"] != first.headers["Request-Id"]
    assert answer.headers["Idempotency-Key"] == first.headers["Idempotency-Key"]


async def test_a_first_answer_echoes_its_key_and_says_nothing_of_replays(api: Api) -> None:
    answer = await api.post("/v1/customers", "name=x", Idempotency_Key=KEY)
    assert answer.headers["Idempotency-Key"] == KEY
    assert not {"Idempotent-Replayed", "Original-Request"} & set(answer.headers)


async def test_the_same_request_again_is_answered_again_and_done_once(api: Api, database: str) -> None:
    first = await api.post("/v1/customers", "name=x&metadata[a]=1&metadata[b]=2", Idempotency_Key=KEY)
    again = await api.post("/v1/customers", "name=x&metadata[a]=1&metadata[b]=2", Idempotency_Key=KEY)
    assert_replay(again, first)
    reordered = "metadata%5Bb%5D=2&metadata%5Ba%5D=1&name=%78"
    assert_replay(await api.post("/v1/customers", reordered, Idempotency_Key=KEY), first)
    id = first.json["id"]
    updated = await api.post(f"/v1/customers/{id}", "name=y", Idempotency_Key="update")
    await api.update(id, "name=z")
    assert_replay(await api.post(f"/v1/customers/{id}", "name=y", Idempotency_Key="update"), updated)
    assert (await api.get(f"/v1/customers/{id}")).json["name"] == "z"
    assert (await customers(api), await notices(database)) == (1, 3)


async def test_an_update_that_changes_nothing_is_an_answer_to_keep_too(api: Api) -> None:
    made = await api.customer("name=x")
    path = f"/v1/customers/{made['id']}"
    first = await api.post(path, "name=x", Idempotency_Key=KEY)
    await api.update(made["id"], "name=y")
    assert_replay(await api.post(path, "name=x", Idempotency_Key=KEY), first)


async def test_a_replay_outlives_the_object_that_it_shows(api: Api) -> None:
    first = await api.post("/v1/customers", "name=x", Idempotency_Key=KEY)
    path = f"/v1/customers/{first.json['id']}"
    updated = await api.post(path, "name=y", Idempotency_Key="update")
    await api.delete(path)
    assert_replay(await api.post("/v1/customers", "name=x", Idempotency_Key=KEY), first)
    assert_replay(await api.post(path, "name=y", Idempotency_Key="update"), updated)


async def test_a_key_goes_with_its_first_request_only(api: Api) -> None:
    made = await api.customer("name=x", Idempotency_Key=KEY)
    answer = await api.post("/v1/customers", "name=y", Idempotency_Key=KEY)
    assert (answer.status, answer.error["type"]) == (400, "idempotency_error")
    assert "code" not in answer.error
    assert "same parameters" in answer.error["message"]
    assert KEY in answer.error["message"]
    path = f"/v1/customers/{made['id']}"
    answer = await api.post(path, "name=x", Idempotency_Key=KEY)
    assert (answer.status, answer.error["type"]) == (400, "idempotency_error")
    assert f"('POST {path}' vs 'POST /v1/customers')" in answer.error["message"]
    answer = await api.post("/v1/customers", "name=x", Idempotency_Key=KEY, Stripe_Version="2025-09-30.clover")
    assert answer.error["type"] == "idempotency_error"
    answer = await api.post("/v1/customers", "foo=x", Idempotency_Key=KEY)
    assert answer.error["type"] == "idempotency_error", "a replay comes before the parameters are looked at"
    assert await customers(api) == 1


async def test_a_request_corrected_after_a_validation_error_works_under_its_key(api: Api) -> None:
    for wrong in ("foo=x", "email=x", "name=" + "x" * 257, "expand[]=x", "a=1&a[b]=2"):
        answer = await api.post("/v1/customers", wrong, Idempotency_Key=KEY)
        assert (answer.status, answer.headers["Idempotency-Key"]) == (400, KEY)
    first = await api.post("/v1/customers", "name=x", Idempotency_Key=KEY)
    assert first.status == 200
    assert_replay(await api.post("/v1/customers", "name=x", Idempotency_Key=KEY), first)


async def test_a_refusal_by_a_rule_is_an_answer_to_keep(api: Api) -> None:
    await api.customer("invoice_prefix=A")
    first = await api.post("/v1/customers", "invoice_prefix=A", Idempotency_Key=KEY)
    assert first.status == 400
    holder = (await api.get("/v1/customers")).json["data"][0]["id"]
    await api.delete(f"/v1/customers/{holder}")
    assert_replay(await api.post("/v1/customers", "invoice_prefix=A", Idempotency_Key=KEY), first)


async def test_a_missing_customer_is_an_answer_to_keep(api: Api) -> None:
    first = await api.post("/v1/customers/cus_x", "name=x", Idempotency_Key=KEY)
    assert first.status == 404
    assert_replay(await api.post("/v1/customers/cus_x", "name=x", Idempotency_Key=KEY), first)
    assert (await api.post("/v1/customers/cus_x", "name=y", Idempotency_Key=KEY)).error["type"] == "idempotency_error"


async def test_a_fault_of_ours_is_an_answer_to_keep_once_the_request_has_begun_to_act(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(type(api.core.executor), "transact", broken)
    first = await api.post("/v1/customers", "name=x", Idempotency_Key="k")
    monkeypatch.undo()
    again = await api.post("/v1/customers", "name=x", Idempotency_Key="k")
    assert (first.status, again.status) == (500, 500)
    assert again.body == first.body
    assert again.headers["Idempotent-Replayed"] == "true"
    assert (await api.post("/v1/customers", "name=x", Idempotency_Key="another")).status == 200


async def test_an_unauthenticated_request_leaves_its_key_free(api: Api) -> None:
    assert (await api.post("/v1/customers", "name=x", key="sk_test_no", Idempotency_Key=KEY)).status == 401
    assert (await api.post("/v1/customers", "name=x", Idempotency_Key=KEY)).status == 200


async def test_reads_and_deletions_pay_no_heed_to_keys(api: Api) -> None:
    made = await api.customer("name=x", Idempotency_Key=KEY)
    path = f"/v1/customers/{made['id']}"
    for answer in (
        await api.get(path, Idempotency_Key=KEY),
        await api.delete(path, Idempotency_Key=KEY),
    ):
        assert answer.status == 200
        assert not {"Idempotent-Replayed", "Idempotency-Key"} & set(answer.headers)
    assert (await api.delete(path, Idempotency_Key=KEY)).status == 404


async def test_accounts_and_modes_have_keys_of_their_own(api: Api) -> None:
    bodies = {
        (await api.post("/v1/customers", "name=x", Idempotency_Key=KEY, key=key)).body
        for key in (api.key, await api.issue(account="acct_other"), await api.issue(livemode=True))
    }
    assert len(bodies) == 3


@pytest.mark.parametrize("key", ["k" * 256, ""])
async def test_what_cannot_be_a_key_is_refused(api: Api, key: str) -> None:
    assert (await api.post("/v1/customers", "name=x", Idempotency_Key=key)).status == 400
    assert await customers(api) == 0


@pytest.mark.parametrize("key", ["k" * 255, "ключ", "with spaces within", "'; DROP TABLE"])
async def test_any_other_text_is_a_key(api: Api, key: str) -> None:
    first = await api.post("/v1/customers", "name=x", Idempotency_Key=key)
    assert_replay(await api.post("/v1/customers", "name=x", Idempotency_Key=key), first)


async def test_a_key_whose_first_request_still_runs_is_in_use(api: Api, database: str) -> None:
    async with appends_blocked(database) as blocker:
        first = asyncio.create_task(api.post("/v1/customers", "name=x", Idempotency_Key=KEY))
        await until_blocked(blocker)
        for body in ("name=x", "name=y"):
            answer = await api.post("/v1/customers", body, Idempotency_Key=KEY)
            assert (answer.status, answer.error["type"], answer.error["code"]) == (
                409, "idempotency_error", "idempotency_key_in_use",
            )  # fmt: skip
    assert (await first).status == 200
    assert_replay(await api.post("/v1/customers", "name=x", Idempotency_Key=KEY), await first)


async def test_a_client_that_hangs_up_does_not_undo_what_it_began(api: Api, database: str) -> None:
    async with appends_blocked(database) as blocker:
        first = asyncio.create_task(api.post("/v1/customers", "name=x", Idempotency_Key=KEY))
        await until_blocked(blocker)
        first.cancel()
        await asyncio.wait([first])

    async def is_replayed() -> bool:
        answer = await api.post("/v1/customers", "name=x", Idempotency_Key=KEY)
        assert answer.status in (200, 409)
        return "Idempotent-Replayed" in answer.headers

    await until(is_replayed)
    assert await customers(api) == 1


@pytest.mark.parametrize("processes", [1, 2])
async def test_fifty_at_once_under_one_key_make_one_customer(serve: Serve, database: str, processes: int) -> None:
    apis = [await serve() for _ in range(processes)]
    answers = await asyncio.gather(
        *(apis[n % processes].post("/v1/customers", "name=x", Idempotency_Key=KEY) for n in range(50))
    )
    done = [answer for answer in answers if answer.status == 200]
    firsts = [answer for answer in done if "Idempotent-Replayed" not in answer.headers]
    assert len(firsts) == 1
    for answer in done:
        if answer is not firsts[0]:
            assert_replay(answer, firsts[0])
    for answer in answers:
        assert answer.status == 200 or answer.error["code"] == "idempotency_key_in_use"
    assert (await customers(apis[0]), await notices(database)) == (1, 1)


async def test_replays_at_once_meet_no_conflict(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "KEY_IN_USE_WAIT_S", 0)  # however long the reads of the receipt take
    first = await api.post("/v1/customers", "name=x", Idempotency_Key=KEY)
    for answer in await asyncio.gather(
        *(api.post("/v1/customers", "name=x", Idempotency_Key=KEY) for _ in range(50)),
    ):
        assert_replay(answer, first)
    others = await asyncio.gather(*(api.post("/v1/customers", "name=y", Idempotency_Key=KEY) for _ in range(10)))
    assert {(answer.status, answer.error["type"]) for answer in others} == {(400, "idempotency_error")}


async def test_requests_that_wait_for_the_first_get_its_answer(api: Api, database: str) -> None:
    async with appends_blocked(database) as blocker:
        requests = [asyncio.create_task(api.post("/v1/customers", "name=x", Idempotency_Key=KEY)) for _ in range(3)]
        await until_blocked(blocker)
    first, *others = sorted([await task for task in requests], key=lambda a: "Idempotent-Replayed" in a.headers)
    for other in others:
        assert_replay(other, first)


async def test_one_that_waits_acts_itself_when_the_first_had_no_answer_to_keep(api: Api, database: str) -> None:
    async with appends_blocked(database) as blocker:
        first = asyncio.create_task(api.post("/v1/customers", "name=x", Idempotency_Key=KEY))
        await until_blocked(blocker)
        second = asyncio.create_task(api.post("/v1/customers", "foo=x", Idempotency_Key=KEY))
        first.cancel()  # goes on, as the client's going undoes nothing
        await asyncio.wait([first])
    assert (await second).error["type"] == "idempotency_error", "the first was made with other parameters"
    wrong = [api.post("/v1/customers", body, Idempotency_Key="another") for body in ("foo=x", "name=x", "bar=x")]
    statuses = [answer.status for answer in await asyncio.gather(*wrong)]
    assert statuses == [400, 200, 400], "one after another"


async def test_two_processes_with_one_key_in_flight_give_one_answer(serve: Serve, database: str) -> None:
    one, two = await serve(), await serve()
    async with appends_blocked(database) as blocker:
        requests = [asyncio.create_task(api.post("/v1/customers", "name=x", Idempotency_Key=KEY)) for api in (one, two)]
        await until_blocked(blocker, appends=2)
    first, second = sorted([await task for task in requests], key=lambda a: "Idempotent-Replayed" in a.headers)
    assert_replay(second, first)
    async with appends_blocked(database) as blocker:
        path = f"/v1/customers/{first.json['id']}"
        requests = [
            asyncio.create_task(api.post(path, f"name={api.port}", Idempotency_Key="update")) for api in (one, two)
        ]
        await until_blocked(blocker, appends=2)
    statuses = sorted([(await task).status for task in requests])
    assert statuses == [200, 400], "the later of two different requests under one key is refused"


async def test_a_key_is_forgotten_after_24_hours_and_not_before(api: Api, database: str) -> None:
    first = await api.post("/v1/customers", "name=x", Idempotency_Key=KEY)
    await _age(database, "23 hours 59 minutes")
    assert_replay(await api.post("/v1/customers", "name=x", Idempotency_Key=KEY), first)
    await _age(database, "2 minutes")
    anew = await api.post("/v1/customers", "name=y", Idempotency_Key=KEY)
    assert (anew.status, anew.json["name"]) == (200, "y")
    assert_replay(await api.post("/v1/customers", "name=y", Idempotency_Key=KEY), anew)
    assert await customers(api) == 2


async def _age(database: str, by: str) -> None:
    """Make every receipt older, as the days would."""
    connection = await asyncpg.connect(database)
    for days in (1, 2):
        await connection.execute("SELECT events.make_day('events.receipt', current_date - $1::integer)", days)
    await connection.execute("UPDATE events.receipt SET answered_at = answered_at - $1::text::interval", by)
    await connection.close()
