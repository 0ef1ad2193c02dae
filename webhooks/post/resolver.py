"""The DNS resolver: bounded per name, so a name that does not resolve does not delay others.

Lookups have a thread pool of their own: the event loop's default pool is small, and a name whose servers are silent
blocks a thread until the system's resolver times out. Concurrent lookups of a name share one, which is cached for a few
seconds.

A failed lookup is the receiver's fault or ours. NXDOMAIN and "no data" come from a working resolver: the receiver's
fault. EAI_AGAIN and a timeout are ambiguous: the receiver's name servers may be down, or our resolver unreachable. Then
the resolver is probed with a name under .invalid (RFC 6761), which needs no other server: if it answers anything, the
failure is the receiver's.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from aiohttp.abc import AbstractResolver, ResolveResult

THREADS = 32
REMEMBERED_S = 10.0
NAMES_MAX = 16_384
CANARY = "rollbook.invalid"
PROBE_TIMEOUT_S = 2.0
BELIEVED_S = 5.0
# The resolver was asked and answered, though not with an address.
ANSWERS = frozenset({socket.EAI_NONAME, socket.EAI_NODATA, socket.EAI_ADDRFAMILY})
OUR_SHORTAGES = frozenset({socket.EAI_MEMORY, socket.EAI_SYSTEM})

Lookup = Callable[[str, int, int], list[ResolveResult]]


class Resolver(AbstractResolver):
    """Looks names up by `lookup`, which may block, in threads of its own."""

    def __init__(self, lookup: Lookup | None = None, *, threads: int = THREADS) -> None:
        self._lookup = lookup or look_up
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="names")
        self._asked: dict[tuple[str, int, int], tuple[float, asyncio.Future[list[ResolveResult]]]] = {}
        self._answering = Doubt(self._answers)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of a name. Raises OSError, as the system's resolver does."""
        key, now = (host, port, int(family)), asyncio.get_running_loop().time()
        asked_at, found = self._asked.get(key, (now, None))
        if found is None or (found.done() and (now - asked_at >= REMEMBERED_S or found.exception() is not None)):
            self._asked.pop(key, None)  # so that the oldest comes first
            if len(self._asked) >= NAMES_MAX:
                del self._asked[next(iter(self._asked))]
            found = self._ask(*key)
            self._asked[key] = (now, found)
        return list(await asyncio.shield(found))  # a waiter that is cancelled leaves the lookup to the others

    async def ours_to_blame(self, error: OSError | None) -> bool:
        """Whether a lookup failed because our resolver is unreachable; `error` is None for a timeout."""
        number = error.errno if error is not None else None
        if number in OUR_SHORTAGES:
            return True
        return number not in ANSWERS and not await self._answering.works()

    async def close(self) -> None:
        """Stop, without waiting for lookups in progress."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _ask(self, host: str, port: int, family: int) -> "asyncio.Future[list[ResolveResult]]":
        found = asyncio.get_running_loop().run_in_executor(self._threads, self._lookup, host, port, family)
        found.add_done_callback(_seen)
        return found

    async def _answers(self) -> bool:
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_S):
                await self._ask(CANARY, 0, socket.AF_UNSPEC)
        except OSError as error:  # a TimeoutError is one, with no number
            return error.errno in ANSWERS
        return True


class Doubt:
    """Whether something of our own works, found out by `probe` when there is reason to ask.

    What was found is believed for a while, so that a thousand attempts that fail at once ask no more than once.
    """

    def __init__(self, probe: Callable[[], Awaitable[bool]], *, believed_s: float = BELIEVED_S) -> None:
        self._probe = probe
        self._believed_s = believed_s
        self._asking = asyncio.Lock()
        self._found: tuple[float, bool] | None = None

    async def works(self) -> bool:
        """Whether it works."""
        async with self._asking:
            now = asyncio.get_running_loop().time()
            if self._found is None or now - self._found[0] >= self._believed_s:
                self._found = (now, await self._probe())
            return self._found[1]


def look_up(host: str, port: int, family: int) -> list[ResolveResult]:
    """The addresses of a name by the system's resolver, best first (RFC 6724)."""
    answers = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    numeric = partial(ResolveResult, hostname=host, port=port, flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV)
    return [numeric(host=str(address[0]), family=kind, proto=proto) for kind, _, proto, _, address in answers]


def _seen(found: "asyncio.Future[list[ResolveResult]]") -> None:
    """Retrieve the exception of a lookup without waiters, so that asyncio does not log it."""
    if not found.cancelled():
        found.exception()
