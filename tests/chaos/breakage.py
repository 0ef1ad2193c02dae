"""What is broken, and how; in what order and for how long is drawn by lot."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from random import Random

from tests.chaos.fault_injector import FANOUT_QUEUE, LEASE_S, RELAY_LEASE_S, Scene

DOWN_S_MAX = 2.0


async def kill_api(scene: Scene) -> None:
    await scene.kill(scene.some("api"), _down(scene))


async def kill_relay(scene: Scene) -> None:
    await scene.kill(scene.leader(), _down(scene))


async def kill_worker(scene: Scene) -> None:
    await scene.kill(scene.some("worker"), _down(scene))


async def kill_postgres(scene: Scene) -> None:
    await scene.kill_postgres(_down(scene))


async def kill_rabbit(scene: Scene) -> None:
    await scene.kill_rabbit(_down(scene))


async def wipe_rabbit(scene: Scene) -> None:
    await scene.wipe_rabbit()


async def delete_fanout_queue(scene: Scene) -> None:
    await scene.delete_queue(FANOUT_QUEUE)


async def delete_subscribers_queue(scene: Scene) -> None:
    await scene.delete_queue(scene.random.choice(scene.subscribers).queue)


async def cut_connections(scene: Scene) -> None:
    await scene.cut_connections()


async def alarm(scene: Scene) -> None:
    """Let the broker be short of memory for a while, in which something else breaks as often as not."""
    async with scene.alarm():
        if scene.random.random() < 0.5:
            await scene.random.choice((kill_relay, kill_worker))(scene)
        await asyncio.sleep(scene.random.uniform(2, 5))


async def freeze_relay(scene: Scene) -> None:
    """Stop the relay that leads for longer than its lease: two of them publish when it goes on."""
    await scene.freeze(scene.leader(), scene.random.uniform(1.5, 2.5) * RELAY_LEASE_S)


async def freeze_worker(scene: Scene) -> None:
    """Stop a worker for longer than its leases: two of them have the same lanes when it goes on."""
    await scene.freeze(scene.some("worker"), scene.random.uniform(1.1, 1.4) * LEASE_S)


async def freeze_api(scene: Scene) -> None:
    """Stop an API while it answers: its callers ask another one, and it goes on with what they had asked it."""
    await scene.freeze(scene.some("api"), scene.random.uniform(1, 12))


Breakage = Callable[[Scene], Awaitable[None]]

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


def _down(scene: Scene) -> float:
    return scene.random.uniform(0, DOWN_S_MAX)
