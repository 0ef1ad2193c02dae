"""The relay (outbox publisher): publishes the outbox in log order, with publisher confirms; one leader among many.

One relay is active (leader election): it holds a session advisory lock, and a cursor that only the newest epoch may
move (a fencing token), so a paused leader that was replaced cannot move it back. The cursor moves past confirmed
notices only: after a crash some notices are published again, none is skipped (at least once).

The lock is a lease: a session that holds it and is silent for `lease_s` is terminated, whether its process is stopped
or its machine is lost. Postgres terminates idle sessions by itself; one that stopped within a statement is terminated
by a standby. A leader that resumes late may publish duplicates, but skips nothing either: a consumer that drops
duplicates still has every notice in order.
"""

import asyncio
import math
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import aio_pika
import structlog
from aio_pika.abc import AbstractChannel, AbstractExchange

from events.database import ServiceConnection, as_outage, availability_of, connect, load_sql
from events.follow import Wakeup
from events.scope import Scope
from events.supervision import Retries, beside, set_within
from webhooks.broker import amqp
from webhooks.broker.amqp import Flow, Topology
from webhooks.feed import api_version
from webhooks.feed.api_version import VersionedNotice, Wanted

log = structlog.get_logger("webhooks")

LOCK = 0x0_7011_B00D
BATCH = 500
IN_FLIGHT_MAX = 200
POLL_S = 1.0
STANDBY_S = 1.0
STOPPING_S = 5.0
DECLARE_EVERY_S = 15.0
LEASE_S = 10.0
HEARD_PER_LEASE = 4  # heartbeats of a leader within a lease
SOURCE = "/rollbook"

_OnTheirWay = asyncio.Queue[tuple[Any, "asyncio.Task[Any]"] | None]


class Superseded(Exception):
    """Another relay has taken over."""


