"""A TCP address that leads to a server on a Unix socket, and can be made to lead elsewhere, or nowhere."""

import asyncio
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.faults.deployment import free_port


class Address:
    """`127.0.0.1:port`; enter it with `async with`.

    `leads_to` is for new connections; those that were made stay where they are. While it is `silent` nothing passes and
    nothing is closed, as behind a firewall that forgot; while it leads to None connections are refused.
    """

    def __init__(self, leads_to: Path | None = None) -> None:
        self.port = free_port()
        self.leads_to = leads_to
        self._passing = asyncio.Event()
        self._passing.set()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def silent(self) -> bool:
        """Whether nothing passes."""
        return not self._passing.is_set()

    @silent.setter
    def silent(self, silent: bool) -> None:
        if silent:
            self._passing.clear()
        else:
            self._passing.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        far_writer: asyncio.StreamWriter | None = None
        with suppress(OSError, asyncio.CancelledError):
            await self._passing.wait()
            if self.leads_to is not None:
                far_reader, far_writer = await asyncio.open_unix_connection(str(self.leads_to))
                pumps = [
                    asyncio.create_task(self._pump(reader, far_writer)),
                    asyncio.create_task(self._pump(far_reader, writer)),
                ]
                try:
                    await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for pump in pumps:
                        pump.cancel()
                    await asyncio.gather(*pumps, return_exceptions=True)
        for open_one in (writer, far_writer):
            if open_one is not None:
                open_one.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                await self._passing.wait()
                writer.write(data)
                await writer.drain()
