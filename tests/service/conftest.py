"""Applications under test, each over the one database of its test."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, NamedTuple

import aio_pika
import pytest

from events.clock import Clock
from tests.service.serving import Api, Launch, Process, Serve, command, environment, serving, settings_for
from tests.waiting import until


@pytest.fixture
async def serve(database: str, tmp_path: Path) -> AsyncIterator[Serve]:
    """Starts applications over one database, each as if it were a process of its own."""
    first: list[Api] = []
    async with AsyncExitStack() as stack:

        async def start(clock: Clock | None = None, **changed: Any) -> Api:
            api = await stack.enter_async_context(serving(settings_for(tmp_path, **changed), database, clock))
            api.key = first[0].key if first else await api.issue()
            first.append(api)
            return api

        yield start


@pytest.fixture
async def api(serve: Serve) -> Api:
    """One application with its defaults."""
    return await serve()


class Broker(NamedTuple):
    """A broker that is shared with others: what has a process use names of this test's own there."""

    url: str
    subscriber: str  # a name that no other test's subscriber has
    variables: Mapping[str, str]


@pytest.fixture
async def broker(amqp_url: str) -> AsyncIterator[Broker]:
    """Ask for it before `launch`: what is left on it is taken away, and nobody may be there to declare it again."""
    name = f"t{secrets.token_hex(4)}"
    exchange, queue = f"test.{name}", f"test.{name}.fanout"
    yield Broker(amqp_url, name, {"AMQP_URL": amqp_url, "ROLLBOOK_EXCHANGE": exchange, "ROLLBOOK_FANOUT_QUEUE": queue})
    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel()
        for each in (f"rollbook.{name}", f"rollbook.{name}.dead", queue):
            await channel.queue_delete(each)
        await channel.exchange_delete(exchange)


@pytest.fixture
async def launch(database: str, tmp_path: Path) -> AsyncIterator[Launch]:
    """Starts `rollbook ROLE` over the test's database and waits until it listens; kills what still runs at the end."""
    started: list[Process] = []

    async def start(role: str = "api", **more: str) -> Process:
        output = tmp_path / f"{role}-{len(started)}.log"
        with output.open("wb") as file:
            child = await asyncio.create_subprocess_exec(
                *command(role), env=environment(database, tmp_path, **more), stdout=file, stderr=file
            )
        process = Process(child, 0)
        started.append(process)

        def listens() -> bool:
            assert child.returncode is None, output.read_text()
            said = output.read_text()
            if "service.ready" not in said or "url=http://127.0.0.1:" not in said:
                return False
            process.port = int(said.partition("url=http://127.0.0.1:")[2].split()[0])
            return True

        await until(listens, timeout_s=60)
        return process

    yield start
    for process in started:
        await process.kill9()
