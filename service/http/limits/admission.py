"""Admission control: concurrency limits, rate limits, bytes in flight, and the timeout of whole requests.

A request is in flight from its headers until the kernel has taken the last byte of its response. Limits are per
process. A request costs a few dictionary lookups here and no timer: one periodic task checks all requests in flight.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import structlog

from projections.read import Principal
from service.http.limits.shed import Overloaded, RateLimited

log = structlog.get_logger("service")

SWEEP_S = 1.0
PAGES_AT_ONCE = 4  # pages that one key may read and render at once, so that others find connections to Postgres
SEARCHES_AT_ONCE = 2  # of one account: half of the connections that search has (projections/search/find.py)
MUCH = 8 * 1024 * 1024  # bytes in flight, after which free memory is returned to the system
BUSY_SHARE = 4  # a quarter of the requests in flight that are allowed counts as busy
IDLE_S = 2.0  # seconds after which an idle key is forgotten; its token bucket is full again by then
UNKNOWN_SHARE = 2  # half of the requests in flight may be of callers not yet authenticated


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The limits. Rates are requests a second, with bursts of one second's worth; a rate of zero is no limit."""

    in_flight_max: int
    account_in_flight_max: int
    key_in_flight_max: int
    live_rate_max: int
    test_rate_max: int
    search_rate_max: int
    bytes_max: int
    account_bytes_max: int
    key_bytes_max: int
    append_wait_max_s: float
    timeout_s: float


class Bucket:
    """A token bucket that holds one second's worth of tokens."""

    __slots__ = ("at", "tokens")

    def __init__(self, now: float, rate: float) -> None:
        self.at = now
        self.tokens = rate

    def take(self, now: float, rate: float) -> bool:
        """Take a token; False if there is none."""
        tokens = self.tokens
        if now > self.at:  # requests may be admitted out of order of arrival
            tokens = min(rate, tokens + (now - self.at) * rate)
            self.at = now
        if tokens < 1:
            self.tokens = tokens
            return False
        self.tokens = tokens - 1
        return True


class Share:
    """What a key, or an account in both modes together, has in flight."""

    __slots__ = ("account", "bucket", "bytes", "endpoints", "in_flight", "last", "pages", "searches", "waiting")

    def __init__(self, account: "Share | None" = None) -> None:
        self.account = account
        self.in_flight = 0
        self.waiting = 0  # suspended requests, which will be in flight again
        self.bytes = 0
        self.last = 0.0
        self.bucket: Bucket | None = None
        self.pages: asyncio.Semaphore | None = None
        self.searches: asyncio.Semaphore | None = None
        self.endpoints: dict[str, Bucket] = {}

    def room(self, bounds: Bounds, bytes: int = 1) -> None:
        """Check that `bytes` more may be in flight for the key and for its account. Raises RateLimited.

        With none in flight, any number is allowed: a single large request is always answered.
        """
        if self.bytes + bytes > bounds.key_bytes_max and self.bytes > 0:
            raise RateLimited("key-bytes", "resource-specific")
        account = self.account
        assert account is not None, "a key's share is within its account's"
        if account.bytes + bytes > bounds.account_bytes_max and account.bytes > 0:
            raise RateLimited("account-bytes", "resource-specific")


