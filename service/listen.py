"""`rollbook listen`: forwards webhooks from the feed to a local receiver, such as a service in development.

It follows the feed and posts each notice, signed as a webhook is. Nothing is registered with the service. Notices go
one by one, in order: while the receiver cannot be reached they wait, and while the service cannot be, the position is
kept. Whatever the receiver answers counts as its answer: nothing is sent twice for a status.
"""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import aiohttp
import orjson
from yarl import URL

from events.supervision import Pauses
from events.version import VERSION
from service.client import Away, Client, Refused, calling
from service.http.routes.feed import POSITION
from webhooks.post import signature

FEED = "/v1/rollbook/feed"
WAIT_S = 30
TIMEOUT_S = 15.0  # to answer the feed beyond the wait; and for the receiver
PAUSE_S_MIN, PAUSE_S_MAX = 0.2, 5.0
HEADERS = {"Content-Type": "application/json; charset=utf-8", "User-Agent": f"Rollbook/{VERSION} (+webhooks)"}

Say = Callable[[str], None]


class Forwarded(NamedTuple):
    """An event that the receiver has answered."""

    position: int
    event: Any
    status: int
    elapsed_ms: int

    def text(self) -> str:
        """A line for people."""
        event = self.event
        what = f"{event['type']}  {event['id']}  position {self.position}"
        return f"{_now()}  {what}  -> {self.status} in {self.elapsed_ms} ms"

    def json(self) -> str:
        """A line for programs."""
        return orjson.dumps(self._asdict()).decode()


Report = Callable[[Forwarded], None]


async def run(
    *,
    url: str,
    key: str,
    forward_to: str,
    types: Sequence[str] = (),
    since: int | None = None,
    say: Say,
    report: Report,
) -> None:
    """Forward until interrupted; `types` as the feed takes them, none for all. Raises client.Refused.

    `report` is called for each event that was answered, `say` with remarks.
    """
    forward_to = receiver_url(forward_to)
    task = asyncio.ensure_future(_run(url, key, forward_to, types, since, say, report))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        return


def receiver_url(given: str) -> str:
    """The URL of a receiver: as given, or http where no scheme is, or of this machine where a port alone is.

    Raises client.Refused.
    """
    if given.isascii() and given.isdigit():
        given = f"127.0.0.1:{given}"
    if "://" not in given:
        given = f"http://{given}"
    try:
        url = URL(given)
    except (ValueError, IndexError):  # the latter from unbalanced brackets
        url = URL()
    if url.scheme not in ("http", "https") or not url.host:
        raise Refused(f"{given} is not an http URL.")
    return given


async def _run(
    url: str, key: str, forward_to: str, types: Sequence[str], since: int | None, say: Say, report: Report
) -> None:
    secret = signature.new_secret(os.urandom(signature.SECRET_BYTES))
    async with calling(url, key) as client, aiohttp.ClientSession(headers=HEADERS) as session:
        following = Following(client, types, since, say)
        forwarding = Forwarding(session, forward_to, secret, say, report)
        await following.begin()
        say(f"Forwarding to {forward_to} from position {following.position}, signed with {secret}")
        try:
            async for position, notice in following:
                await forwarding.send(position, notice)
                following.position = position
        finally:
            say(f"Stopped at position {following.position}: continue with --since {following.position}.")


class Following:
    """Follows the feed, with retries while the service is unavailable."""

    def __init__(self, client: Client, types: Sequence[str], since: int | None, say: Say) -> None:
        self._client = client
        self._asked = [("types", ",".join(types))] if types else []
        self._say = say
        self.position = since  # what is at or before it is dealt with

    async def begin(self) -> None:
        """Have a position: that of the present, unless one was given. Raises Refused when it or the key is no good."""
        self.position, _ = await self._portion(wait_s=0)

    async def __aiter__(self) -> AsyncIterator[tuple[int, bytes]]:
        """Each notice with its position."""
        while True:
            reached, lines = await self._portion(wait_s=WAIT_S)
            for line in lines:
                row = orjson.loads(line)
                yield row["position"], orjson.dumps(row["event"], option=orjson.OPT_INDENT_2)
            self.position = reached

    async def _portion(self, *, wait_s: int) -> tuple[int, list[bytes]]:
        """The position that an answer reaches, and its lines; asked for until there is an answer. Raises Refused."""
        after = [] if self.position is None else [("after", str(self.position))]
        pauses, tries = Pauses(PAUSE_S_MIN, PAUSE_S_MAX), 0
        while True:
            try:
                asked = [*self._asked, *after, ("wait", str(wait_s)), ("limit", "100" if wait_s else "1")]
                answer = await self._client.ask("GET", FEED, asked, timeout_s=wait_s + TIMEOUT_S)
            except Away as away:
                if not tries:
                    self._say(f"{_now()}  {away}; trying again")
                tries += 1
                await asyncio.sleep(pauses.next())
            else:
                if tries:
                    self._say(f"{_now()}  the service is back")
                if wait_s == 0 and self.position is not None:
                    return self.position, []  # it was asked whether the position is good
                return int(answer.headers[POSITION]), answer.body.splitlines()


class Forwarding:
    """Posts notices to the receiver, each until it has an answer."""

    def __init__(self, session: aiohttp.ClientSession, forward_to: str, secret: str, say: Say, report: Report) -> None:
        self._session = session
        self._forward_to = forward_to
        self._secret = secret
        self._say = say
        self._report = report

    async def send(self, position: int, notice: bytes) -> None:
        """Post one, and report what came of it."""
        event = orjson.loads(notice)
        what = f"{event['type']}  {event['id']}  position {position}"
        pauses, tries = Pauses(PAUSE_S_MIN, PAUSE_S_MAX), 0
        while True:
            began = time.perf_counter()
            try:
                status = await self._post(event["id"], notice)
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                if not tries:
                    self._say(f"{_now()}  {what}  -> {str(error) or type(error).__name__}; trying again")
                tries += 1
                await asyncio.sleep(pauses.next())
            else:
                elapsed_ms = round((time.perf_counter() - began) * 1000)
                self._report(Forwarded(position, event, status, elapsed_ms))
                return

    async def _post(self, id: str, body: bytes) -> int:
        headers = signature.headers(body, [self._secret], id=id, timestamp=int(time.time()))
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        async with self._session.post(
            self._forward_to, data=body, headers=headers, timeout=timeout, allow_redirects=False
        ) as answer:
            return answer.status


def _now() -> str:
    return datetime.now().strftime("%H:%M:%S")  # noqa: DTZ005  # the time on the developer's own clock
