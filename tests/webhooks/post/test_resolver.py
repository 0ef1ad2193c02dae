"""Names: looked up once for all who ask, remembered for a while, and in nobody's way when nobody answers."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp.abc import ResolveResult

from tests.waiting import until
from tests.webhooks.naming import leads_to
from webhooks.post import resolver
from webhooks.post.resolver import THREADS, Doubt, Lookup, Resolver, look_up


class Counted:
    """Answers when `answering` is set, and counts the questions."""

    def __init__(self, lookup: Lookup) -> None:
        self.asked: list[str] = []
        self.answering = threading.Event()
        self.answering.set()
        self._lookup = lookup

    def __call__(self, host: str, port: int, family: int) -> list[ResolveResult]:
        self.asked.append(host)
        assert self.answering.wait(10)
        return self._lookup(host, port, family)


@asynccontextmanager
async def resolving(lookup: Lookup) -> AsyncIterator[Resolver]:
    each = Resolver(lookup)
    try:
        yield each
    finally:
        if isinstance(lookup, Counted):
            lookup.answering.set()
        await each.close()


async def addresses(each: Resolver, host: str) -> list[str]:
    return [found["host"] for found in await each.resolve(host, 443)]


async def test_all_who_ask_at_once_share_a_lookup_and_those_soon_after_too() -> None:
    lookup = Counted(leads_to("1.1.1.1"))
    async with resolving(lookup) as each:
        found = await asyncio.gather(*(addresses(each, "a.example") for _ in range(20)))
        assert found == [["1.1.1.1"]] * 20
        assert await addresses(each, "a.example") == ["1.1.1.1"]
        assert lookup.asked == ["a.example"]
        await each.resolve("a.example", 8443)
        assert lookup.asked == ["a.example"] * 2, "the port is part of the answer"


async def test_what_was_found_is_forgotten_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolver, "REMEMBERED_S", 0.0)
    lookup = Counted(leads_to("1.1.1.1"))
    async with resolving(lookup) as each:
        for _ in range(2):
            await addresses(each, "a.example")
    assert len(lookup.asked) == 2


async def test_no_more_names_are_remembered_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolver, "NAMES_MAX", 2)
    lookup = Counted(leads_to("1.1.1.1"))
    async with resolving(lookup) as each:
        for host in ("a.example", "b.example", "c.example", "c.example", "b.example", "a.example"):
            await addresses(each, host)
    assert lookup.asked == ["a.example", "b.example", "c.example", "a.example"]


async def test_a_failure_is_not_remembered() -> None:
    def fails_at_first(host: str, port: int, family: int) -> list[ResolveResult]:
        if len(lookup.asked) == 1:
            raise socket.gaierror(socket.EAI_AGAIN, "later")
        return leads_to("1.1.1.1")(host, port, family)

    lookup = Counted(fails_at_first)
    async with resolving(lookup) as each:
        with pytest.raises(socket.gaierror):
            await addresses(each, "a.example")
        assert await addresses(each, "a.example") == ["1.1.1.1"]


async def test_one_who_is_tired_of_waiting_leaves_the_others_their_answer() -> None:
    lookup = Counted(leads_to("1.1.1.1"))
    lookup.answering.clear()
    async with resolving(lookup) as each:
        tired, patient = (asyncio.ensure_future(addresses(each, "a.example")) for _ in range(2))
        await until(lambda: lookup.asked)
        tired.cancel()
        with pytest.raises(asyncio.CancelledError):
            await tired
        lookup.answering.set()
        assert await patient == ["1.1.1.1"]


async def test_names_that_nobody_answers_for_are_in_nobodys_way() -> None:
    silent = Counted(leads_to("1.1.1.1"))
    silent.answering.clear()

    def look(host: str, port: int, family: int) -> list[ResolveResult]:
        return (silent if host.startswith("silent") else leads_to("1.1.1.1"))(host, port, family)

    async with resolving(look) as each:
        waiting = [asyncio.ensure_future(addresses(each, f"silent{n}.example")) for n in range(THREADS - 1)]
        try:
            await until(lambda: len(silent.asked) == len(waiting))
            assert await asyncio.wait_for(addresses(each, "a.example"), 5) == ["1.1.1.1"]
        finally:
            silent.answering.set()
            await asyncio.gather(*waiting)


async def test_of_a_thousand_doubts_at_once_one_is_looked_into() -> None:
    found = iter([False, True])
    asked: list[bool] = []

    async def probe() -> bool:
        await asyncio.sleep(0)
        asked.append(next(found))
        return asked[-1]

    doubt = Doubt(probe, believed_s=60.0)
    assert set(await asyncio.gather(*(doubt.works() for _ in range(1000)))) == {False}
    assert asked == [False]
    soon = Doubt(probe, believed_s=0.0)
    assert await soon.works()


async def test_the_systems_resolver_knows_this_machine() -> None:
    async with resolving(look_up) as each:
        found = await each.resolve("localhost", 443)
    assert {each["host"] for each in found} & {"127.0.0.1", "::1"}
    assert {each["port"] for each in found} == {443}
