"""The event feed: an account's notices in log order from a position, with long polling.

A position is the sequence of a notice among those of all accounts, so each account sees increasing positions with gaps.
All waiting requests share one listener and one query for new notices; only requests that these match read again.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Literal, NamedTuple, Protocol

import structlog

from events.database import Pool, load_sql
from events.follow import Wakeup
from events.scope import Scope
from events.supervision import Retries, set_within
from webhooks.feed import api_version
from webhooks.feed.api_version import VersionedNotice

log = structlog.get_logger("webhooks")

BYTES_ENOUGH = 4 * 1024 * 1024  # bytes, after which a portion ends
WAITING_MAX = 1000
POLL_S = 1.0


class Portion(NamedTuple):
    """Notices with their positions, in order; and the position to go on from, at or beyond the last of them."""

    notices: Sequence[tuple[int, bytes]]
    position: int


class Expired(Exception):
    """Notices after that position are no longer kept; `oldest` is the earliest position to go on from."""

    def __init__(self, oldest: int) -> None:
        super().__init__(oldest)
        self.oldest = oldest


class NotReached(Exception):
    """The position is beyond the end of the feed; `last` is the last position."""

    def __init__(self, last: int) -> None:
        super().__init__(last)
        self.last = last


class Crowded(Exception):
    """Too many requests wait: in the process, of the account in both modes, or of the key, as `whose` says."""

    def __init__(self, whose: Literal["process", "account", "key"]) -> None:
        super().__init__(whose)
        self.whose = whose


class Waiting(Protocol):
    """A waiting request: `begin` is called before the wait, and `end`, which may raise, after it."""

    key_id: str

    def begin(self, end_wait: Callable[[], None]) -> None:
        """The wait begins; `end_wait` ends it early, when nobody waits for its answer any more."""
        ...

    async def end(self) -> None:
        """The wait ends."""
        ...


@dataclass(eq=False, slots=True, kw_only=True)
class _Waiter:
    key_id: str | None
    scope: Scope
    types: Sequence[str] | None
    position: int  # up to which no notice matches it
    reached_at: datetime
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    gone: bool = False

    def leave(self) -> None:
        self.gone = True
        self.woken.set()


class Feed:
    """Reads the feed; limits the requests that wait at once, in all, by account (both modes together), and by key."""

    def __init__(
        self,
        pool: Pool,
        wakeup: Wakeup,
        *,
        waiting_max: int = WAITING_MAX,
        account_waiting_max: int = WAITING_MAX,
        key_waiting_max: int = WAITING_MAX,
        bytes_enough: int = BYTES_ENOUGH,
    ) -> None:
        self._pool = pool
        self._wakeup = wakeup
        self._waiting_max = waiting_max
        self._account_waiting_max = account_waiting_max
        self._key_waiting_max = key_waiting_max
        self._accounts: Counter[str] = Counter()
        self._keys: Counter[str | None] = Counter()
        self._bytes_enough = bytes_enough
        self._waiting: set[_Waiter] = set()
        self._stop = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._read_feed = load_sql("webhooks", "read_feed")
        self._notices_since = load_sql("webhooks", "notices_since")

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return len(self._waiting)

    async def open(self, *_: object) -> None:
        """Start the listener."""
        self._tasks = [asyncio.create_task(self._wakeup.run(self._stop)), asyncio.create_task(self._run())]

    async def close(self, *_: object) -> None:
        """End all waits; from now on no request waits."""
        self._stop.set()
        self._wakeup.poke()
        for waiter in self._waiting:
            waiter.woken.set()
        await asyncio.gather(*self._tasks)

    async def read(
        self,
        scope: Scope,
        after: int | None,
        *,
        types: Sequence[str] | None = None,
        limit: int,
        wait_s: float = 0,
        waiting: Waiting | None = None,
        whole_coupons: bool = True,
    ) -> Portion:
        """The next notices after a position (None for the end); if there are none, those that come within `wait_s`.

        Without `whole_coupons` older versions too have the ids alone of coupons within other objects.
        Raises Expired, NotReached, Crowded, LogUnavailable.
        """
        portion, reached_at = await self._read(scope, after, None, types, limit, whole_coupons)
        if portion.notices or wait_s <= 0 or self._stop.is_set():
            return portion
        waiter = _Waiter(
            key_id=None if waiting is None else waiting.key_id,
            scope=scope,
            types=types,
            position=portion.position,
            reached_at=reached_at,
        )
        self._add(waiter)
        if waiting is not None:
            waiting.begin(waiter.leave)
        self._wakeup.poke()  # something may have come since it was read
        try:
            woken = await set_within(wait_s, waiter.woken)
        finally:
            self._remove(waiter)
        if waiting is not None:
            await waiting.end()
        if not woken or waiter.gone:
            return Portion((), waiter.position)
        portion, _ = await self._read(scope, waiter.position, waiter.reached_at, types, limit, whole_coupons)
        return portion

    def _add(self, waiter: _Waiter) -> None:
        """Add a waiting request. Raises Crowded."""
        whose = waiter.scope.account
        if waiter.key_id is not None and self._keys[waiter.key_id] >= self._key_waiting_max:
            raise Crowded("key")
        if self._accounts[whose] >= self._account_waiting_max:
            raise Crowded("account")
        if len(self._waiting) >= self._waiting_max:
            raise Crowded("process")
        self._waiting.add(waiter)
        self._accounts[whose] += 1
        self._keys[waiter.key_id] += 1

    def _remove(self, waiter: _Waiter) -> None:
        self._waiting.discard(waiter)
        whose = waiter.scope.account
        self._accounts[whose] -= 1
        if not self._accounts[whose]:
            del self._accounts[whose]
        self._keys[waiter.key_id] -= 1
        if not self._keys[waiter.key_id]:
            del self._keys[waiter.key_id]

    async def _read(
        self,
        scope: Scope,
        after: int | None,
        since: datetime | None,
        types: Sequence[str] | None,
        limit: int,
        whole_coupons: bool,
    ) -> tuple[Portion, datetime]:
        rows = await self._fetch(self._read_feed, *scope, after, since, types, limit, self._bytes_enough)
        head, oldest, reached_at = rows[0]["head"], rows[0]["oldest"], rows[0]["head_at"]
        if after is None:
            return Portion((), head), reached_at
        if after < oldest:
            raise Expired(oldest)
        if after > head:
            raise NotReached(head)
        found = [row for row in rows if row["sequence"] is not None]
        versioned = [VersionedNotice(row["body"], None, scope) for row in found]
        find = partial(api_version.find_coupons, self._fetch) if whole_coupons else api_version.name_coupons
        older = await api_version.rendered(versioned, find)
        notices = [(row["sequence"], older.get(index, row["body"])) for index, row in enumerate(found)]
        whole = len(found) < limit and sum(len(row["body"]) for row in found) < self._bytes_enough
        return Portion(notices, head if whole else found[-1]["sequence"]), reached_at

    async def _run(self) -> None:
        retries = Retries(log, "feed")
        while not self._stop.is_set():
            await self._wakeup.wait(POLL_S)
            if self._waiting:
                try:
                    await self._look()
                except Exception as error:  # whatever the error, the waiting requests need this loop
                    await retries.failed(error, self._stop)
                else:
                    retries.worked()

    async def _look(self) -> None:
        """Query new notices for all waiting requests, and wake those that they match."""
        looking = list(self._waiting)
        first = min(looking, key=lambda waiter: waiter.position)
        rows = await self._fetch(self._notices_since, first.position, first.reached_at)
        if not rows:
            return
        last = {(row["account"], row["livemode"], row["type"]): row["sequence"] for row in rows}
        of: dict[Scope, list[str]] = {}
        for account, livemode, type in last:
            of.setdefault(Scope(account, livemode), []).append(type)
        position, reached_at = max(last.values()), max(row["appended_at"] for row in rows)
        for waiter in looking:
            whose = waiter.scope
            if any(
                (waiter.types is None or type in waiter.types) and last[*whose, type] > waiter.position
                for type in of.get(whose, ())
            ):
                waiter.woken.set()  # its position stays: it reads from there
            elif position > waiter.position:
                waiter.position, waiter.reached_at = position, reached_at

    async def _fetch(self, query: str, *arguments: object) -> list[Any]:
        return await self._pool.fetch(query, *arguments)