class Relay:
    """Publishes notices while it is the leader, and is a standby otherwise.

    `lease_s` is how long after the last heartbeat of a lost leader a standby can take over.
    """

    def __init__(
        self, dsn: str, amqp_url: str, topology: Topology, wakeup: Wakeup, *, lease_s: float = LEASE_S
    ) -> None:
        self._dsn = dsn
        self._amqp_url = amqp_url
        self._topology = topology
        self._wakeup = wakeup
        self._lease_s = lease_s
        self._next = load_sql("webhooks", "next_notices")
        self.state = "connecting"
        self.active = False
        self.published = 0
        self.unconfirmed = 0  # messages that the broker did not confirm in time

    async def run(self, stop: asyncio.Event) -> None:
        """Relay until `stop` is set, then wait for the confirms of messages in flight."""
        retries = Retries(log, "relay")
        while not stop.is_set():
            try:
                await self._stand_by_and_lead(stop, retries)
            except Superseded:
                self.active = False
                log.warning("relay.stepped_down")
                await set_within(STANDBY_S, stop)
            except Exception as error:  # whatever ends its lead, it stands by again
                self.active = False
                await retries.failed(as_outage(error, self._dsn), stop)
            finally:
                self.active = False

    async def _stand_by_and_lead(self, stop: asyncio.Event, retries: Retries) -> None:
        known = availability_of(self._dsn)
        generation = known.generation
        connection = await session(self._dsn, self._lease_s)
        try:
            while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", LOCK):
                self.state = "standing by"
                await self._end_silent_leader(connection)
                retries.worked()
                await set_within(STANDBY_S, stop)
                if stop.is_set() or known.generation != generation:
                    return
            row = await connection.fetchrow(
                "UPDATE webhooks.relay_cursor SET epoch = epoch + 1 RETURNING epoch, sequence, appended_at"
            )
            self.active = True
            retries.worked()
            log.info("relay.leads", epoch=row["epoch"], sequence=row["sequence"])
            lead = _Lead(self._dsn, connection, row["epoch"], row["sequence"], row["appended_at"])
            await beside(
                amqp.supervise(
                    lambda: self._publish(lead, stop), stop, name="relay", url=self._amqp_url, on_state=self._set_state
                ),
                lead.keep(self._lease_s / HEARD_PER_LEASE, lambda: known.generation == generation),
            )
        finally:
            connection.terminate()  # the lock goes with it

    async def _end_silent_leader(self, connection: ServiceConnection) -> None:
        """Terminate the session of a silent leader. The login role may do so, the service's role may not."""
        async with connection.transaction():
            await connection.execute("SET LOCAL ROLE NONE")
            if await connection.fetch(load_sql("webhooks", "end_silent_leader"), LOCK, self._lease_s):
                log.warning("relay.silent_leader_terminated")

    async def _publish(self, lead: "_Lead", stop: asyncio.Event) -> None:
        async with amqp.channel(self._amqp_url, "relay") as channel:
            exchange, _ = await self._topology.declare(channel)
            flow = Flow((await channel.get_underlay_channel()).connection, self._set_state)
            self.state = "ok"
            on_their_way: _OnTheirWay = asyncio.Queue(maxsize=IN_FLIGHT_MAX)
            try:
                await beside(
                    self._confirm_all(lead, flow, on_their_way),
                    self._publish_all(channel, exchange, lead, flow, on_their_way, stop),
                    flow.watch(),
                    self._keep_declared(),
                    _give_up_after(stop),
                )
            finally:
                for publishing in _left(on_their_way):
                    publishing.cancel()

    async def _publish_all(
        self,
        channel: AbstractChannel,
        exchange: AbstractExchange,
        lead: "_Lead",
        flow: Flow,
        on_their_way: "_OnTheirWay",
        stop: asyncio.Event,
    ) -> None:
        """Publish in order, with at most IN_FLIGHT_MAX messages unconfirmed."""
        sequence, appended_at = lead.sequence, lead.appended_at
        while not stop.is_set():
            if channel.is_closed:
                raise ConnectionError("the broker closed the channel")
            notices = await lead.fetch(self._next, sequence, appended_at, BATCH)
            versioned = [
                VersionedNotice(notice["body"], None, Scope(notice["account"], notice["livemode"]))
                for notice in notices
            ]
            bodies = await api_version.rendered(versioned, lead.find_coupons)
            for index, notice in enumerate(notices):
                await flow.open()
                sequence, appended_at = notice["sequence"], notice["appended_at"]
                confirmed = asyncio.create_task(
                    exchange.publish(message(notice, bodies.get(index, notice["body"])), routing_key(notice))
                )
                await on_their_way.put((notice, confirmed))
            if len(notices) < BATCH:
                await self._wakeup.wait(POLL_S)
        await on_their_way.put(None)

    async def _confirm_all(self, lead: "_Lead", flow: Flow, on_their_way: "_OnTheirWay") -> None:
        """Move the cursor past messages that are confirmed without a gap; raises if one is not confirmed."""
        while (first := await on_their_way.get()) is not None:
            last, confirmed = first
            await self._confirmed(flow, confirmed)
            self.published += 1
            while not on_their_way.empty():
                following = on_their_way.get_nowait()
                if following is None:
                    await lead.move(last["sequence"], last["appended_at"])
                    return
                notice, confirmed = following
                if not confirmed.done():
                    await lead.move(last["sequence"], last["appended_at"])
                await self._confirmed(flow, confirmed)
                last = notice
                self.published += 1
            await lead.move(last["sequence"], last["appended_at"])

    async def _confirmed(self, flow: Flow, publishing: "asyncio.Task[Any]") -> None:
        try:
            await flow.confirmed(publishing, self._topology.exchange)
        except amqp.Unconfirmed:
            self.unconfirmed += 1
            raise

    async def _keep_declared(self) -> None:
        """Declare the topology periodically: a publisher is not notified when it is deleted."""
        while True:
            await asyncio.sleep(DECLARE_EVERY_S)
            async with amqp.channel(self._amqp_url, "topology") as own:  # ours may be blocked
                await self._topology.declare(own)

    def _set_state(self, state: str) -> None:
        self.state = state


