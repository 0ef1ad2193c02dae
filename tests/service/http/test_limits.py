"""What a process takes on at once: requests, bytes, connections and time are bounded, and the rest refused at once."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from typing import Any

import asyncpg
import pytest

from events.scope import Scope
from projections.read import Principal
from service.http import credentials
from service.http.large_body import PART_BYTES
from service.http.limits.admission import IDLE_S, SEARCHES_AT_ONCE, Admission, Bounds, Bucket
from service.http.limits.connections import RESERVED_FILES, Bounded, open_max
from service.http.limits.shed import RateLimited
from tests import api_keys
from tests.service.serving import Answer, Api, Serve
from tests.waiting import until

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


async def waits(api: Api, count: int) -> bool:
    return await metric(api, "service_feed_waiting") == count


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


async def key_id_of(api: Api, key: str) -> str:
    principal = await api.core.reader.principal(credentials.digest(key))
    assert principal is not None
    return principal.key_id


@contextmanager
def that_do_not_read(api: Api, path: str, count: int) -> Iterator[None]:
    """Clients that ask four times each, and read nothing."""
    request = f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {api.key}\r\n\r\n".encode()
    with ExitStack() as stack:
        for _ in range(count):
            client = stack.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", api.port))
            client.sendall(request * 4)
        yield


async def many_large(api: Api) -> None:
    await asyncio.gather(*(api.customer(METADATA) for _ in range(100)))


async def test_a_reader_that_does_not_read_is_cut_off(serve: Serve) -> None:
    api = await serve(write_timeout_s=0.5)
    await many_large(api)

    async def are_cut_off() -> bool:
        return await metric(api, "service_answers_cut_off_total") == 3

    with that_do_not_read(api, "/v1/customers?limit=100", 3):
        await until(are_cut_off)
        await until(in_flight(api, 0))
        assert await metric(api, "service_bytes_in_flight") == 0


async def test_unread_answers_are_bounded_in_bytes(serve: Serve) -> None:
    api = await serve(key_bytes_in_flight_max=4_000_000)
    other = await api.issue()
    await many_large(api)

    async def is_limited() -> bool:
        answer = await api.get("/v1/customers?limit=100")
        if answer.status == 200:
            return False
        limited(answer, "resource-specific")
        return True

    with that_do_not_read(api, "/v1/customers?limit=100", 4):
        await until(is_limited)
        assert (await api.get("/v1/customers?limit=100", key=other)).status == 200
        assert await metric(api, "service_bytes_in_flight") <= 8_000_000
    await until(in_flight(api, 0))
    assert await metric(api, "service_bytes_in_flight") == 0
    assert (await api.get("/v1/customers?limit=100")).status == 200


async def test_a_reader_that_takes_an_answer_bit_by_bit_is_cut_off_too(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Bounded.connection_made

    def with_little_room_in_the_kernel(self: Bounded, transport: asyncio.BaseTransport) -> None:
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        made(self, transport)

    monkeypatch.setattr(Bounded, "connection_made", with_little_room_in_the_kernel)
    api = await serve(write_timeout_s=2.0)
    await many_large(api)
    loop = asyncio.get_running_loop()
    request = f"GET /v1/customers?limit=100 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {api.key}\r\n\r\n"
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", api.port))
        client.sendall(request.encode())
        client.setblocking(False)
        began, taken = loop.time(), 0

        async def is_cut_off() -> bool:
            nonlocal taken
            if (loop.time() - began) * 2 * PART_BYTES > taken:  # each part in time, and all of them in ten seconds
                with suppress(BlockingIOError):
                    taken += len(client.recv(PART_BYTES))
            return await metric(api, "service_answers_cut_off_total") == 1

        await until(is_cut_off)
        assert taken > PART_BYTES


async def test_unread_answers_of_all_keys_of_an_account_leave_room_for_others(serve: Serve) -> None:
    api = await serve(
        key_bytes_in_flight_max=5_000_000, account_bytes_in_flight_max=5_000_000, bytes_in_flight_max=10_000_000
    )
    second, stranger = await api.issue(), await api.issue(account="acct_other")
    await many_large(api)
    await asyncio.gather(*(api.customer(METADATA, key=stranger) for _ in range(4)))

    async def is_limited() -> bool:
        answer = await api.get("/v1/customers?limit=100", key=second)
        if answer.status == 200:
            return False
        limited(answer, "resource-specific")
        return await metric(api, 'service_rejected_total{reason="account-bytes"}') > 0

    with that_do_not_read(api, "/v1/customers?limit=100", 4):
        await until(is_limited)
        assert (await api.get("/v1/customers?limit=100", key=stranger)).status == 200


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


async def test_connections_beyond_the_bound_are_refused_and_counted(serve: Serve) -> None:
    api = await serve(connections_max=3)
    waits_long = f"GET /v1/rollbook/feed?after=0&wait=30 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {api.key}\r\n\r\n"
    streams = [await asyncio.open_connection("127.0.0.1", api.port) for _ in range(3)]
    for _, each in streams:
        each.write(waits_long.encode())
    await until(lambda: sample(api, "service_feed_waiting") == 3)
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    said = await reader.read()
    assert said.startswith(b"HTTP/1.1 503 ")
    assert b"Retry-After: 1\r\n" in said
    writer.close()
    for _, each in streams:
        each.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        each.close()  # by a reset, so that nobody waits for the answers
    await until(lambda: api_connections(api) == 0)
    assert await metric(api, 'service_rejected_total{reason="connections"}') == 1


@pytest.mark.parametrize(
    "sent", [b"", b"GET /heal", b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"], ids=["", "half", "one"]
)
async def test_the_connection_that_is_idle_for_longest_gives_way_to_a_new_one(serve: Serve, sent: bytes) -> None:
    api = await serve(connections_max=3)
    streams = []
    for _ in range(3):
        reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
        writer.write(sent)
        if sent.endswith(b"\r\n\r\n"):
            await reader.readuntil(b'"ok"}')
        streams.append((reader, writer))
    await until(lambda: api_connections(api) == 3)
    async with asyncio.timeout(10):
        await api.customer("name=Jenny")
        await streams[0][0].read()  # it ends
    assert not any(reader.at_eof() for reader, _ in streams[1:])
    assert await metric(api, 'service_rejected_total{reason="idle-connections"}') == 1
    for _, writer in streams:
        writer.close()


async def test_clients_that_close_as_soon_as_they_are_answered_leave_no_connection(serve: Serve) -> None:
    api = await serve()
    asked = f"GET /v1/customers HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {api.key}\r\n\r\n".encode()

    async def visit() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
        writer.write(asked)
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(head.partition(b"Content-Length: ")[2].split()[0]))
        writer.close()

    for _ in range(5):
        await asyncio.gather(*(visit() for _ in range(40)))
    await until(lambda: api_connections(api) == 0)


def api_connections(api: Api) -> float:
    return sample(api, "service_connections")


def sample(api: Api, name: str) -> float:
    value = api.core.metrics.registry.get_sample_value(name)
    assert value is not None
    return value


def test_fewer_connections_than_open_files() -> None:
    assert open_max(8192, 256) == 256 - RESERVED_FILES
    assert open_max(8192, 1_000_000) == 8192
    assert open_max(8192, 10) == 1


def test_files_are_left_for_the_webhooks_of_the_same_process_but_half_are_for_callers() -> None:
    assert open_max(8192, 2048, others=512) == 2048 - RESERVED_FILES - 512
    assert open_max(8192, 256, others=512) == (256 - RESERVED_FILES) // 2
    assert open_max(100, 4096, others=512) == 100


async def test_headers_that_do_not_arrive_end_the_connection(serve: Serve) -> None:
    api = await serve(header_timeout_s=0.3)
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
    await reader.readexactly(len(b'{"status": "ok"}'))
    writer.write(b"GET /healthz HTTP/1.1\r\nHo")
    assert await asyncio.wait_for(reader.read(), 10) == b""
    writer.close()


async def test_an_idle_connection_is_kept_for_its_time(serve: Serve) -> None:
    api = await serve(keepalive_s=0.3)
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    assert await asyncio.wait_for(reader.read(), 10) == b""
    writer.close()
