"""Virtual time: that it passes as real time would, at once, and stops what waits for nothing."""

import asyncio
from datetime import timedelta
from time import monotonic

import pytest

from tests.virtual_time import BEGINNING, Stuck, VirtualClock, run


def test_a_month_passes_at_once_and_timers_keep_their_order() -> None:
    woken: list[tuple[str, float]] = []

    async def sleep(name: str, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        woken.append((name, asyncio.get_running_loop().time()))

    async def main() -> None:
        await asyncio.gather(sleep("month", 30 * 86_400), sleep("second", 1), sleep("day", 86_400))
        assert VirtualClock().now() == BEGINNING + timedelta(days=30)

    began = monotonic()
    run(main())
    assert woken == [("second", 1), ("day", 86_400), ("month", 30 * 86_400)]
    assert monotonic() - began < 10


def test_no_time_passes_while_something_is_to_be_done() -> None:
    async def main() -> float:
        asyncio.get_running_loop().call_later(1, lambda: None)
        for _ in range(1_000):
            await asyncio.sleep(0)
        return asyncio.get_running_loop().time()

    assert run(main()) == 0


def test_a_timeout_is_kept() -> None:
    async def main() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await asyncio.sleep(6)
        return asyncio.get_running_loop().time()

    assert run(main()) == 5


def test_waiting_for_nothing_is_found_out() -> None:
    with pytest.raises(Stuck):
        run(asyncio.Event().wait())
