"""The sealer in the roles relay and worker: it seals the log in a Merkle tree and signs checkpoints, from settings."""

import asyncio
import base64

from events.follow import Wakeup
from events.sealer import Sealer
from service import checkpoint_key
from service.health import OK, Health
from service.metrics import SealerCollector
from service.wiring import Core

NO_KEY = "no checkpoint is signed: there is no ROLLBOOK_CHECKPOINT_KEY"
REFUSED = "no checkpoint is signed: see sealer.refused in the log"


def prepared(core: Core, health: Health) -> Sealer:
    """The sealer of this process. Raises Misconfigured."""
    settings = core.settings
    keys = checkpoint_key.prepared(settings)
    sealer = Sealer(
        core.pool,
        keys if keys is not None else lambda: None,
        directory=settings.checkpoint_dir,
        every_s=settings.checkpoint_every_s,
    )
    core.metrics.callbacks.include(SealerCollector(sealer))
    health.reports["checkpoints"] = lambda: NO_KEY if keys is None else OK if sealer.fault is None else REFUSED
    return sealer


def newest(sealer: Sealer) -> str | None:
    """Size and root of the newest checkpoint, as a header of webhooks has them."""
    found = sealer.newest
    return None if found is None else f"{found.size} {base64.b64encode(found.root).decode()}"


async def run(core: Core, sealer: Sealer, stop: asyncio.Event) -> None:
    """Seal and sign until `stop` is set; one of all processes does it at a time."""
    wakeup = Wakeup(core.dsn, "rollbook_log")
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(wakeup.run(stop))
        tasks.create_task(sealer.run(wakeup, stop))
