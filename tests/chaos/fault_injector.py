"""Fault injection: kills, freezes, wipes and cuts off what a deployment is made of, and starts it again."""

import asyncio
import re
import signal
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any

import asyncpg

from tests.chaos import queues
from tests.chaos.queues import Subscriber
from tests.faults.deployment import Deployment, role_of
from tests.service.serving import command
from tests.waiting import until
from webhooks.broker.amqp import Topology

FANOUT_QUEUE = Topology().fanout_queue
TYPES = "customer.*"
RELAY_LEASE_S = 3
LEASE_S = 9  # longer than an attempt may take
ATTEMPT_S = 7
VARIABLES: Mapping[str, str] = {
    "ROLLBOOK_RELAY_LEASE_S": str(RELAY_LEASE_S),
    "ROLLBOOK_WEBHOOK_LEASE_S": str(LEASE_S),
    "ROLLBOOK_WEBHOOK_TIMEOUT_S": str(ATTEMPT_S),
    "ROLLBOOK_RECONCILE_AFTER_S": "2",
    "ROLLBOOK_DRAIN_S": "3",
}
QUEUES_BACK_S = 60.0
QUEUES_SETTLED_S = 2.5  # see PrivateRabbit.kill9
STOP_S = 45.0
COMMAND_S = 60.0
LEADS = re.compile(r"relay\.leads\s+epoch=(\d+)")
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@dataclass
class FaultInjector:
    """Breaks and mends the parts of a deployment; each part by one task at a time."""

    deployment: Deployment
    names: Sequence[str]  # of the processes
    reads: Subscriber
    stuck: Subscriber  # it has a queue, and does not consume
    random: Random
    ended: list[str] = field(default_factory=list)  # processes that ended by themselves
    _declared_at: float = 0.0  # when the queues were found to be there
    _locks: defaultdict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))

    @property
    def subscribers(self) -> tuple[Subscriber, ...]:
        return (self.reads, self.stuck)

    def some(self, role: str) -> str:
        """One of the processes that play a role."""
        return self.random.choice([name for name in self.names if role_of(name) == role])

    def leader(self) -> str:
        """The relay that was the last to lead."""
        relays = [name for name in self.names if role_of(name) == "relay"]
        return max(relays, key=self._epoch)

    async def kill(self, name: str, down_s: float = 0.0) -> None:
        """Kill a process and start it again after a while."""
        async with self._locks[name]:
            self.look_after(name)
            await asyncio.to_thread(self.deployment.kill9, name)
            await asyncio.sleep(down_s)
            self.deployment.start(name)

    async def freeze(self, name: str, for_s: float) -> None:
        """Stop a process as if its machine had no time for it, and let it go on."""
        async with self._locks[name]:
            self.look_after(name)
            process = self.deployment.processes[name]
            process.send_signal(signal.SIGSTOP)
            try:
                await asyncio.sleep(for_s)
            finally:
                process.send_signal(signal.SIGCONT)

    async def kill_postgres(self, down_s: float) -> None:
        """Kill the database, and start it again after a while."""
        async with self._locks["postgres"]:
            await asyncio.to_thread(self.deployment.postgres.kill9)
            await asyncio.sleep(down_s)
            await asyncio.to_thread(self.deployment.postgres.start)

    async def kill_rabbit(self, down_s: float) -> None:
        """Kill the broker, and start it again after a while."""
        async with self._locks["rabbit"]:
            await self._queues_settled()
            await asyncio.to_thread(self.deployment.rabbit.kill9)
            await asyncio.sleep(down_s)
            await asyncio.to_thread(self.deployment.rabbit.start)

    async def wipe_rabbit(self) -> None:
        """Kill the broker, and start an empty one instead."""
        async with self._locks["rabbit"]:
            await self._queues_settled()
            for subscriber in self.subscribers:
                subscriber.lost()
            await asyncio.to_thread(self.deployment.rabbit.wipe)
            await self.queues_back()

    async def delete_queue(self, name: str) -> None:
        """Delete a queue, and wait until it is there again."""
        async with self._locks["rabbit"]:
            for subscriber in self.subscribers:
                if subscriber.queue == name:
                    subscriber.lost()
            await queues.delete(self.deployment.amqp_url, name)
            await self.queues_back()

    @asynccontextmanager
    async def alarm(self) -> AsyncIterator[None]:
        """Let the broker be short of memory meanwhile."""
        async with self._locks["rabbit"]:
            await asyncio.to_thread(self.deployment.rabbit.raise_alarm)
            try:
                yield
            finally:
                await asyncio.to_thread(self.deployment.rabbit.end_alarm)

    async def cut_connections(self) -> None:
        """End every connection that the database has with us."""
        await self.ask(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name LIKE 'rollbook%' AND pid <> pg_backend_pid()"
        )

    async def queues_back(self) -> None:
        """Wait until every queue is there."""
        names = (FANOUT_QUEUE, *(subscriber.queue for subscriber in self.subscribers))
        await until(lambda: queues.exist(self.deployment.amqp_url, *names), timeout_s=QUEUES_BACK_S)
        ((head,),) = await self.ask("SELECT sequence FROM projections.notice_head")
        for subscriber in self.subscribers:
            subscriber.found(head)
        self._declared_at = time.monotonic()

    async def _queues_settled(self) -> None:
        """Wait until every queue that was declared is known to the broker for good."""
        await asyncio.sleep(self._declared_at + QUEUES_SETTLED_S - time.monotonic())

    async def ask(self, query: str) -> list[Any]:
        """Rows of a query, as soon as the database answers."""

        async def answered() -> list[list[Any]]:
            with suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                connection = await asyncpg.connect(self.deployment.dsn, timeout=5)
                try:
                    return [await connection.fetch(query)]
                finally:
                    await connection.close()
            return []

        rows: list[Any]
        (rows,) = await until(answered, timeout_s=60)
        return rows

    async def rollbook(self, *words: str) -> None:
        """Give a command of the command line."""
        process = await asyncio.create_subprocess_exec(
            *command(*words),
            env=self.deployment.environment(),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            _, said = await asyncio.wait_for(process.communicate(), COMMAND_S)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode == 0, f"rollbook {' '.join(words)}: {said.decode()}"

    def look_after(self, name: str) -> None:
        """Note it when a process ended by itself, and start it again."""
        status = self.deployment.processes[name].poll()
        if status is not None:
            self.ended.append(f"{name} ended with {status}")
            self.deployment.start(name)

    async def stop(self) -> list[str]:
        """Stop every process in good order; gives those that did not."""
        for name in self.names:
            self.look_after(name)
            self.deployment.processes[name].send_signal(signal.SIGTERM)
        failed = []
        for name in self.names:
            try:
                status = await asyncio.to_thread(self.deployment.processes[name].wait, STOP_S)
            except Exception as error:  # it does not stop, and is killed with the deployment
                failed.append(f"{name} did not stop: {type(error).__name__}")
            else:
                if status != 0:
                    failed.append(f"{name} stopped with {status}")
        return failed

    def _epoch(self, name: str) -> int:
        said = COLOURS.sub("", self.deployment.log(name).read_text(errors="replace"))
        return max(map(int, LEADS.findall(said)), default=0)