class Ticket:
    """One request in flight."""

    __slots__ = ("_admission", "_end_wait", "_gone", "_share", "_suspended", "bytes", "deadline", "overdue", "task")

    def __init__(self, admission: "Admission", task: "asyncio.Task[object] | None", deadline: float) -> None:
        self._admission = admission
        self._share: Share | None = None
        self._suspended = False
        self._end_wait: Callable[[], None] | None = None
        self._gone = False
        self.bytes = 0
        self.task = task  # to be canceled on timeout; None once there is a response
        self.deadline = deadline
        self.overdue = False

    def admit(self, caller: Principal, now: float, endpoint: str | None = None, endpoint_rate: int = 0) -> None:
        """Count the request against the limits of its caller. Raises RateLimited."""
        admission = self._admission
        bounds, share = admission.bounds, admission.share(caller)
        share.last = now
        account = share.account
        assert account is not None, "a key's share is within its account's"
        rate = bounds.live_rate_max if caller.livemode else bounds.test_rate_max
        if rate:
            if share.bucket is None:
                share.bucket = Bucket(now, rate)
            if not share.bucket.take(now, rate):
                raise RateLimited("key-rate", "global-rate")
        if endpoint is not None and endpoint_rate:
            bucket = share.endpoints.get(endpoint)
            if bucket is None:
                bucket = share.endpoints[endpoint] = Bucket(now, endpoint_rate)
            if not bucket.take(now, endpoint_rate):
                raise RateLimited("endpoint-rate", "endpoint-rate")
        if share.in_flight >= bounds.key_in_flight_max:
            raise RateLimited("key-concurrency", "global-concurrency")
        if account.in_flight >= bounds.account_in_flight_max:
            raise RateLimited("account-concurrency", "global-concurrency")
        share.room(bounds)
        share.in_flight += 1
        account.in_flight += 1
        admission.unknown -= 1
        self._share = share

    @property
    def pages(self) -> asyncio.Semaphore:
        """The limit of requests of the key that read and render pages."""
        share = self._share
        assert share is not None, "it is admitted"
        if share.pages is None:
            share.pages = asyncio.Semaphore(PAGES_AT_ONCE)
        return share.pages

    @property
    def account_pages(self) -> asyncio.Semaphore:
        """The same limit for an account, whichever key is used: for reads of the feed."""
        account = self._account
        if account.pages is None:
            account.pages = asyncio.Semaphore(PAGES_AT_ONCE)
        return account.pages

    @property
    def account_searches(self) -> asyncio.Semaphore:
        """The limit of requests of the account that search in Postgres."""
        account = self._account
        if account.searches is None:
            account.searches = asyncio.Semaphore(SEARCHES_AT_ONCE)
        return account.searches

    @property
    def _account(self) -> Share:
        share = self._share
        assert share is not None, "it is admitted"
        assert share.account is not None, "a key's share is within its account's"
        return share.account

    def room(self) -> None:
        """Check that a large response is allowed, before it is read. Raises RateLimited, Overloaded."""
        admission, share = self._admission, self._share
        if share is not None:
            share.room(admission.bounds)
        if admission.bytes >= admission.bounds.bytes_max:
            raise Overloaded("process-bytes")

    def hold(self, bytes: int) -> None:
        """Count bytes that the request has in memory until it is answered; a negative number releases some.

        Raises RateLimited, Overloaded.
        """
        admission, share = self._admission, self._share
        if bytes <= 0:
            self._count(bytes)
            return
        if share is not None:
            share.room(admission.bounds, bytes)
        if admission.bytes + bytes > admission.bounds.bytes_max and admission.bytes > 0:
            raise Overloaded("process-bytes")
        self._count(bytes)

    @contextmanager
    def arriving(self) -> Iterator[None]:
        """While its body arrives, a request does not count as in flight, whether its caller is authenticated or not.

        A client can send a body slowly at no cost (slowloris). So as many bodies may be arriving as requests may be in
        flight; beyond that, the one that has been arriving longest is canceled. Raises Overloaded once the body is
        complete, if too many others are in flight by then.
        """
        admission = self._admission
        admission.arriving[self] = None
        if self._share is None:
            admission.unknown -= 1
        admission.bound_arriving()
        try:
            yield
        finally:
            admission.arriving.pop(self, None)
            if self._share is None:
                admission.unknown += 1
        if admission.in_flight > admission.bounds.in_flight_max:
            raise Overloaded("process-concurrency")

    def give_up(self) -> None:
        """Cancel the task of a request that timed out, once."""
        if self.task is not None and not self.overdue:
            self.overdue = True
            self._admission.timed_out += 1
            self.task.cancel()

    def answer(self, bytes: int) -> None:
        """The response, of so many bytes, is ready: only those are counted until the client has read it."""
        self.task = None
        if bytes != self.bytes:
            self._count(bytes - self.bytes)

    def suspend(self, end_wait: Callable[[], None] | None = None) -> None:
        """Let the request wait for an event (long polling): meanwhile it is not in flight, and does not time out.

        `end_wait` is called when its client disconnects, at once if it has.
        """
        self._leave()
        self._suspended = True
        self._end_wait = end_wait
        if self._share is not None:
            self._share.waiting += 1
        if self._gone and end_wait is not None:
            end_wait()

    def gone(self) -> None:
        """The client disconnected, or sends no more: end the wait of a suspended request; others are finished."""
        self._gone = True
        if self._end_wait is not None:
            self._end_wait()

    def resume(self) -> None:
        """End the wait: the request is in flight again, and its timeout begins anew."""
        admission, share = self._admission, self._share
        self.deadline = time.perf_counter() + admission.bounds.timeout_s
        admission.tickets[self] = None
        self._suspended = False
        self._end_wait = None
        if share is not None:
            share.waiting -= 1
            share.in_flight += 1
            if share.account is not None:
                share.account.in_flight += 1

    def release(self) -> None:
        """The response was sent, or the client disconnected: count the request no longer."""
        if self in self._admission.tickets:
            self._leave()
            if self._share is None:
                self._admission.unknown -= 1
        elif self._suspended:
            self._suspended = False
            if self._share is not None:
                self._share.waiting -= 1
        self._count(-self.bytes)

    def _leave(self) -> None:
        share = self._share
        del self._admission.tickets[self]
        if share is not None:
            share.in_flight -= 1
            if share.account is not None:
                share.account.in_flight -= 1

    def _count(self, bytes: int) -> None:
        admission = self._admission
        self.bytes += bytes
        admission.bytes += bytes
        if admission.bytes > MUCH:
            admission.had_much = True
        share = self._share
        if share is not None:
            share.bytes += bytes
            if share.account is not None:
                share.account.bytes += bytes


