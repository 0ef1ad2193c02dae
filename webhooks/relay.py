"""The relay: every notice published once to the exchange, confirmed, in log order.

One of many is active: it holds a session advisory lock, and a cursor that only the holder of the newest epoch may move,
so one that was paused and taken over cannot turn it back. The cursor moves over what the broker confirmed and no
further: after a crash some notices are published again, none is left out.
"""

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import aio_pika
import structlog
from aio_pika.abc import AbstractChannel, AbstractExchange

from events.database import LOST, ServiceConnection, connect, load_sql
from events.errors import LogUnavailable
from events.follow import Wakeup
from webhooks import amqp, versions
from webhooks.amqp import OPERATION_TIMEOUT_S, Topology
from webhooks.versions import Told, Wanted

log = structlog.get_logger("webhooks")

LOCK = 0x0_7011_B00D
BATCH = 500
IN_FLIGHT_MAX = 200
POLL_S = 1.0
STANDBY_S = 1.0
SOURCE = "/rollbook"

_OnTheirWay = asyncio.Queue[tuple[Any, "asyncio.Task[Any]"] | None]


class Superseded(Exception):
    """Another relay has taken over."""


class Relay:
    """Publishes notices while it is the active one, and stands by while it is not."""

    def __init__(self, dsn: str, amqp_url: str, topology: Topology, wakeup: Wakeup) -> None:
        self._dsn = dsn
        self._amqp_url = amqp_url
        self._topology = topology
        self._wakeup = wakeup
        self._next = load_sql("webhooks", "next_notices")
        self.state = "connecting"
        self.active = False
        self.published = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Relay until told to stop; what is on its way then is confirmed first."""
        while not stop.is_set():
            try:
                await self._stand_by_and_lead(stop)
            except (*LOST, LogUnavailable, Superseded) as error:
                log.warning("relay.stepped_down", error=type(error).__name__)
            finally:
                self.active = False
            await _sleep(STANDBY_S, stop)

    async def _stand_by_and_lead(self, stop: asyncio.Event) -> None:
        # A crash of Postgres may turn the cursor back a little: some notices are published again, as after any crash.
        connection = await connect(self._dsn, application="relay", synchronous_commit="off")
        try:
            while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", LOCK):
                self.state = "standing by"
                await _sleep(STANDBY_S, stop)
                if stop.is_set():
                    return
            row = await connection.fetchrow(
                "UPDATE webhooks.relay_cursor SET epoch = epoch + 1 RETURNING epoch, sequence, appended_at"
            )
            self.active = True
            log.info("relay.leads", epoch=row["epoch"], sequence=row["sequence"])
            lead = _Lead(connection, row["epoch"], row["sequence"], row["appended_at"])
            await amqp.supervise(lambda: self._publish(lead, stop), stop, name="relay", told=self._told)
        finally:
            connection.terminate()  # the lock goes with it

    async def _publish(self, lead: "_Lead", stop: asyncio.Event) -> None:
        async with amqp.channel(self._amqp_url, "relay") as channel:
            exchange, _ = await self._topology.declare(channel)
            self.state = "ok"
            on_their_way: _OnTheirWay = asyncio.Queue(maxsize=IN_FLIGHT_MAX)
            publishing = asyncio.create_task(self._publish_all(channel, exchange, lead, on_their_way, stop))
            confirming = asyncio.create_task(self._confirm_all(lead, on_their_way))
            try:
                await asyncio.wait([publishing, confirming], return_when=asyncio.FIRST_EXCEPTION)
                for task in (publishing, confirming):
                    if task.done():
                        task.result()
            finally:
                for task in (publishing, confirming, *_left(on_their_way)):
                    task.cancel()
                await asyncio.gather(publishing, confirming, return_exceptions=True)

    async def _publish_all(
        self,
        channel: AbstractChannel,
        exchange: AbstractExchange,
        lead: "_Lead",
        on_their_way: "_OnTheirWay",
        stop: asyncio.Event,
    ) -> None:
        """Publish in order, without waiting for confirmations as long as not too many are missing."""
        sequence, appended_at = lead.sequence, lead.appended_at
        while not stop.is_set():
            if channel.is_closed:
                raise ConnectionError("the broker closed the channel")
            notices = await lead.fetch(self._next, sequence, appended_at, BATCH)
            told = [Told(notice["body"], None, (notice["account"], notice["livemode"])) for notice in notices]
            bodies = await versions.rendered(told, lead.find_coupons)
            for place, notice in enumerate(notices):
                sequence, appended_at = notice["sequence"], notice["appended_at"]
                confirmed = asyncio.create_task(
                    exchange.publish(
                        message(notice, bodies.get(place, notice["body"])),
                        routing_key(notice),
                        timeout=OPERATION_TIMEOUT_S,
                    )
                )
                await on_their_way.put((notice, confirmed))
            if len(notices) < BATCH:
                await self._wakeup.wait(POLL_S)
        await on_their_way.put(None)

    async def _confirm_all(self, lead: "_Lead", on_their_way: "_OnTheirWay") -> None:
        """Move the cursor over what is confirmed, as long as nothing before it is missing; raise at a failure."""
        while (first := await on_their_way.get()) is not None:
            last, confirmed = first
            await confirmed
            self.published += 1
            while not on_their_way.empty():
                following = on_their_way.get_nowait()
                if following is None:
                    await lead.move(last["sequence"], last["appended_at"])
                    return
                notice, confirmed = following
                if not confirmed.done():
                    await lead.move(last["sequence"], last["appended_at"])
                await confirmed
                last = notice
                self.published += 1
            await lead.move(last["sequence"], last["appended_at"])

    def _told(self, state: str) -> None:
        self.state = state


class _Lead:
    """The cursor, for as long as this relay leads."""

    def __init__(self, connection: ServiceConnection, epoch: int, sequence: int, appended_at: datetime) -> None:
        self.connection = connection
        self.epoch = epoch
        self.sequence = sequence
        self.appended_at = appended_at
        self._turn = asyncio.Lock()

    async def move(self, sequence: int, appended_at: datetime) -> None:
        """Move the cursor on. Raises Superseded when a newer relay has taken it."""
        async with self._turn:
            moved = await self.connection.execute(
                "UPDATE webhooks.relay_cursor SET sequence = $1, appended_at = $2 WHERE epoch = $3",
                sequence,
                appended_at,
                self.epoch,
            )
        if moved != "UPDATE 1":
            raise Superseded
        self.sequence, self.appended_at = sequence, appended_at

    async def fetch(self, query: str, *arguments: object) -> list[Any]:
        """Rows of a query, while nothing else uses the connection."""
        async with self._turn:
            rows: list[Any] = await self.connection.fetch(query, *arguments)
        return rows

    async def find_coupons(self, wanted: Sequence[Wanted]) -> Mapping[Wanted, bytes]:
        """See webhooks.versions."""
        return await versions.find_coupons(self.fetch, wanted)


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
    """A notice as a message: its JSON as the API shows it, and headers that tell enough to skip it unread.

    The message id is new at each publish, because returned messages are matched by it; consumers tell repeated notices
    by `rollbook-notice-id`. CloudEvents attributes follow the AMQP protocol binding.
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
            "rollbook-notice-id": notice["id"],
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


async def _sleep(seconds: float, stop: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
