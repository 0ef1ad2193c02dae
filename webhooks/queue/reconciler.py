"""The reconciler: polls the outbox itself, so that each notice is fanned out even when its message was lost.

With a broker, it leaves a notice to the broker's consumers for a few seconds before it fans it out itself. Without one,
it has no delay, and does all of the fan-out. Several reconcilers may run at once: the row lock on the watermark of
fan-out serializes them.

Fan-out to endpoints with ordered delivery happens only here, for notices below the watermark: with a broker, as soon as
the consumers have marked notices as fanned out and the watermark can move.
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import structlog

from events.supervision import Retries, Waker, poke_when_stopped, set_within
from webhooks.queue.fanout import FanOut

log = structlog.get_logger("webhooks")

BATCH_MAX = 500
PART = 5_000  # deliveries made in one step, after which the accounts further on get a turn
AHEAD = 10  # batches that are searched for those
POLL_S = 1.0
SWEEP_EVERY_S = 60.0
SWEPT_MAX = 1_000
RECOVER_EVERY_S = 0.25
RECOVERED_MAX = 1_000  # notices processed in one step, for each endpoint
OUTSTANDING_MAX = 2_000  # recovered deliveries that wait for an endpoint


class Reconciler:
    """Fans out what is still not fanned out after `delay_s`, moves the watermark, recovers what was missed, and sweeps.

    `wakeup` notifies of new notices, `marked` of notices that other processes fanned out; `made` is called when there
    are deliveries to send.
    """

    def __init__(
        self,
        fan_out: FanOut,
        wakeup: Waker,
        *,
        delay_s: float = 5.0,
        poll_s: float = POLL_S,
        batch_max: int = BATCH_MAX,
        made: Callable[[], None] | None = None,
        marked: Waker | None = None,
    ) -> None:
        self._fan_out = fan_out
        self._wakeup = wakeup
        self._delay = timedelta(seconds=delay_s)
        self._poll_s = poll_s
        self._batch_max = batch_max
        self._made = made
        self._marked = marked
        self._in_order = False
        self._recovering = False

    async def run(self, stop: asyncio.Event) -> None:
        """Reconcile until `stop` is set; retries after any exception, at startup too."""
        retries = Retries(log, "reconciler")
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(poke_when_stopped(stop, self._wakeup, *filter(None, (self._marked,))))
            while not stop.is_set():
                try:
                    await self._follow(stop, retries)
                except Exception as error:
                    await retries.failed(error, stop)
            await self._fan_out.close()

    async def _follow(self, stop: asyncio.Event, retries: Retries) -> None:
        now = asyncio.get_running_loop().time
        sweep_at = recover_at = now()
        while not stop.is_set():
            await self.catch_up()
            if now() >= recover_at:
                self._recovering = await self.recover()
                recover_at = now() + RECOVER_EVERY_S
            if now() >= sweep_at:
                swept = await self._fan_out.sweep(SWEPT_MAX)
                sweep_at = now() if swept == SWEPT_MAX else now() + SWEEP_EVERY_S
            retries.worked()
            await self._rest(stop)

    async def _rest(self, stop: asyncio.Event) -> None:
        """Wait until there may be work: until woken, or until the next poll while a delay leaves work to consumers."""
        rest_s = min(self._poll_s, RECOVER_EVERY_S) if self._recovering else self._poll_s
        if self._in_order and self._marked is not None:
            await self._marked.wait(rest_s)
        elif self._delay:
            await set_within(rest_s, stop)
        else:
            await self._wakeup.wait(rest_s)

    async def recover(self) -> bool:
        """Recover part of what endpoints missed; gives whether more is left."""
        step = await self._fan_out.recover(RECOVERED_MAX, OUTSTANDING_MAX)
        if step.done and self._made is not None:
            self._made()
        return step.more

    async def catch_up(self) -> int:
        """Move the watermark to the last notice or the first whose delay has not passed; gives the deliveries made."""
        made = 0
        while True:
            step = await self._fan_out.catch_up(self._delay, self._batch_max)
            made += step.made
            if step.made and self._made is not None:
                self._made()
            if step.missed and self._delay:
                self._fan_out.metrics.found += step.missed
                log.warning("events.reconciled", count=step.missed, delay_s=self._delay.total_seconds())
            self._in_order = step.in_order
            if step.in_order:
                made += await self._catch_up_in_order()
            if step.made >= PART:  # one account may fill the backlog: let the others have their turn
                made += await self._fan_out.look_ahead(self._batch_max * AHEAD)
            elif step.passed < self._batch_max and step.missed <= 1:
                return made

    async def _catch_up_in_order(self) -> int:
        """Advance ordered fan-out to the watermark; gives the number of deliveries made."""
        made = 0
        while True:
            step = await self._fan_out.catch_up_in_order(self._batch_max)
            made += step.made
            if step.made and self._made is not None:
                self._made()
            if step.passed < self._batch_max:
                return made
