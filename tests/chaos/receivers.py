"""Receivers of webhooks: good ones, whose receipts are the proof, and bad ones that must not be in their way."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.servers.receiver import Behaviour, Drip, Drop, Flood, Hang, HangInBody, Receiver, redirect

GOOD = ("/first", "/second")
ELSEWHERE = "/elsewhere"  # where nobody was asked to send anything
BAD_HOST = "127.0.0.2"


@dataclass(frozen=True, slots=True)
class Receivers:
    """The good ones on one host, the bad ones on another."""

    good: Receiver
    bad: Receiver

    @property
    def urls(self) -> list[str]:
        """All that are to be registered."""
        return [*map(self.good.url, GOOD), *map(self.bad.url, behaviours(self.bad))]

    def receipts(self, path: str) -> Counter[str]:
        """The events that a good one received, by id."""
        return Counter(request.headers["webhook-id"] for request in self.good.received(path))

    def tried(self) -> dict[str, int]:
        """How often each of the bad ones was tried."""
        return {path.removeprefix("/"): len(self.bad.received(path)) for path in behaviours(self.bad)}

    def led_astray(self) -> int:
        """How often a redirect was followed."""
        return len(self.bad.received(ELSEWHERE))


def behaviours(of: Receiver) -> dict[str, Behaviour]:
    """What the bad ones do, by path."""
    return {
        "/hangs-before-headers": Hang(),
        "/stops-in-the-body": HangInBody(),
        "/sends-gigabytes": Flood(size_bytes=4 * 1024**3, status=500),
        "/resets": Drop(),
        "/redirects": redirect(of.url(ELSEWHERE)),
        "/drips": Drip(),
    }


@asynccontextmanager
async def receiving() -> AsyncIterator[Receivers]:
    """All of them, listening."""
    async with Receiver() as good, Receiver(BAD_HOST) as bad:
        for path, behaviour in behaviours(bad).items():
            bad.behave(path, behaviour)
        yield Receivers(good, bad)
