"""Gathering: questions that arrive while one batch is being answered are answered together by the next.

No timer: the first question of an idle service goes out at once, alone; the busier it gets, the larger the batches. A
batch takes three quarters of what waits: while the database works on it, we work on the answers of the one before. Were
it all that waits, we and the database would fall into step, each waiting for the other; were it less, there would be
more batches, each with a cost of its own.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
from typing import Generic, TypeVar

UNDIVIDED_MAX = 4  # as few as that go out together
OF_LATE = 0.2  # what one batch counts for in how long they took of late

Question = TypeVar("Question")
Answer = TypeVar("Answer")


class Overloaded(Exception):
    """More questions wait than the gatherer holds."""


class Gather(Generic[Question, Answer]):
    """Asks many at once. `answer_all` gives an answer, or the exception to raise, for each question in order.

    At most `batch_max` questions go out together and at most `waiting_max` wait. Where `alone` is given, two questions
    that share one of its values never stand in the same batch; they keep their order. Where `share` is given, batches
    are filled round robin from those that it tells apart, so that one with many questions does not hold up the others.
    """

    def __init__(
        self,
        answer_all: Callable[[list[Question]], Awaitable[Sequence[Answer | Exception]]],
        *,
        batch_max: int,
        waiting_max: int = 10_000,
        alone: Callable[[Question], Iterable[Hashable]] | None = None,
        share: Callable[[Question], Hashable] | None = None,
    ) -> None:
        self._answer_all = answer_all
        self._batch_max = batch_max
        self._waiting_max = waiting_max
        self._alone = alone
        self._share = share
        self._queues: dict[Hashable, deque[tuple[Question, asyncio.Future[Answer]]]] = {}
        self._turns: deque[Hashable] = deque()  # the keys of the queues, whose turn is next first
        self._waiting = 0
        self._sent_at: float | None = None  # when the batch in flight was sent
        self._batch_s = 0.0  # how long batches took of late
        self._task: asyncio.Task[None] | None = None

    async def ask(self, question: Question) -> Answer:
        """The answer to one question. Raises Overloaded, or whatever `answer_all` gave for it."""
        if self._waiting >= self._waiting_max:
            raise Overloaded(f"{self._waiting_max} questions are waiting already")
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        share = None if self._share is None else self._share(question)
        queue = self._queues.get(share)
        if queue is None:
            queue = self._queues[share] = deque()
            self._turns.append(share)
        queue.append((question, future))
        self._waiting += 1
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        return await future

    def wait_s(self) -> float:
        """How long one more question would wait, by how long batches took of late and the one in flight takes now."""
        if self._sent_at is None:
            return 0.0
        return time.monotonic() - self._sent_at + self._waiting / self._batch_max * self._batch_s

    async def close(self) -> None:
        """Wait until every question asked so far is answered."""
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        try:
            while self._waiting:
                batch = self._take()
                if not batch:
                    continue  # nobody waits any more for what there was
                self._sent_at = sent_at = time.monotonic()
                try:
                    answers = await self._answer_all([question for question, _ in batch])
                    assert len(answers) == len(batch), "every question has its answer"
                except Exception as error:
                    answers = [error] * len(batch)
                self._batch_s += OF_LATE * (time.monotonic() - sent_at - self._batch_s)
                for (_, future), answer in zip(batch, answers, strict=True):
                    if future.done():
                        continue  # the one who asked has gone
                    if isinstance(answer, Exception):
                        future.set_exception(answer)
                    else:
                        future.set_result(answer)
        finally:
            self._task = self._sent_at = None
            for queue in self._queues.values():  # only when we are cancelled
                for _, future in queue:
                    future.cancel()
            self._queues.clear()
            self._turns.clear()
            self._waiting = 0

    def _take(self) -> list[tuple[Question, asyncio.Future[Answer]]]:
        """The next batch, one question of each queue in turn; questions that nobody waits for any more are dropped."""
        batch: list[tuple[Question, asyncio.Future[Answer]]] = []
        most = min(self._batch_max, max(UNDIVIDED_MAX, (3 * self._waiting + 3) // 4))
        seen: set[Hashable] = set()
        left: dict[Hashable, list[tuple[Question, asyncio.Future[Answer]]]] = {}
        while self._turns and len(batch) < most:
            share = self._turns.popleft()
            queue = self._queues[share]
            asked = queue.popleft()
            if queue:
                self._turns.append(share)
            else:
                del self._queues[share]
            if asked[1].done():
                self._waiting -= 1
                continue
            if self._alone is not None:
                marks = set(self._alone(asked[0]))
                conflicts = bool(marks & seen)
                seen |= marks
                if conflicts:
                    left.setdefault(share, []).append(asked)
                    continue
            batch.append(asked)
        self._waiting -= len(batch)
        for share, waiting in left.items():
            if share not in self._queues:
                self._queues[share] = deque()
                self._turns.append(share)
            self._queues[share].extendleft(reversed(waiting))
        return batch
