"""Clients that do not read their responses: timeouts, and limits of the bytes in flight."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import pytest

from service.http import docs
from service.http.large_body import PART_BYTES
from service.http.limits.connections import Bounded
from tests.service.http.load import METADATA, in_flight, limited, metric
from tests.service.serving import Api, Serve
from tests.waiting import until


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


@pytest.fixture
def little_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel keeps little of what a client does not read."""
    made = Bounded.connection_made

    def with_little_room_in_the_kernel(self: Bounded, transport: asyncio.BaseTransport) -> None:
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        made(self, transport)

    monkeypatch.setattr(Bounded, "connection_made", with_little_room_in_the_kernel)


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


@pytest.mark.usefixtures("little_room")
async def test_unread_documents_which_need_no_key_are_bounded(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docs, "SENDING_MAX", 3)
    api = await serve(write_timeout_s=3.0)

    async def status() -> int:
        async with api.session.get(f"{api.url}/openapi.json") as answer:
            return answer.status

    async def is_served() -> bool:
        return await status() == 200

    assert await is_served()
    with that_do_not_read(api, "/openapi.json", 5):
        await until(lambda: docs.DocumentBody.sending == 3)
        assert await status() == 503
        await until(is_served, 30)  # those that do not read are cut off
    await until(lambda: docs.DocumentBody.sending == 0)


@pytest.mark.usefixtures("little_room")
async def test_a_reader_that_takes_an_answer_bit_by_bit_is_cut_off_too(serve: Serve) -> None:
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
