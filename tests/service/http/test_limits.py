"""Admission control: requests in flight, rates, waiting writes, feeds and searches; what exceeds a limit is shed."""

import asyncio
from contextlib import suppress

import pytest

from events.scope import Scope
from projections.read import Principal
from service.http.limits.admission import IDLE_S, SEARCHES_AT_ONCE, Admission, Bounds, Bucket
from service.http.limits.shed import RateLimited
from tests import api_keys
from tests.service.http.load import (
    in_flight,
    key_id_of,
    limited,
    log_head_locked,
    metric,
    overloaded,
    sample,
    search_table_locked,
    waits,
)
from tests.service.serving import Serve
from tests.waiting import until


async def test_a_key_has_so_many_requests_in_flight_and_the_next_is_refused_at_once(serve: Serve) -> None:
    api = await serve(key_in_flight_max=2)
    other = await api.issue()
    await api.customer()  # from now on the key is known, and a request in flight is counted to it
    async with log_head_locked(api):
        waiting = [asyncio.create_task(api.post("/v1/customers")) for _ in range(2)]
        await until(in_flight(api, 2))
        limited(await api.post("/v1/customers", "name=third", Idempotency_Key="k3"), "global-concurrency")
        assert (await api.get("/v1/customers", key=other)).status == 200, "another key is not touched"
    assert [(await task).status for task in waiting] == [200, 200]
    answer = await api.post("/v1/customers", "name=third", Idempotency_Key="k3")
    assert (answer.status, answer.headers.get("Idempotent-Replayed")) == (200, None), "nothing was kept"
    assert await metric(api, 'service_rejected_total{reason="key-concurrency"}') == 1
    assert await metric(api, "service_requests_in_flight") == 0


async def test_an_account_has_so_many_in_flight_with_all_its_keys(serve: Serve) -> None:
    api = await serve(account_in_flight_max=1)
    second, stranger = await api.issue(), await api.issue(account="acct_other")
    live = await api.issue(livemode=True)
    await api.customer()
    async with log_head_locked(api):
        waiting = asyncio.create_task(api.post("/v1/customers"))
        await until(in_flight(api, 1))
        for key in (second, live):
            limited(await api.get("/v1/customers", key=key), "global-concurrency")
        assert (await api.get("/v1/customers", key=stranger)).status == 200, "others are not touched"
    assert (await waiting).status == 200
    assert (await api.get("/v1/customers", key=second)).status == 200


async def test_a_process_has_so_many_in_flight_and_still_answers_health_checks(serve: Serve) -> None:
    api = await serve(in_flight_max=1)
    async with log_head_locked(api):
        waiting = asyncio.create_task(api.post("/v1/customers"))
        await until(in_flight(api, 1))
        overloaded(await api.post("/v1/customers", Idempotency_Key="k"))
        async with api.session.get(f"{api.url}/healthz") as response:
            assert response.status == 200
    assert (await waiting).status == 200
    answer = await api.post("/v1/customers", Idempotency_Key="k")
    assert (answer.status, answer.headers.get("Idempotent-Replayed")) == (200, None)


async def test_a_key_has_so_many_requests_a_second(serve: Serve) -> None:
    api = await serve(test_rate_max=5)
    answers = await asyncio.gather(*(api.get("/v1/customers") for _ in range(40)))
    refused = [answer for answer in answers if answer.status != 200]
    assert 5 <= len(answers) - len(refused) < 40
    for answer in refused:
        limited(answer, "global-rate")
    assert (await api.get("/v1/customers", key=await api.issue(livemode=True))).status == 200


