"""Availability of the database: one health check per process, which everything else waits for during an outage.

Connections report their errors. The watcher then probes over a connection of its own: only if that fails too is it an
outage, which is logged once, probed again with backoff, and over when a probe succeeds. After a failover or a restart
of the server the `generation` is incremented, and each connection of an older one is replaced before its next use: none
stays with a server that was demoted. The first connection that reaches a new primary increments it, before it is used:
what is written there is read there.
"""

import asyncio
from collections.abc import Awaitable, Callable
from weakref import WeakValueDictionary

import asyncpg
import structlog

from events.database_url import DatabaseUrl, parse
from events.outage import DatabaseUnavailable, Kind, failing
from events.supervision import PAUSE_S, Pauses, Retries, set_within, unless_set

log = structlog.get_logger("events")

WANTED_S = 1.0  # minimum interval of probes while callers wait
LOOK_EVERY_S = 15.0
LOOK_TIMEOUT_S = 2.0
CONNECT_TIMEOUT_S = 5.0
NOW_S = 0.5  # maximum age of a result that still counts as current
RENEW_EVERY_S = 30.0  # interval at which the watcher reconnects, since the URL may lead to another server
REMIND_EVERY_S = 300.0
# Outages during which only the watcher tries new connections.
CLOSED = frozenset({Kind.UNREACHABLE, Kind.SILENT, Kind.STARTING, Kind.NO_DATABASE, Kind.LOGIN_REFUSED})

# Whether the server is read-only, and which server it is.
SERVER = """
SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean AS read_only,
       concat_ws(' ', pg_postmaster_start_time(), inet_server_addr(), inet_server_port()) AS server
"""
# The same, and whether our tables exist and are readable.
LOOK = f"{SERVER}, (SELECT count(*) FROM events.head) AS heads"
# Rows larger than the free space of any page, one for each kind of table that appends grow; rolled back.
GROW = """
WITH bytes AS (
    SELECT decode(string_agg(md5(random()::text), ''), 'hex') AS random FROM generate_series(1, 4096)
), receipt AS (
    INSERT INTO events.receipt (account, livemode, key, answered_at, route, fingerprint, request_id, status, body)
    SELECT '', false, gen_random_uuid(), now(), '', '', '', 0, random FROM bytes
)
INSERT INTO events.log (position, stream, version, account, livemode, type, schema_version, payload, hash, recorded_at,
    actor)
SELECT least(position + 1000000, partition_end - 1), 'probe-' || gen_random_uuid(), 1, '', false, '', 1, random, '',
    now(), ''
FROM events.head, bytes
"""

Connect = Callable[[], Awaitable[asyncpg.Connection]]


