"""The server itself is another one, stops answering or dies: the processes go on with the one that is right now."""

import asyncio
import os
import secrets
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import asyncpg
import psutil
import pytest

from tests.faults.role_processes import RoleProcesses
from tests.servers.address import Address
from tests.servers.postgres import QUICK, PrivatePostgres
from tests.servers.receiver import Receiver
from tests.waiting import until

pytestmark = [pytest.mark.faults, pytest.mark.rabbitmq, pytest.mark.timeout(180)]


@asynccontextmanager
async def served(processes: RoleProcesses, receiver: Receiver) -> AsyncIterator[str]:
    """Everything works at first; gives the path that webhooks go to."""
    processes.start()
    try:
        await processes.all_say(200, "ok", 60)
        await processes.post("/v1/webhook_endpoints", f"url={receiver.url('/hook')}&enabled_events[]=*")
        await processes.works(receiver, "/hook")
        yield "/hook"
        await asyncio.to_thread(processes.stop)
    finally:
        processes.kill()
        await processes.forget_broker()


async def test_a_standby_that_is_promoted_is_gone_on_with(
    server_dir: Path, tmp_path: Path, amqp_url: str, receiver: Receiver
) -> None:
    """First the primary dies and the other of two hosts is promoted; then an address is made to lead to a third, while
    the second still runs, read-only, and has cut nobody off."""
    first, second, third = (PrivatePostgres(server_dir / secrets.token_hex(2), QUICK) for _ in range(3))
    async with AsyncExitStack() as stack:
        for server in (first, second, third):
            stack.callback(server.stop)
        await asyncio.to_thread(first.start)
        here = await stack.enter_async_context(Address(first.socket))
        there = await stack.enter_async_context(Address())
        dsn = f"postgresql://postgres@127.0.0.1:{here.port},127.0.0.1:{there.port}/postgres?sslmode=disable"
        processes = RoleProcesses(dsn, amqp_url, tmp_path, roles=("serve",))
        async with served(processes, receiver) as path:
            await asyncio.to_thread(second.start_standby, first)
            there.leads_to = second.socket
            await _caught_up(first, second)
            await asyncio.to_thread(first.kill9)
            here.leads_to = None
            await processes.all_say(503, "PostgreSQL is read-only")
            await asyncio.to_thread(second.promote)
            await processes.all_say(200, "ok")
            await processes.works(receiver, path)

            await asyncio.to_thread(third.start_standby, second)
            await _caught_up(second, third)
            demoted = await asyncpg.connect(second.start())
            await demoted.execute("ALTER SYSTEM SET default_transaction_read_only = on")
            await demoted.execute("SELECT pg_reload_conf()")
            await asyncio.to_thread(third.promote)
            there.leads_to = third.socket

            async def written() -> str | None:
                status, _, made = await processes.ask("POST", "/v1/customers", "email=bob@example.com")
                return made["id"] if status == 200 else None

            made = await until(written, 30)
            # Connections that only read were cut by nobody, and are at the new server too: the old one has no Bob.
            assert (await processes.ask("GET", f"/v1/customers/{made}"))[0] == 200
            _, _, page = await processes.ask("GET", "/v1/customers?email=bob@example.com")
            assert [customer["id"] for customer in page["data"]] == [made]
            await processes.works(receiver, path)
            assert await demoted.fetchval("SELECT count(*) FROM projections.customer WHERE id = $1", made) == 0
            await demoted.close()


async def _caught_up(primary: PrivatePostgres, standby: PrivatePostgres) -> None:
    one, other = await asyncpg.connect(primary.start()), await asyncpg.connect(standby.start())

    async def reached() -> bool:
        written = await one.fetchval("SELECT pg_current_wal_lsn()::text")
        return bool(await other.fetchval("SELECT pg_last_wal_replay_lsn() >= $1::text::pg_lsn", written))

    await until(reached, 30)
    await one.close()
    await other.close()


async def test_the_embedded_server_is_started_again_when_it_dies(
    tmp_path: Path, amqp_url: str, receiver: Receiver
) -> None:
    processes = RoleProcesses("", amqp_url, tmp_path, roles=("serve",))
    async with served(processes, receiver) as path:
        assert "[warning" not in processes.log("serve").read_text(), "a first start misses nothing"
        for process in _servers(tmp_path):
            os.kill(process.pid, signal.SIGKILL)
        await until(lambda: processes.said("serve", "postgres.restarted") == 1, 60)
        await processes.all_say(200, "ok")
        await processes.works(receiver, path)
    assert not _servers(tmp_path)


def _servers(directory: Path) -> list[psutil.Process]:
    """The processes of the server over a data directory."""
    return [
        process
        for process in psutil.process_iter(["name", "cwd"])
        if process.info["name"] == "postgres" and str(process.info["cwd"]).startswith(str(directory))
    ]


async def test_a_server_that_is_silent_makes_processes_not_ready_and_is_gone_on_with(
    server_dir: Path, tmp_path: Path, amqp_url: str, receiver: Receiver
) -> None:
    postgres = PrivatePostgres(server_dir / secrets.token_hex(2), QUICK)
    async with AsyncExitStack() as stack:
        stack.callback(postgres.stop)
        await asyncio.to_thread(postgres.start)
        address = await stack.enter_async_context(Address(postgres.socket))
        dsn = f"postgresql://postgres@127.0.0.1:{address.port}/postgres?sslmode=disable"
        processes = RoleProcesses(dsn, amqp_url, tmp_path, roles=("serve",))
        async with served(processes, receiver) as path:
            postgres.signal(signal.SIGSTOP)
            try:
                await processes.all_say(503, "PostgreSQL does not answer")
            finally:
                postgres.signal(signal.SIGCONT)
            await processes.all_say(200, "ok")
            await processes.works(receiver, path)
            address.silent = True
            await processes.all_say(503, "PostgreSQL does not answer")
            address.silent = False
            await processes.all_say(200, "ok")
            await processes.works(receiver, path)
