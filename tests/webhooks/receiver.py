"""Receivers on real sockets that do as a script says: answer, hang, break off, flood, reset."""

import asyncio
import contextlib
import socket
import ssl
import struct
from asyncio import StreamReader, StreamWriter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from types import TracebackType
from typing import Self

DRIBBLE_S = 0.01
FLOOD_BYTES = 4 * 1024**3
CHUNK = bytes(64 * 1024)


@dataclass(frozen=True)
class Received:
    """One request as it came in; names of headers in lower case."""

    line: str
    headers: dict[str, str]
    body: bytes


Script = Callable[[StreamReader, StreamWriter], Awaitable[None]]  # answers the request just read


class Receiver:
    """Listens on a free port, keeps what it receives, and lets `script` answer each request."""

    def __init__(self, script: Script, *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> None:
        self.connections = 0
        self.open_connections = 0
        self.received: list[Received] = []
        self._script = script
        self._host = host
        self._tls = tls
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://{self._host}:{self.port}/hook"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, self._host, 0, ssl=self._tls)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: StreamReader, writer: StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        self.connections += 1
        self.open_connections += 1
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                while not writer.is_closing():
                    self.received.append(await _read(reader))
                    await self._script(reader, writer)
        finally:
            self.open_connections -= 1
            writer.close()


async def _read(reader: StreamReader) -> Received:
    line, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
    headers = {name.lower(): value for name, value in (each.split(": ", 1) for each in lines)}
    return Received(line, headers, await reader.readexactly(int(headers.get("content-length", "0"))))


def answers(status: int, body: bytes = b"", **headers: str) -> Script:
    async def script(_: StreamReader, writer: StreamWriter) -> None:
        writer.write(_head(status, len(body), headers) + body)
        await writer.drain()

    return script


def says(answer: bytes, *, hangs_up: bool = False) -> Script:
    """Answers with just these bytes."""

    async def script(_: StreamReader, writer: StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()
        if hangs_up:
            writer.close()

    return script


def goes_on_about(first: bytes, then: bytes | None = None) -> Script:
    """Answers with `first`, and after it with `then` (or with `first` again) without end."""

    async def script(reader: StreamReader, writer: StreamWriter) -> None:
        writer.write(first)
        repeated = (then or first) * max(1, 8_192 // len(then or first))
        while not reader.at_eof() and not writer.is_closing():
            writer.write(repeated)
            await writer.drain()
            await asyncio.sleep(0)

    return script


async def hangs(reader: StreamReader, writer: StreamWriter) -> None:
    await reader.read()  # until the other side has had enough


async def stops_mid_body(reader: StreamReader, writer: StreamWriter) -> None:
    writer.write(_head(200, 100, {}) + b"half an ans")
    await reader.read()  # until the other side has had enough


async def breaks_off_mid_body(_: StreamReader, writer: StreamWriter) -> None:
    writer.write(_head(200, 100, {}) + b"half an ans")
    await writer.drain()
    writer.close()


async def floods(_: StreamReader, writer: StreamWriter) -> None:
    writer.write(_head(200, FLOOD_BYTES, {}))
    for _chunk in range(FLOOD_BYTES // len(CHUNK)):
        writer.write(CHUNK)
        await writer.drain()


async def dribbles(reader: StreamReader, writer: StreamWriter) -> None:
    writer.write(_head(200, FLOOD_BYTES, {}))
    while not reader.at_eof():
        writer.write(b".")
        await writer.drain()
        await asyncio.sleep(DRIBBLE_S)  # the nature of this receiver, not a wait of the test


async def hangs_up(_: StreamReader, writer: StreamWriter) -> None:
    writer.close()


async def resets(_: StreamReader, writer: StreamWriter) -> None:
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def talks_nonsense(_: StreamReader, writer: StreamWriter) -> None:
    writer.write(b"220 mail.example.com ESMTP\r\n\r\n")
    await writer.drain()


async def boasts(_: StreamReader, writer: StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 100_000 + b"\r\n\r\n")
    await writer.drain()


async def never_gets_to_the_point(reader: StreamReader, writer: StreamWriter) -> None:
    while not reader.at_eof() and not writer.is_closing():
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0)  # one at a time, without a pause: the limit is in number, not in time


def _head(status: int, length: int, headers: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", f"Content-Length: {length}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()