class Admission:
    """Admits requests within the limits, and sheds the rest.

    `append_wait_s` estimates how long one more append would wait; `give_back` returns free memory to the system.
    """

    def __init__(
        self,
        bounds: Bounds,
        append_wait_s: Callable[[], float] = lambda: 0.0,
        give_back: Callable[[], None] = lambda: None,
    ) -> None:
        self.bounds = bounds
        self._give_back = give_back
        self.had_much = False
        self.tickets: dict[Ticket, None] = {}  # in order of their deadlines
        self.arriving: dict[Ticket, None] = {}  # those of them whose bodies are arriving, the oldest first
        self.bytes = 0
        self.unknown = 0  # requests in flight whose callers are not yet authenticated
        self.shed: Counter[str] = Counter()
        self.timed_out = 0
        self._append_wait_s = append_wait_s
        self._shares: dict[str, Share] = {}
        self._accounts: dict[str, Share] = {}
        self._reported: Counter[str] = Counter()
        self._sweeping: asyncio.Task[None] | None = None

    @property
    def in_flight(self) -> int:
        """Requests that have arrived completely and are not answered yet."""
        return len(self.tickets) - len(self.arriving)

    def bound_arriving(self) -> None:
        """If too many bodies are arriving, cancel the request whose body has been arriving longest."""
        if len(self.arriving) > self.bounds.in_flight_max:
            longest = next(iter(self.arriving))
            del self.arriving[longest]
            longest.give_up()

    def enter(self, now: float, *, writes: bool) -> Ticket:
        """Admit a request whose caller is not yet known; gives its ticket. Raises Overloaded."""
        bounds = self.bounds
        if self.in_flight >= bounds.in_flight_max:
            raise Overloaded("process-concurrency")
        if self.unknown * UNKNOWN_SHARE >= bounds.in_flight_max:
            raise Overloaded("authentication")
        if writes and self._append_wait_s() > bounds.append_wait_max_s:
            raise Overloaded("append-wait")
        if self.bytes >= bounds.bytes_max:
            raise Overloaded("process-bytes")
        ticket = Ticket(self, asyncio.current_task(), now + bounds.timeout_s)
        self.tickets[ticket] = None
        self.unknown += 1
        return ticket

    def share(self, caller: Principal) -> Share:
        """The share of the caller's key."""
        share = self._shares.get(caller.key_id)
        if share is None:
            account = self._accounts.setdefault(caller.account, Share())
            share = self._shares[caller.key_id] = Share(account)
        return share

    def count(self, reason: str) -> None:
        """Count a request, or a connection, that was shed."""
        self.shed[reason] += 1

    async def open(self, *_: object) -> None:
        """Start the periodic sweep."""
        self._sweeping = asyncio.create_task(self._sweep())

    async def close(self, *_: object) -> None:
        """Stop the periodic sweep."""
        if self._sweeping is not None:
            self._sweeping.cancel()
            with suppress(asyncio.CancelledError):
                await self._sweeping

    async def _sweep(self) -> None:
        period_s = min(SWEEP_S, self.bounds.timeout_s / 4)
        while True:
            await asyncio.sleep(period_s)
            self.sweep(time.perf_counter())

    def sweep(self, now: float) -> None:
        """Cancel requests that timed out, forget idle keys, log what was shed, return free memory."""
        self._cut_off(now)
        self._forget(now)
        self._report()
        self._trim()

    def _trim(self) -> None:
        """Return free memory to the system when a busy period has ended."""
        busy = len(self.tickets) * BUSY_SHARE >= self.bounds.in_flight_max
        self.had_much = self.had_much or busy
        if self.had_much and not busy and self.bytes < MUCH:
            self.had_much = False
            self._give_back()

    def _cut_off(self, now: float) -> None:
        for ticket in list(self.tickets):
            if ticket.deadline > now:
                break  # the others have later deadlines
            ticket.give_up()

    def _forget(self, now: float) -> None:
        for key, share in list(self._shares.items()):
            if not share.in_flight and not share.waiting and not share.bytes and now - share.last > IDLE_S:
                del self._shares[key]
        used = {id(share.account) for share in self._shares.values()}
        for whose, account in list(self._accounts.items()):
            if id(account) not in used:
                del self._accounts[whose]

    def _report(self) -> None:
        """Log one line a reason for what was shed since the last sweep, rather than one for each request."""
        for reason, count in (self.shed - self._reported).items():
            log.warning("requests.shed", reason=reason, count=count)
        self._reported = Counter(self.shed)
