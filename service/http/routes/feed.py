"""`/v1/rollbook/feed`, the event feed: events in log order from a position, a line of JSON each (NDJSON), long polling.

A line is `{"position": 812, "event": {...}}`: the event as the API shows an event, and the position to go on from
once it is dealt with. The header `Rollbook-Position` has the position that the whole answer reaches, which may be
beyond its last line: what lies between is for others.
"""

import re
from collections.abc import Callable, Mapping
from typing import Self

from service.http.limits.shed import RateLimited
from service.http.operation import Operations
from service.http.params.feed import ReadFeed
from service.http.pipeline import RequestContext
from service.http.refusals import HttpRefusal
from service.http.reply import Reply
from webhooks.feed.feed import Crowded, Expired, NotReached

operation = Operations()
NDJSON = "application/x-ndjson"
POSITION = "Rollbook-Position"
OLDEST = "Rollbook-Oldest-Position"
LAYOUT = re.compile(rb"\n *")  # between members only: inside a string a line break is escaped


class NoLongerKept(HttpRefusal):
    """What came after the position is partly gone; a header has the earliest position to continue from."""

    headers: Mapping[str, str]

    def __init__(self, after: int, oldest: int) -> None:
        super().__init__(
            f"Events after position {after} are no longer stored. The oldest position to continue from is {oldest}; "
            "retrieve the objects themselves for earlier changes.",
            param="after",
        )
        self.headers = {OLDEST: str(oldest)}


class NotThereYet(HttpRefusal):
    """The feed is shorter: the position is of another database, or made up."""

    def __init__(self, after: int, last: int) -> None:
        super().__init__(f"Position {after} does not exist yet: the last one is {last}.", param="after")


class TooManyWait(RateLimited):
    """As many requests wait as may, of the process, the account or the key."""

    def __init__(self, whose: str) -> None:
        super().__init__(
            f"feed-{whose}",
            "endpoint-concurrency",
            "Too many requests are waiting for events here. Ask again later, or without waiting.",
        )


class _Reading:
    """A request that reads the feed, with few others of its account; while it waits it is not one of them.

    Nor is it in flight then, and it is answered afterwards only if its key still counts.
    """

    def __init__(self, context: RequestContext) -> None:
        self._call = context
        self._turns = context.ticket.account_pages
        self._reads = False
        self.key_id = context.caller.key_id

    async def __aenter__(self) -> Self:
        await self._take_turn()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._end_turn()

    def begin(self, end_wait: Callable[[], None]) -> None:
        self._end_turn()
        self._call.ticket.suspend(end_wait)

    async def end(self) -> None:
        self._call.ticket.resume()
        await self._call.pipeline.authenticator.caller(self._call.authorization)
        await self._take_turn()

    async def _take_turn(self) -> None:
        self._call.ticket.room()
        await self._turns.acquire()
        self._reads = True

    def _end_turn(self) -> None:
        if self._reads:
            self._reads = False
            self._turns.release()


@operation("GET", "/v1/rollbook/feed", "feed.read", permission="events:read", parameters=ReadFeed, answers="feed_line")
async def read(context: RequestContext) -> Reply:
    """Read the event feed.

    Each line is an event and the position to continue from; the header `Rollbook-Position` is the position that the
    whole response reaches. Events are kept for 30 days: an older position is refused, and the header
    `Rollbook-Oldest-Position` is the oldest position to continue from.
    """
    parameters, caller = context.parse(ReadFeed), context.caller
    after = parameters.after
    async with _Reading(context) as reading:
        try:
            portion = await context.pipeline.feed.read(
                caller.scope,
                after,
                types=parameters.types,
                limit=parameters.limit,
                wait_s=parameters.wait,
                waiting=reading,
                whole_coupons=context.whole_coupons,
            )
        except Expired as expired:
            raise NoLongerKept(after or 0, expired.oldest) from None
        except NotReached as beyond:
            raise NotThereYet(after or 0, beyond.last) from None
        except Crowded as crowded:
            raise TooManyWait(crowded.whose) from None
        context.hold([notice for _, notice in portion.notices])
    return Reply(
        status=200,
        body=b"".join(line(position, notice) for position, notice in portion.notices),
        headers=(("Content-Type", NDJSON), (POSITION, str(portion.position))),
    )


def line(position: int, notice: bytes) -> bytes:
    """A notice as a line of the feed."""
    return b'{"position": %d, "event": %b}\n' % (position, LAYOUT.sub(b"", notice))
