"""Batching: items that are submitted while one batch is in flight are sent together in the next.

There is no timer: when idle, an item is sent at once in a batch of one; batches grow with load. A batch takes three
quarters of the waiting items, so that this process handles the results of one batch while the database works on the
next (pipelining). With all of them, the two would take turns idling; with fewer, the fixed cost of batches would grow.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
from typing import Generic, TypeVar

UNDIVIDED_MAX = 4  # up to this many items are sent in one batch
SMOOTHING = 0.2  # weight of the latest batch in the moving average of how long a batch takes

Item = TypeVar("Item")
Result = TypeVar("Result")


class Overloaded(Exception):
    """The queue is full: `waiting_max` items are waiting."""


class Batcher(Generic[Item, Result]):
    """Sends items in batches. `send` gives a result, or the exception to raise, for each item in order.

    A batch has at most `batch_max` items, and at most `waiting_max` wait. Where `keys` is given, two items that share
    one of its values are never in the same batch; they keep their order. Where `share` is given, each of its values has
    a queue, and batches are filled from the queues round robin: one with many items does not delay the others.
    """

    def __init__(
        self,
        send: Callable[[list[Item]], Awaitable[Sequence[Result | Exception]]],
        *,
        batch_max: int,
        waiting_max: int = 10_000,
        keys: Callable[[Item], Iterable[Hashable]] | None = None,
        share: Callable[[Item], Hashable] | None = None,
    ) -> None:
        self._send = send
        self._batch_max = batch_max
        self._waiting_max = waiting_max
        self._keys = keys
        self._share = share
        self._queues: dict[Hashable, deque[tuple[Item, asyncio.Future[Result]]]] = {}
        self._turns: deque[Hashable] = deque()  # the shares that have a queue, in round robin order
        self._waiting = 0
        self._sent_at: float | None = None  # when the batch in flight was sent
        self._batch_s = 0.0  # moving average of how long a batch takes
        self._task: asyncio.Task[None] | None = None

    async def submit(self, item: Item) -> Result:
        """Send one item; gives its result. Raises Overloaded, or the exception that `send` gave for the item."""
        if self._waiting >= self._waiting_max:
            raise Overloaded(f"{self._waiting_max} items are waiting already")
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        share = None if self._share is None else self._share(item)
        queue = self._queues.get(share)
        if queue is None:
            queue = self._queues[share] = deque()
            self._turns.append(share)
        queue.append((item, future))
        self._waiting += 1
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        return await future

    def wait_s(self) -> float:
        """Estimate how long one more item would wait, from the batch in flight and the duration of recent ones."""
        if self._sent_at is None:
            return 0.0
        return time.monotonic() - self._sent_at + self._waiting / self._batch_max * self._batch_s

    async def close(self) -> None:
        """Wait until every item submitted so far has its result."""
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        try:
            while self._waiting:
                batch = self._take()
                if not batch:
                    continue  # every waiting item was cancelled
                self._sent_at = sent_at = time.monotonic()
                try:
                    results = await self._send([item for item, _ in batch])
                    assert len(results) == len(batch), "one result for each item"
                except Exception as error:
                    results = [error] * len(batch)
                self._batch_s += SMOOTHING * (time.monotonic() - sent_at - self._batch_s)
                for (_, future), result in zip(batch, results, strict=True):
                    if future.done():
                        continue  # cancelled by the caller
                    if isinstance(result, Exception):
                        future.set_exception(result)
                    else:
                        future.set_result(result)
        finally:
            self._task = self._sent_at = None
            for queue in self._queues.values():  # not empty only if this task was cancelled
                for _, future in queue:
                    future.cancel()
            self._queues.clear()
            self._turns.clear()
            self._waiting = 0

    def _take(self) -> list[tuple[Item, asyncio.Future[Result]]]:
        """The next batch, one item of each queue in turn; cancelled items are dropped."""
        batch: list[tuple[Item, asyncio.Future[Result]]] = []
        most = min(self._batch_max, max(UNDIVIDED_MAX, (3 * self._waiting + 3) // 4))
        seen: set[Hashable] = set()
        left: dict[Hashable, list[tuple[Item, asyncio.Future[Result]]]] = {}
        while self._turns and len(batch) < most:
            share = self._turns.popleft()
            queue = self._queues[share]
            entry = queue.popleft()
            if queue:
                self._turns.append(share)
            else:
                del self._queues[share]
            if entry[1].done():
                self._waiting -= 1
                continue
            if self._keys is not None:
                marks = set(self._keys(entry[0]))
                conflicts = bool(marks & seen)
                seen |= marks
                if conflicts:
                    left.setdefault(share, []).append(entry)
                    continue
            batch.append(entry)
        self._waiting -= len(batch)
        for share, waiting in left.items():
            if share not in self._queues:
                self._queues[share] = deque()
                self._turns.append(share)
            self._queues[share].extendleft(reversed(waiting))
        return batch
