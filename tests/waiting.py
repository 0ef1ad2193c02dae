"""Waiting for a condition, with a timeout: the only module where a test polls."""

import asyncio
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import Any, TypeVar, overload

POLL_S = 0.005

Value = TypeVar("Value")


@overload
async def until(predicate: Callable[[], Awaitable[Value]], timeout_s: float = 10) -> Value: ...
@overload
async def until(predicate: Callable[[], Value], timeout_s: float = 10) -> Value: ...
async def until(predicate: Callable[[], Any], timeout_s: float = 10) -> Any:
    """What `predicate` gives as soon as that is true; plain and async predicates will do.

    Raises:
        AssertionError: it was still false after `timeout_s`; its last value is shown.
    """
    deadline = asyncio.get_running_loop().time() + timeout_s
    while True:
        found = predicate()
        value = await found if isawaitable(found) else found
        if value:
            return value
        if asyncio.get_running_loop().time() >= deadline:
            raise AssertionError(f"still {value!r} after {timeout_s} s")
        await asyncio.sleep(POLL_S)