class _Lead:
    """The cursor, for as long as this relay leads."""

    def __init__(
        self, dsn: str, connection: ServiceConnection, epoch: int, sequence: int, appended_at: datetime
    ) -> None:
        self.dsn = dsn
        self.connection = connection
        self.epoch = epoch
        self.sequence = sequence
        self.appended_at = appended_at
        self._turn = asyncio.Lock()

    async def move(self, sequence: int, appended_at: datetime) -> None:
        """Move the cursor on. Raises Superseded when a newer relay has taken it."""
        moved = await self.fetch(
            "UPDATE webhooks.relay_cursor SET sequence = $1, appended_at = $2 WHERE epoch = $3 RETURNING epoch",
            sequence,
            appended_at,
            self.epoch,
        )
        if not moved:
            raise Superseded
        self.sequence, self.appended_at = sequence, appended_at

    async def keep(self, every_s: float, current: Callable[[], bool]) -> None:
        """Send a heartbeat to the server. Raises when the connection, and with it the advisory lock, is lost."""
        while current():
            await asyncio.sleep(every_s)
            await self.fetch("SELECT 1")
        raise Superseded  # this server is no longer the primary

    async def fetch(self, query: str, *arguments: object) -> list[Any]:
        """The rows of a query; one query at a time uses the connection. Raises DatabaseUnavailable."""
        try:
            async with self._turn:
                rows: list[Any] = await self.connection.fetch(query, *arguments)
        except Exception as error:
            raise as_outage(error, self.dsn) from error
        return rows

    async def find_coupons(self, wanted: Sequence[Wanted]) -> Mapping[Wanted, bytes]:
        """See webhooks.feed.api_version."""
        return await api_version.find_coupons(self.fetch, wanted)


async def session(dsn: str, lease_s: float) -> ServiceConnection:
    """A connection to lead by: the server ends it when nothing was heard of us for `lease_s`. Raises LogUnavailable.

    A process that is stopped has a kernel that still answers for it, so it is the silence of the session that counts.
    Where the machine itself is gone, an answer of the server may be in flight to it for many minutes; TCP gives up
    on both after the same time.
    """
    lease_ms = math.ceil(lease_s * 1000)
    return await connect(
        dsn,
        application="relay",
        # A crash of Postgres may turn the cursor back a little: some notices are published again, as after any crash.
        synchronous_commit="off",
        idle_session_timeout=str(lease_ms),
        tcp_user_timeout=str(lease_ms),
        tcp_keepalives_idle=str(math.ceil(lease_s / 2)),
        tcp_keepalives_interval=str(math.ceil(lease_s / 6)),
        tcp_keepalives_count="3",
    )


def _left(on_their_way: "_OnTheirWay") -> list["asyncio.Task[Any]"]:
    left = []
    while not on_their_way.empty():
        if (waiting := on_their_way.get_nowait()) is not None:
            left.append(waiting[1])
    return left


def routing_key(notice: Any) -> str:
    """`{account}.{live|test}.{type}`: what consumers bind by."""
    return f"{notice['account']}.{'live' if notice['livemode'] else 'test'}.{notice['type']}"


def message(notice: Any, body: bytes) -> aio_pika.Message:
    """A notice as a message: its JSON as the API shows it, and headers that allow a consumer to skip it unread.

    The message id is new at each publish, because returned messages are matched by it; consumers recognize repeated
    events by `rollbook-event-id`. CloudEvents attributes follow the AMQP protocol binding.
    """
    traced = {"traceparent": notice["traceparent"]} if notice["traceparent"] else {}
    created = datetime.fromtimestamp(notice["created"], UTC)
    return aio_pika.Message(
        body,
        content_type="application/json",
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        message_id=uuid.uuid4().hex,
        timestamp=created,
        type=notice["type"],
        app_id="rollbook",
        headers={
            "rollbook-event-id": notice["id"],
            "rollbook-sequence": notice["sequence"],
            "rollbook-position": notice["position"],
            "rollbook-version": notice["version"],
            "cloudEvents:specversion": "1.0",
            "cloudEvents:id": notice["id"],
            "cloudEvents:source": f"{SOURCE}/{notice['account']}",
            "cloudEvents:subject": notice["object_id"],
            "cloudEvents:type": notice["type"],
            "cloudEvents:time": created.isoformat().replace("+00:00", "Z"),
            **traced,
        },
    )


async def _give_up_after(stop: asyncio.Event) -> None:
    """Wait for the confirms of messages in flight, for a while, when it is stopped."""
    await stop.wait()
    await asyncio.sleep(STOPPING_S)
    raise TimeoutError("messages in flight were not confirmed")
