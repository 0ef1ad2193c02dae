"""The sealer in the roles relay and worker: it seals the log in a Merkle tree and signs checkpoints, from settings."""

import asyncio

from events.follow import Wakeup
from events.sealer import Sealer
from service import checkpoint_key
from service.health import OK, Health
from service.metrics import SealerCollector
from service.wiring import Core

NO_KEY = "no checkpoint is signed: ROLLBOOK_CHECKPOINT_KEY is not set"
REFUSED = "no checkpoint is signed: see sealer.refused in the log"


async def run(core: Core, health: Health, stop: asyncio.Event) -> None:
    """Seal and sign until `stop` is set; one of all processes does it at a time. Raises Misconfigured."""
    settings = core.settings
    keys = await asyncio.to_thread(checkpoint_key.prepared, settings)
    sealer = Sealer(
        core.pool,
        keys if keys is not None else lambda: None,
        directory=settings.checkpoint_dir,
        every_s=settings.checkpoint_every_s,
    )
    core.metrics.callbacks.include(SealerCollector(sealer))
    health.reports["checkpoints"] = lambda: NO_KEY if keys is None else OK if sealer.fault is None else REFUSED
    wakeup = Wakeup(core.dsn, "rollbook_log")
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(wakeup.run(stop))
        tasks.create_task(sealer.run(wakeup, stop))
