"""An egress proxy on loopback: opens tunnels, passes requests on, or answers as a test says."""

import asyncio
import contextlib
import ssl
from asyncio import StreamReader, StreamWriter
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True)
class Asked:
    """One request as the proxy got it; names of headers in lower case."""

    line: str
    headers: dict[str, str]


class EgressProxy:
    """Whatever address it is asked for, it goes to `leads_to` on loopback; or gives its `answers`, one to each request.

    An answer is what it writes instead; the empty one is to hang up, None to lead on all the same.
    """

    def __init__(
        self, leads_to: int, *, answers: tuple[bytes | None, ...] = (), tls: ssl.SSLContext | None = None
    ) -> None:
        self.connections = 0
        self.asked: list[Asked] = []
        self._leads_to = leads_to
        self._answers = list(answers)
        self._tls = tls
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @property
    def address(self) -> str:
        assert self._server is not None
        return f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://{self.address}"

    @property
    def lines(self) -> list[str]:
        return [asked.line for asked in self.asked]

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._tls)
        return self

    async def __aexit__(self, *_: object) -> None:
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
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, OSError):
                head = await reader.readuntil(b"\r\n\r\n")
                line, *lines = head.decode().strip().split("\r\n")
                self.asked.append(Asked(line, {k.lower(): v for k, v in (each.split(": ", 1) for each in lines)}))
                answer = self._answers.pop(0) if self._answers else None
                if answer is None:
                    await self._lead(line, head, reader, writer)
                else:
                    writer.write(answer)
                    await writer.drain()
        finally:
            writer.close()

    async def _lead(self, line: str, head: bytes, reader: StreamReader, writer: StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._leads_to)
        try:
            if line.startswith("CONNECT "):
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                far_writer.write(head)
            _, pending = await asyncio.wait(
                [
                    asyncio.ensure_future(_pass_on(reader, far_writer)),
                    asyncio.ensure_future(_pass_on(far_reader, writer)),
                ],
                return_when=asyncio.FIRST_COMPLETED,
            )
            for task in pending:
                task.cancel()
            await asyncio.gather(*pending, return_exceptions=True)
        finally:
            far_writer.close()


async def _pass_on(reader: StreamReader, writer: StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await reader.read(64 * 1024):
            writer.write(chunk)
            await writer.drain()


def says(status: int, **headers: str) -> bytes:
    """An answer of the proxy's own."""
    lines = [f"HTTP/1.1 {status} Whatever", "Content-Length: 0", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()
