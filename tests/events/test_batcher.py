"""Batching: fair between queues, without cancelled items, and with an estimate of the wait."""

import asyncio
from collections.abc import Hashable, Iterable, Sequence

import pytest

from events.batcher import Batcher, Overloaded

Item = tuple[str, int]


class Sender:
    """Sends batches one at a time; each gets its results when it is released."""

    def __init__(self) -> None:
        self.batches: list[list[Item]] = []
        self.go = asyncio.Semaphore(0)

    async def __call__(self, batch: list[Item]) -> Sequence[int | Exception]:
        self.batches.append(batch)
        await self.go.acquire()
        return [number for _, number in batch]


def queue_of(item: Item) -> Hashable:
    return item[0]


async def all_results(tasks: Iterable[asyncio.Task[int]], sender: Sender) -> list[int]:
    gathered = asyncio.gather(*tasks)
    while not gathered.done():
        sender.go.release()
        await asyncio.sleep(0)
    return await gathered


async def test_batches_are_filled_from_each_in_turn() -> None:
    sender = Sender()
    batcher: Batcher[Item, int] = Batcher(sender, batch_max=4, share=queue_of)
    tasks = [asyncio.create_task(batcher.submit(("flood", number))) for number in range(20)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert len(sender.batches) == 1
    tasks += [asyncio.create_task(batcher.submit((who, 100))) for who in ("a", "b")]
    await asyncio.sleep(0)
    assert len(await all_results(tasks, sender)) == 22
    assert {who for who, _ in sender.batches[1]} == {"flood", "a", "b"}, "whoever comes late waits for one batch"
    flood = [number for batch in sender.batches for who, number in batch if who == "flood"]
    assert flood == sorted(flood), "each one's own stay in order"


async def test_items_with_a_shared_mark_stay_in_order_across_queues() -> None:
    sender = Sender()
    batcher: Batcher[Item, int] = Batcher(sender, batch_max=8, share=queue_of, keys=lambda item: [item[1] % 2])
    tasks = [asyncio.create_task(batcher.submit(("ab"[number % 3 % 2], number))) for number in range(12)]
    await asyncio.sleep(0)
    assert await all_results(tasks, sender) == list(range(12))
    for batch in sender.batches:
        assert len({number % 2 for _, number in batch}) == len(batch)
    for who in "ab":
        own = [number for batch in sender.batches for queue, number in batch if queue == who]
        for parity in (0, 1):
            marked = [number for number in own if number % 2 == parity]
            assert marked == sorted(marked)


async def test_cancelled_items_are_not_sent() -> None:
    sender = Sender()
    batcher: Batcher[Item, int] = Batcher(sender, batch_max=1, share=queue_of)
    first, gone, last = (asyncio.create_task(batcher.submit(("a", number))) for number in range(3))
    await asyncio.sleep(0)
    gone.cancel()
    assert await all_results([first, last], sender) == [0, 2]
    assert sender.batches == [[("a", 0)], [("a", 2)]]
    await batcher.close()


async def test_no_more_wait_than_may_and_they_are_counted_down() -> None:
    sender = Sender()
    batcher: Batcher[Item, int] = Batcher(sender, batch_max=2, waiting_max=3, share=queue_of)
    tasks = [asyncio.create_task(batcher.submit(("a", number))) for number in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await batcher.submit(("b", 0))
    await all_results(tasks, sender)
    assert await all_results([asyncio.create_task(batcher.submit(("b", 7)))], sender) == [7]


async def test_the_wait_of_one_more_grows_with_those_before_it_and_with_the_batch_in_flight() -> None:
    sender = Sender()
    batcher: Batcher[Item, int] = Batcher(sender, batch_max=1, share=queue_of)
    assert batcher.wait_s() == 0
    task = asyncio.create_task(batcher.submit(("a", 0)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    first = batcher.wait_s()
    await asyncio.sleep(0.01)
    assert batcher.wait_s() >= first + 0.005, "the batch in flight takes long"
    await all_results([task], sender)
    assert batcher.wait_s() == 0, "nothing is waiting"
    tasks = [asyncio.create_task(batcher.submit(("a", number))) for number in range(100)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert batcher.wait_s() > 50 * 0.2 * 0.01, "a hundred batches like the recent ones"
    await all_results(tasks, sender)
