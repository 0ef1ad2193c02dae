"""What is broken, and how; in what order and for how long is drawn by lot."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from random import Random

from tests.chaos.fault_injector import FANOUT_QUEUE, LEASE_S, RELAY_LEASE_S, FaultInjector

DOWN_S_MAX = 2.0


async def kill_api(injector: FaultInjector) -> None:
    await injector.kill(injector.some("api"), _down(injector))


async def kill_relay(injector: FaultInjector) -> None:
    await injector.kill(injector.leader(), _down(injector))


async def kill_worker(injector: FaultInjector) -> None:
    await injector.kill(injector.some("worker"), _down(injector))


async def kill_postgres(injector: FaultInjector) -> None:
    await injector.kill_postgres(_down(injector))


async def kill_rabbit(injector: FaultInjector) -> None:
    await injector.kill_rabbit(_down(injector))


async def wipe_rabbit(injector: FaultInjector) -> None:
    await injector.wipe_rabbit()


async def delete_fanout_queue(injector: FaultInjector) -> None:
    await injector.delete_queue(FANOUT_QUEUE)


async def delete_subscribers_queue(injector: FaultInjector) -> None:
    await injector.delete_queue(injector.random.choice(injector.subscribers).queue)


async def cut_connections(injector: FaultInjector) -> None:
    await injector.cut_connections()


async def alarm(injector: FaultInjector) -> None:
    """Let the broker be short of memory for a while, in which something else breaks as often as not."""
    async with injector.alarm():
        if injector.random.random() < 0.5:
            await injector.random.choice((kill_relay, kill_worker))(injector)
        await asyncio.sleep(injector.random.uniform(2, 5))


async def freeze_relay(injector: FaultInjector) -> None:
    """Stop the relay that leads for longer than its lease: two of them publish when it goes on."""
    await injector.freeze(injector.leader(), injector.random.uniform(1.5, 2.5) * RELAY_LEASE_S)


async def freeze_worker(injector: FaultInjector) -> None:
    """Stop a worker for longer than its leases: two of them have the same lanes when it goes on."""
    await injector.freeze(injector.some("worker"), injector.random.uniform(1.1, 1.4) * LEASE_S)


async def freeze_api(injector: FaultInjector) -> None:
    """Stop an API while it answers: its callers ask another one, and it goes on with what they had asked it."""
    await injector.freeze(injector.some("api"), injector.random.uniform(1, 12))


Breakage = Callable[[FaultInjector], Awaitable[None]]

# What each is called where it is counted.
ALL: dict[str, Breakage] = {
    "API killed": kill_api,
    "leading relay killed": kill_relay,
    "worker (with its fan-out) killed": kill_worker,
    "PostgreSQL killed": kill_postgres,
    "RabbitMQ killed": kill_rabbit,
    "RabbitMQ wiped": wipe_rabbit,
    "queue of webhooks deleted": delete_fanout_queue,
    "subscriber's queue deleted": delete_subscribers_queue,
    "RabbitMQ short of memory": alarm,
    "leading relay stopped past its lease": freeze_relay,
    "worker stopped past its leases": freeze_worker,
    "API stopped": freeze_api,
    "connections to PostgreSQL cut": cut_connections,
}


def deck(random: Random, names: list[str]) -> Iterator[str]:
    """Each of these once in an order drawn by lot, and again, for ever."""
    while True:
        yield from random.sample(names, len(names))


def _down(injector: FaultInjector) -> float:
    return injector.random.uniform(0, DOWN_S_MAX)
