"""Requests as bytes on a socket, for what no client library would send."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple

import orjson

from tests.service.serving import Api

TIMEOUT_S = 20.0
FORM = b"Content-Type: application/x-www-form-urlencoded\r\n"


class RawAnswer(NamedTuple):
    """A response as it was read from a socket; header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def message(self) -> str:
        """What an error says."""
        said: str = orjson.loads(self.body)["error"]["message"]
        return said


def head(api: Api, line: str = "GET /v1/customers HTTP/1.1", *more: bytes, key: bool = True) -> bytes:
    """The head of a request, with the secret key of `api` unless another is given."""
    authorization = f"Authorization: Bearer {api.key}\r\n".encode() if key else b""
    return b"".join((line.encode(), b"\r\nHost: x\r\n", authorization, *more, b"\r\n"))


def post(api: Api, path: str, body: bytes, *more: bytes, key: bool = True) -> bytes:
    """A whole request with a form as its body."""
    length = b"Content-Length: %d\r\n" % len(body)
    return head(api, f"POST {path} HTTP/1.1", *(more or (FORM,)), length, key=key) + body


async def answer(reader: asyncio.StreamReader, *, bodiless: bool = False) -> RawAnswer:
    """The next response on a connection."""
    read = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), TIMEOUT_S)
    first, *lines = read.decode("latin-1").strip().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    length = 0 if bodiless else int(headers.get("content-length", "0"))
    return RawAnswer(int(first.split()[1]), headers, await asyncio.wait_for(reader.readexactly(length), TIMEOUT_S))


@asynccontextmanager
async def connection(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection that is closed at the end, whatever the other side thinks of it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def ask(api: Api, request: bytes, *, bodiless: bool = False) -> RawAnswer:
    """What a connection of its own answers first to these very bytes."""
    async with connection(api.port) as (reader, writer):
        writer.write(request)
        return await answer(reader, bodiless=bodiless)


async def everything(api: Api, *writes: bytes, half_close: bool = False) -> bytes:
    """All that a connection answers until it is closed by the other side."""
    async with connection(api.port) as (reader, writer):
        for write in writes:
            writer.write(write)
            await writer.drain()
        if half_close:
            writer.write_eof()
        return await asyncio.wait_for(reader.read(), TIMEOUT_S)


async def hang_up(api: Api, writes: Sequence[bytes], *, reset: bool) -> None:
    """Send this and go away, with a reset or by closing."""
    async with connection(api.port) as (_, writer):
        for write in writes:
            writer.write(write)
            await writer.drain()
        if reset:
            own: socket.socket = writer.get_extra_info("socket")
            own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
