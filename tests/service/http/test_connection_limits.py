"""Limits of connections: their number, idle connections, and timeouts of headers and keep-alive."""

import asyncio
import socket
import struct

import pytest

from service.http.limits.connections import RESERVED_FILES, open_max
from tests.service.http.load import metric, sample
from tests.service.serving import Api, Serve
from tests.waiting import until


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