class Availability:
    """State of one database as this process knows it."""

    def __init__(self, url: DatabaseUrl | None, connect: Connect) -> None:
        self._url = url
        self._connect = connect
        self.generation = 0
        self.host = 0  # the host of several that answered last
        self.outage: DatabaseUnavailable | None = None
        self.watched = False  # whether a task probes: the watcher, or earlier the one that prepares the database
        self.revive: Callable[[], Awaitable[bool]] | None = None  # restarts the embedded server, if there is one
        self._since = 0.0  # start of the outage
        self._said_at = 0.0
        self._doubt: Kind | None = None
        self._server: str | None = None
        self._connection: asyncpg.Connection | None = None
        self._renew_at = 0.0
        self._begun = self._ended = 0  # probes
        self._ended_at = 0.0
        self._watching = self._found = False
        self._changed = asyncio.Event()
        self._poked = asyncio.Event()
        self._turn = asyncio.Lock()
        self._pauses = Pauses()

    def report(self, error: DatabaseUnavailable) -> None:
        """Report an error of a connection."""
        error.reported_to = self
        if error.kind is not Kind.BUSY:
            self._doubt = error.kind
            self._poked.set()

    def refuse(self) -> None:
        """Raise the outage if no new connection can be made; the watcher probes soon, since a caller waits."""
        if self.outage is not None and self._watching:
            self._poked.set()
            if self.outage.kind in CLOSED:
                again = DatabaseUnavailable(str(self.outage), self.outage.kind, self.outage.state)
                again.reported_to = self
                raise again

    def worked(self) -> None:
        """Report a success, which may be the end of an outage."""
        if self.outage is not None and self.outage.kind in CLOSED:
            self._poked.set()

    def reached(self, server: str, *, read_only: bool) -> None:
        """Report the server that a new connection leads to: a primary other than the last one is a failover."""
        if read_only:
            return  # demoted, or not promoted yet
        if self._server not in (None, server):
            self.generation += 1
        self._server = server

    async def now(self) -> DatabaseUnavailable | None:
        """The current outage, probed within two seconds; None if there is none."""
        if not self._watching:
            return self.outage or await self._look(None)
        if self.outage is None and asyncio.get_running_loop().time() - self._ended_at > NOW_S:
            look = self._begun + 1
            self._poked.set()
            while self._ended < look and self._watching:
                await self._changed.wait()
        return self.outage

    def begin(self) -> None:
        """Make every caller wait for the first call of `found`, without logging the errors met until then."""
        self.watched = True

    async def watch(self, stop: asyncio.Event) -> None:
        """Watch the database until `stop` is set."""
        retries = Retries(log, "availability")
        self.watched = self._watching = True
        try:
            while not stop.is_set():
                await self._until_due(stop)
                if stop.is_set():
                    return
                try:
                    await self._watch_once(stop)
                except Exception as error:  # others wait for this loop
                    await retries.faulted(error, stop)
                else:
                    retries.worked()
        finally:
            self.watched = self._watching = False
            self._change()
            self.close()

    async def _watch_once(self, stop: asyncio.Event) -> None:
        self._poked.clear()
        self._begun += 1
        doubt, self._doubt = self._doubt, None
        found = await unless_set(self._look(doubt), stop)
        if found is not None:
            await self.lost(found)
        elif not stop.is_set():
            self.found(doubt)

    async def lost(self, found: DatabaseUnavailable) -> None:
        """Record and log a confirmed outage; restart the embedded server if there is one."""
        time = asyncio.get_running_loop().time()
        before, self.outage = self.outage, found
        if before is None:
            self._since = time
        if before is None or before.kind is not found.kind:
            self._pauses.reset()
        if before is None or str(before) != str(found) or time - self._said_at > REMIND_EVERY_S:
            self._said_at = time
            log.warning("database.unavailable", error=found.advised, for_s=round(time - self._since))
        self._change()
        if self.revive is not None and found.kind in (Kind.UNREACHABLE, Kind.STARTING) and await self.revive():
            self._pauses.reset()
            self._poked.set()

    def found(self, doubt: Kind | None = None) -> None:
        """Record that the database is available, although an error with `doubt` was reported."""
        if self.outage is not None:
            self.outage = None
            self.generation += 1
            log.info("database.available", after_s=round(asyncio.get_running_loop().time() - self._since, 1))
        elif doubt is Kind.READ_ONLY:
            self.generation += 1  # reported by a server that is no longer the primary
        self._found = True
        self._change()

    async def pause(self, stop: asyncio.Event) -> None:
        """Back off before the retry of what `lost` was called for."""
        await set_within(self._pauses.next(), stop)

    async def verdict(self, stop: asyncio.Event) -> bool:
        """Whether the reported error is an outage; returns once it is over or `stop` is set."""
        if not self.watched:
            return False
        look, outage = self._begun + 1, self.outage is not None or not self._found
        self._poked.set()
        while not stop.is_set() and self._ended < look and self.watched:
            await set_within(None, stop, self._changed)
        outage = outage or self.outage is not None
        while not stop.is_set() and (self.outage is not None or not self._found) and self.watched:
            await set_within(None, stop, self._changed)
        return outage

    async def _look(self, doubt: Kind | None) -> DatabaseUnavailable | None:
        """Probe the database; returns the outage, if any."""
        outage = self.outage
        try:
            async with self._turn, asyncio.timeout(LOOK_TIMEOUT_S if outage is None else CONNECT_TIMEOUT_S):
                if doubt is not None or outage is not None or asyncio.get_running_loop().time() > self._renew_at:
                    self.close()
                return await self._ask(grow=Kind.FULL in (doubt, outage and outage.kind))
        except DatabaseUnavailable as error:
            self.close()
            return error
        except Exception as error:
            self.close()
            assert self._url is not None, "a connection was made"
            return failing(error, self._url)
        except asyncio.CancelledError:
            self.close()
            raise

    async def _ask(self, *, grow: bool) -> DatabaseUnavailable | None:
        if self._connection is None or self._connection.is_closed():
            self._connection = await self._connect()
            self._renew_at = asyncio.get_running_loop().time() + RENEW_EVERY_S
        row = await self._connection.fetchrow(LOOK)
        if row["read_only"]:
            return DatabaseUnavailable(f"{self._url} is read-only", Kind.READ_ONLY)
        if grow:
            transaction = self._connection.transaction()
            await transaction.start()
            await self._connection.execute(GROW)
            await transaction.rollback()
        self.reached(row["server"], read_only=False)
        return None

    async def _until_due(self, stop: asyncio.Event) -> None:
        """Wait until the next probe is due: soon after a caller asked for one."""
        pause_s = LOOK_EVERY_S if self.outage is None else self._pauses.next()
        if self.outage is not None and pause_s > PAUSE_S:  # not at every request
            await set_within(min(pause_s, WANTED_S), stop)
            pause_s -= WANTED_S
        if pause_s > 0 and not stop.is_set():
            await set_within(pause_s, stop, self._poked)

    def _change(self) -> None:
        """Wake the callers that wait for a probe or for the end of the outage."""
        self._ended = self._begun = self._begun if self._watching else self._begun + 1
        self._ended_at = asyncio.get_running_loop().time()
        self._changed.set()
        self._changed = asyncio.Event()

    def close(self) -> None:
        """Close the connection of the watcher."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()


_known: "WeakValueDictionary[tuple[object, str], Availability]" = WeakValueDictionary()


def of(dsn: str, connect: Connect) -> Availability:
    """The availability of the database at a URL, one per event loop; `connect` is used by the first caller."""
    try:
        loop: object = asyncio.get_running_loop()
    except RuntimeError:  # created outside of an event loop, or in an earlier one
        loop = None
    known = _known.get((loop, dsn))
    if known is None:
        try:
            url = parse(dsn)
        except ValueError:
            url = None
        known = _known[loop, dsn] = Availability(url, connect)
    return known
