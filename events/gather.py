"""Gathering: questions that arrive while one batch is being answered are answered together by the next.

No timer: the first question of an idle service goes out at once, alone; the busier it gets, the larger the batches. A
batch takes three quarters of what waits: while the database works on it, we work on the answers of the one before. Were
it all that waits, we and the database would fall into step, each waiting for the other; were it less, there would be
more batches, each with a cost of its own.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
from typing import Generic, TypeVar

UNDIVIDED_MAX = 4  # as few as that go out together

Question = TypeVar("Question")
Answer = TypeVar("Answer")


class Overloaded(Exception):
    """More questions wait than the gatherer holds."""


class Gather(Generic[Question, Answer]):
    """Asks many at once. `answer_all` gives an answer, or the exception to raise, for each question in order.

    At most `batch_max` questions go out together and at most `waiting_max` wait. Where `alone` is given, two questions
    that share one of its values never stand in the same batch; they keep their order.
    """

    def __init__(
        self,
        answer_all: Callable[[list[Question]], Awaitable[Sequence[Answer | Exception]]],
        *,
        batch_max: int,
        waiting_max: int = 10_000,
        alone: Callable[[Question], Iterable[Hashable]] | None = None,
    ) -> None:
        self._answer_all = answer_all
        self._batch_max = batch_max
        self._waiting_max = waiting_max
        self._alone = alone
        self._waiting: deque[tuple[Question, asyncio.Future[Answer]]] = deque()
        self._task: asyncio.Task[None] | None = None

    async def ask(self, question: Question) -> Answer:
        """The answer to one question. Raises Overloaded, or whatever `answer_all` gave for it."""
        if len(self._waiting) >= self._waiting_max:
            raise Overloaded(f"{self._waiting_max} questions are waiting already")
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, future))
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        return await future

    async def close(self) -> None:
        """Wait until every question asked so far is answered."""
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        try:
            while self._waiting:
                batch = self._take()
                try:
                    answers = await self._answer_all([question for question, _ in batch])
                    assert len(answers) == len(batch), "every question has its answer"
                except Exception as error:
                    answers = [error] * len(batch)
                for (_, future), answer in zip(batch, answers, strict=True):
                    if future.done():
                        continue  # the one who asked has gone
                    if isinstance(answer, Exception):
                        future.set_exception(answer)
                    else:
                        future.set_result(answer)
        finally:
            self._task = None
            for _, future in self._waiting:  # only when we are cancelled
                future.cancel()
            self._waiting.clear()

    def _take(self) -> list[tuple[Question, asyncio.Future[Answer]]]:
        batch: list[tuple[Question, asyncio.Future[Answer]]] = []
        most = min(self._batch_max, max(UNDIVIDED_MAX, (3 * len(self._waiting) + 3) // 4))
        if self._alone is None:
            while self._waiting and len(batch) < most:
                batch.append(self._waiting.popleft())
            return batch
        seen: set[Hashable] = set()
        left: deque[tuple[Question, asyncio.Future[Answer]]] = deque()
        while self._waiting and len(batch) < most:
            question, future = self._waiting.popleft()
            marks = set(self._alone(question))
            (left if marks & seen else batch).append((question, future))
            seen |= marks
        self._waiting.extendleft(reversed(left))
        return batch
