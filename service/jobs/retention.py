"""Retention of deleted customers: they are erased once they have been deleted for as long as the operator says.

Off unless ROLLBOOK_ERASE_DELETED_AFTER_DAYS is set. Several workers may do it concurrently, and a killed one is no
loss: an erasure is one transaction, and a second one changes nothing. Who is under a legal hold stays, and is looked
at again by the next pass.
"""

import asyncio
from datetime import datetime, timedelta
from typing import NamedTuple

import structlog

from events.customer.erasure import EraseCustomer, NotErasable
from events.database import load_sql
from events.errors import LockTimeout
from events.record import Origin
from events.scope import Scope
from events.supervision import Retries, set_within
from service.wiring import Core

log = structlog.get_logger("service")

EVERY_S = 3600.0
SLICE = 5_000  # customers looked at by one statement
BASIS = "retention of deleted customers"
REQUESTED_BY = "retention"
FIND = load_sql("projections", "find_retained")


class Pass(NamedTuple):
    """What came of one pass over all customers; `left` were refused, or others kept changing them."""

    erased: int
    left: int


async def run(core: Core, days: int, stop: asyncio.Event) -> None:
    """Erase every hour who has been deleted for so many days, until `stop` is set."""
    retries = Retries(log, "retention", pace_s=EVERY_S)
    while not stop.is_set():
        try:
            done = await erase_deleted(core, core.clock.now() - timedelta(days=days), stop)
            if done.erased or done.left:
                log.info("retention.erased", customers=done.erased, left=done.left)
        except Exception as error:  # one customer that cannot be erased too: the next pass meets it again
            await retries.failed(error, stop)
            continue
        retries.worked()
        await set_within(EVERY_S, stop)


async def erase_deleted(core: Core, before: datetime, stop: asyncio.Event | None = None) -> Pass:
    """Erase every customer that was deleted before a time. Raises LogUnavailable, BrokenHistory."""
    erased = left = 0
    scope, id = Scope("", False), ""
    while stop is None or not stop.is_set():
        rows = await core.pool.fetch(FIND, before, *scope, id, SLICE)
        if not rows:
            break
        for account, livemode, id, over in rows:
            scope = Scope(account, livemode)
            if over and await _erase(core, scope, id):
                erased += 1
            elif over:
                left += 1
    return Pass(erased, left)


async def _erase(core: Core, scope: Scope, id: str) -> bool:
    now = core.clock.now()
    command = EraseCustomer(id=id, at=int(now.timestamp()), basis=BASIS, requested_by=REQUESTED_BY)
    try:
        await core.eraser.erase(command, Origin(*scope, now, actor="system"))
    except (NotErasable, LockTimeout):
        return False
    return True
