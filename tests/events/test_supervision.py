"""Supervision: what runs beside something else ends with it, though a cancellation be lost."""

import asyncio
from contextlib import suppress

import pytest

from events import supervision
from events.supervision import beside, end, unless_set


async def deaf(times: int) -> None:
    """Lose so many cancellations, as asyncio.wait_for may lose one."""
    for _ in range(times):
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
    await asyncio.Event().wait()


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "CANCEL_AGAIN_S", 0.01)


async def test_a_task_is_cancelled_until_it_has_ended() -> None:
    tasks = [asyncio.create_task(deaf(times)) for times in range(3)]
    await asyncio.sleep(0)  # let them begin
    async with asyncio.timeout(10):
        await end(*tasks)
    assert all(task.cancelled() for task in tasks)


async def test_what_runs_beside_ends_with_the_work() -> None:
    async with asyncio.timeout(10):
        await beside(asyncio.sleep(0.01), deaf(1), deaf(2))


async def test_work_that_an_event_ends_is_ended() -> None:
    event = asyncio.Event()
    asyncio.get_running_loop().call_later(0.01, event.set)
    async with asyncio.timeout(10):
        await unless_set(deaf(1), event)


async def test_what_the_others_raise_is_raised_by_the_work() -> None:
    async def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await beside(deaf(1), fail())


async def test_there_may_be_nothing_to_end() -> None:
    await end()
