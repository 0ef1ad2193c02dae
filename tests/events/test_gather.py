"""Gathering: fair between those who ask, without those who have gone, and with an estimate of the wait."""

import asyncio
from collections.abc import Hashable, Iterable, Sequence

import pytest

from events.batcher import Gather, Overloaded

Asked = tuple[str, int]


class Answers:
    """Answers batches one at a time, each when it is let go."""

    def __init__(self) -> None:
        self.batches: list[list[Asked]] = []
        self.go = asyncio.Semaphore(0)

    async def __call__(self, batch: list[Asked]) -> Sequence[int | Exception]:
        self.batches.append(batch)
        await self.go.acquire()
        return [number for _, number in batch]


def whose(asked: Asked) -> Hashable:
    return asked[0]


async def all_answered(tasks: Iterable[asyncio.Task[int]], answers: Answers) -> list[int]:
    gathered = asyncio.gather(*tasks)
    while not gathered.done():
        answers.go.release()
        await asyncio.sleep(0)
    return await gathered


async def test_batches_are_filled_from_each_in_turn() -> None:
    answers = Answers()
    gather: Gather[Asked, int] = Gather(answers, batch_max=4, share=whose)
    tasks = [asyncio.create_task(gather.ask(("flood", number))) for number in range(20)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert len(answers.batches) == 1
    tasks += [asyncio.create_task(gather.ask((who, 100))) for who in ("a", "b")]
    await asyncio.sleep(0)
    assert len(await all_answered(tasks, answers)) == 22
    assert {who for who, _ in answers.batches[1]} == {"flood", "a", "b"}, "whoever comes late waits for one batch"
    flood = [number for batch in answers.batches for who, number in batch if who == "flood"]
    assert flood == sorted(flood), "each one's own stay in order"


async def test_what_shares_a_mark_stays_in_order_whoever_asks() -> None:
    answers = Answers()
    gather: Gather[Asked, int] = Gather(answers, batch_max=8, share=whose, alone=lambda asked: [asked[1] % 2])
    tasks = [asyncio.create_task(gather.ask(("ab"[number % 3 % 2], number))) for number in range(12)]
    await asyncio.sleep(0)
    assert await all_answered(tasks, answers) == list(range(12))
    for batch in answers.batches:
        assert len({number % 2 for _, number in batch}) == len(batch)
    for who in "ab":
        own = [number for batch in answers.batches for asker, number in batch if asker == who]
        for parity in (0, 1):
            marked = [number for number in own if number % 2 == parity]
            assert marked == sorted(marked)


async def test_questions_that_nobody_waits_for_any_more_are_not_asked() -> None:
    answers = Answers()
    gather: Gather[Asked, int] = Gather(answers, batch_max=1, share=whose)
    first, gone, last = (asyncio.create_task(gather.ask(("a", number))) for number in range(3))
    await asyncio.sleep(0)
    gone.cancel()
    assert await all_answered([first, last], answers) == [0, 2]
    assert answers.batches == [[("a", 0)], [("a", 2)]]
    await gather.close()


async def test_no_more_wait_than_may_and_they_are_counted_down() -> None:
    answers = Answers()
    gather: Gather[Asked, int] = Gather(answers, batch_max=2, waiting_max=3, share=whose)
    tasks = [asyncio.create_task(gather.ask(("a", number))) for number in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await gather.ask(("b", 0))
    await all_answered(tasks, answers)
    assert await all_answered([asyncio.create_task(gather.ask(("b", 7)))], answers) == [7]


async def test_the_wait_of_one_more_grows_with_those_before_it_and_with_the_batch_in_flight() -> None:
    answers = Answers()
    gather: Gather[Asked, int] = Gather(answers, batch_max=1, share=whose)
    assert gather.wait_s() == 0
    task = asyncio.create_task(gather.ask(("a", 0)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    first = gather.wait_s()
    await asyncio.sleep(0.01)
    assert gather.wait_s() >= first + 0.005, "the batch in flight takes long"
    await all_answered([task], answers)
    assert gather.wait_s() == 0, "nothing is waiting"
    tasks = [asyncio.create_task(gather.ask(("a", number))) for number in range(100)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert gather.wait_s() > 50 * 0.2 * 0.01, "a hundred batches like those of late"
    await all_answered(tasks, answers)