async def test_a_client_that_does_not_wait_is_not_refused_over_and_over(serve: Serve) -> None:
    api = await serve(test_rate_max=1)
    asked = f"GET /v1/customers HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {api.key}\r\n\r\n".encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)

    async def status() -> bytes:
        writer.write(asked)
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        [length] = [int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length")]
        await reader.readexactly(length)
        return head[9:12]

    while await status() != b"429":
        pass
    began = asyncio.get_running_loop().time()
    await status()
    assert asyncio.get_running_loop().time() - began >= 0.9, "it is read again when Retry-After is over"
    async with api.session.get(f"{api.url}/healthz") as response:
        assert response.status == 200, "other connections are not touched"
    writer.close()


async def test_searches_have_a_rate_of_their_own(serve: Serve) -> None:
    api = await serve(search_rate_max=1)
    path = "/v1/customers/search?query=name:'a'"
    answers = await asyncio.gather(*(api.get(path) for _ in range(10)))
    limited(next(answer for answer in answers if answer.status != 200), "endpoint-rate")
    assert (await api.get("/v1/customers")).status == 200


def test_a_bucket_has_tokens_for_a_second_and_loses_none_to_requests_out_of_order() -> None:
    bucket = Bucket(100.0, 2)
    assert [bucket.take(100.0, 2) for _ in range(3)] == [True, True, False]
    assert bucket.take(100.6, 2)
    assert not bucket.take(99.0, 2), "an earlier request takes no time back"
    assert bucket.take(101.1, 2)
    assert [bucket.take(900.0, 2) for _ in range(3)] == [True, True, False]


async def test_writes_that_would_wait_too_long_are_refused_at_once_and_reads_go_on(serve: Serve) -> None:
    api = await serve(append_wait_max_s=0.2)
    async with log_head_locked(api):
        waiting = asyncio.create_task(api.post("/v1/customers"))
        await until(lambda: api.core.commit.wait_s() > 0.2)
        overloaded(await api.post("/v1/customers", Idempotency_Key="k"))
        overloaded(await api.delete("/v1/customers/cus_1"))
        assert (await api.get("/v1/customers")).status == 200
    assert (await waiting).status == 200
    await until(lambda: api.core.commit.wait_s() == 0)
    answer = await api.post("/v1/customers", Idempotency_Key="k")
    assert (answer.status, answer.headers.get("Idempotent-Replayed")) == (200, None)
    assert await metric(api, 'service_rejected_total{reason="append-wait"}') == 2


async def test_a_request_that_takes_too_long_is_given_up_and_may_be_retried(serve: Serve) -> None:
    api = await serve(request_timeout_s=0.4)
    async with log_head_locked(api):
        answer = await api.post("/v1/customers", "email=late@example.com", Idempotency_Key="k")
        overloaded(answer)
        assert "idempotency key" in answer.error["message"]
    again = await api.post("/v1/customers", "email=late@example.com", Idempotency_Key="k")
    assert again.status == 200
    found = (await api.get("/v1/customers?email=late@example.com")).json["data"]
    assert [one["id"] for one in found] == [again.json["id"]], "made once"
    assert await metric(api, "service_requests_timed_out_total") == 1
    assert await metric(api, "service_requests_in_flight") == 0


async def test_what_waits_for_the_feed_is_neither_late_nor_in_flight(serve: Serve) -> None:
    api = await serve(request_timeout_s=0.4, key_in_flight_max=1)
    waiting = asyncio.create_task(api.get("/v1/rollbook/feed?after=0&wait=30"))
    await until(lambda: waits(api, 1))
    async with log_head_locked(api):
        overloaded(await api.post("/v1/customers"))  # late, and begun after the one that waits

    async def created() -> bool:  # refused at first where the late one is not gone yet, or the feed looks for news
        return (await api.post("/v1/customers", "name=x")).status == 200

    await until(created)
    answer = await waiting
    assert answer.status == 200
    assert b"customer.created" in answer.body


FEED_SHARES = [("feed_key_waiting_max", "feed-key"), ("feed_account_waiting_max", "feed-account")]


@pytest.mark.parametrize(("setting", "reason"), FEED_SHARES)
async def test_one_key_or_account_does_not_take_all_slots_of_the_feed(serve: Serve, setting: str, reason: str) -> None:
    api = await serve(**{setting: 1})
    stranger = await api.issue(account="acct_other")
    waiting = [asyncio.create_task(api.get("/v1/rollbook/feed?after=0&wait=30"))]
    await until(lambda: waits(api, 1))
    of_the_same = api.key if reason == "feed-key" else await api.issue(livemode=True)
    limited(await api.get("/v1/rollbook/feed?after=0&wait=30", key=of_the_same), "endpoint-concurrency")
    waiting.append(asyncio.create_task(api.get("/v1/rollbook/feed?after=0&wait=30", key=stranger)))
    await until(lambda: waits(api, 2))
    assert await metric(api, f'service_rejected_total{{reason="{reason}"}}') == 1
    for task in waiting:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


BOUNDS = Bounds(
    in_flight_max=10,
    account_in_flight_max=10,
    key_in_flight_max=1,
    live_rate_max=0,
    test_rate_max=0,
    search_rate_max=0,
    bytes_max=16 * 1024 * 1024,
    account_bytes_max=16 * 1024 * 1024,
    key_bytes_max=16 * 1024 * 1024,
    append_wait_max_s=1.0,
    timeout_s=0.04,
)


@pytest.mark.parametrize(("requests", "bytes"), [(3, 0), (1, 9 * 1024 * 1024)], ids=["many requests", "many bytes"])
async def test_memory_is_given_back_after_a_busy_spell_and_only_then(requests: int, bytes: int) -> None:
    given_back: list[None] = []
    admission = Admission(BOUNDS, give_back=lambda: given_back.append(None))
    tickets = [admission.enter(0.0, writes=False) for _ in range(requests)]
    tickets[0].answer(bytes)
    admission.sweep(0.0)
    assert not given_back, "still busy"
    for ticket in tickets:
        ticket.release()
    admission.sweep(0.0)
    admission.sweep(0.0)
    assert len(given_back) == 1


async def test_the_share_of_a_key_is_kept_while_its_requests_wait() -> None:
    admission, caller = (
        Admission(BOUNDS),
        Principal("key_1", Scope("acct_1", False), key_type="secret", permissions=frozenset()),
    )
    waiting = admission.enter(0.0, writes=False)
    waiting.admit(caller, 0.0)
    waiting.suspend()
    share = admission.share(caller)
    share.last = -IDLE_S - 1.0  # long ago
    await admission.open()
    swept = asyncio.get_running_loop().time() + 0.1
    await until(lambda: asyncio.get_running_loop().time() > swept)
    assert admission.share(caller) is share
    waiting.resume()
    another = admission.enter(0.0, writes=False)
    with pytest.raises(RateLimited):
        another.admit(caller, 0.0)
    another.release()
    waiting.suspend()
    waiting.release()  # its client is gone
    await until(lambda: admission.share(caller) is not share)
    await admission.close()


async def test_a_wait_that_begins_after_its_client_is_gone_ends_at_once() -> None:
    admission, ended = Admission(BOUNDS), list[None]()
    ticket = admission.enter(0.0, writes=False)
    ticket.gone()
    ticket.suspend(lambda: ended.append(None))
    assert ended == [None]
    ticket.resume()
    ticket.gone()
    assert ended == [None], "it waits no longer"


async def test_a_feed_that_waits_does_not_outlive_its_key(serve: Serve) -> None:
    api = await serve(key_cache_s=0)
    key = await api.issue()
    key_id = await key_id_of(api, key)
    waiting = asyncio.create_task(api.get("/v1/rollbook/feed?after=0&wait=30", key=key))
    await until(lambda: waits(api, 1))
    await api_keys.revoke(api.core, key_id)
    await api.customer("name=secret")
    answer = await waiting
    assert answer.status == 401, answer.body
    assert b"secret" not in answer.body


@pytest.mark.parametrize("known", [False, True], ids=["without a key", "with one"])
async def test_bodies_that_do_not_arrive_keep_nobody_out(serve: Serve, known: bool) -> None:
    api = await serve(in_flight_max=4)
    form = b"card[number]=4242424242424242&card[exp_month]=12&card[exp_year]=2040"
    head = f"POST /v1/tokens HTTP/1.1\r\nHost: x\r\nContent-Length: {len(form)}\r\n"
    head += f"Content-Type: application/x-www-form-urlencoded\r\nAuthorization: Bearer {api.key}\r\n"
    whole, half = head, head if known else head.replace("Authorization", "X-Nothing")
    streams = []
    for number in range(5):
        reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
        writer.write(f"{whole if number == 4 else half}\r\n".encode() + form[:7])
        waited_for = min(number + 1, 4)
        await until(lambda count=waited_for: sample(api, "service_requests_arriving") == count)  # type: ignore[misc]
        streams.append((reader, writer))
    assert sample(api, "service_requests_in_flight") <= 1  # the one that is answered
    assert (await api.get("/v1/customers")).status == 200
    assert (await streams[0][0].readline()).startswith(b"HTTP/1.1 408 ")
    streams[4][1].write(form[7:])
    assert (await streams[4][0].readline()).startswith(b"HTTP/1.1 200 ")
    for _, writer in streams:
        writer.close()


async def test_slow_searches_of_one_account_leave_connections_for_those_of_others(serve: Serve) -> None:
    api = await serve()
    second, stranger = await api.issue(), await api.issue(account="acct_other")
    path = "/v1/customers/search?query=-name%3A%22x%22"
    async with search_table_locked(api) as waiting:
        slow = [asyncio.create_task(api.get(path, key=key)) for key in (api.key, second) for _ in range(4)]

        async def all_of_its_share() -> bool:
            return await waiting() == SEARCHES_AT_ONCE

        await until(in_flight(api, len(slow)))
        await until(all_of_its_share)
        another = asyncio.create_task(api.get(path, key=stranger))

        async def one_more() -> bool:
            return await waiting() == SEARCHES_AT_ONCE + 1

        await until(one_more)
    answers = await asyncio.gather(*slow, another)
    assert {answer.status for answer in answers} == {200}
