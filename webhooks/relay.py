"""The relay: every notice published once to the exchange, confirmed, in log order.

One of many is active: it holds a session advisory lock, and a cursor that only the holder of the newest epoch may move,
so one that was paused and taken over cannot turn it back. The cursor moves over what the broker confirmed and no
further: after a crash some notices are published again, none is left out.
"""

import asyncio
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import aio_pika
import structlog
from aio_pika.abc import AbstractExchange

from events.database import LOST, ServiceConnection, connect, load_sql
from events.errors import LogUnavailable
from events.follow import Wakeup
from webhooks import amqp
from webhooks.amqp import OPERATION_TIMEOUT_S, Topology

log = structlog.get_logger("webhooks")

LOCK = 0x0_7011_B00D
BATCH = 500
IN_FLIGHT_MAX = 200
POLL_S = 1.0
STANDBY_S = 1.0
SOURCE = "/rollbook"


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
        self.lag = 0  # notices that wait to be published

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
        connection = await connect(self._dsn, application="relay")
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
            while not stop.is_set():
                if channel.is_closed:
                    raise ConnectionError("the broker closed the channel")
                notices = await lead.connection.fetch(self._next, lead.sequence, lead.appended_at, BATCH)
                self.lag = len(notices)
                for start in range(0, len(notices), IN_FLIGHT_MAX):
                    await self._publish_some(exchange, notices[start : start + IN_FLIGHT_MAX], lead)
                if len(notices) < BATCH:
                    self.lag = 0
                    await self._wakeup.wait(POLL_S)
                    await lead.check()

    async def _publish_some(self, exchange: AbstractExchange, notices: Sequence[Any], lead: "_Lead") -> None:
        """Publish in order, many on their way at once; move the cursor over what was confirmed before a failure."""
        outcomes = await asyncio.gather(
            *(
                exchange.publish(message(notice), routing_key(notice), mandatory=True, timeout=OPERATION_TIMEOUT_S)
                for notice in notices
            ),
            return_exceptions=True,
        )
        failed = next((place for place, got in enumerate(outcomes) if isinstance(got, BaseException)), len(notices))
        if failed:
            last = notices[failed - 1]
            await lead.move(last["sequence"], last["appended_at"])
            self.published += failed
        if failed < len(notices):
            error = outcomes[failed]
            assert isinstance(error, BaseException)
            raise error

    def _told(self, state: str) -> None:
        self.state = state


class _Lead:
    """The cursor, for as long as this relay leads."""

    def __init__(self, connection: ServiceConnection, epoch: int, sequence: int, appended_at: datetime) -> None:
        self.connection = connection
        self.epoch = epoch
        self.sequence = sequence
        self.appended_at = appended_at

    async def move(self, sequence: int, appended_at: datetime) -> None:
        """Move the cursor on. Raises Superseded when a newer relay has taken it."""
        moved = await self.connection.execute(
            "UPDATE webhooks.relay_cursor SET sequence = $1, appended_at = $2 WHERE epoch = $3",
            sequence,
            appended_at,
            self.epoch,
        )
        if moved != "UPDATE 1":
            raise Superseded
        self.sequence, self.appended_at = sequence, appended_at

    async def check(self) -> None:
        """Raises Superseded when a newer relay has taken the cursor, or what is lost when the connection is."""
        if await self.connection.fetchval("SELECT epoch FROM webhooks.relay_cursor") != self.epoch:
            raise Superseded


def routing_key(notice: Any) -> str:
    """`{account}.{live|test}.{type}`: what consumers bind by."""
    return f"{notice['account']}.{'live' if notice['livemode'] else 'test'}.{notice['type']}"


def message(notice: Any) -> aio_pika.Message:
    """A notice as a message: its JSON as the API shows it, and headers that tell enough to skip it unread.

    The message id is new at each publish, because returned messages are matched by it; consumers tell repeated notices
    by `rollbook-notice-id`. CloudEvents attributes follow the AMQP protocol binding.
    """
    created = datetime.fromtimestamp(notice["created"], UTC)
    return aio_pika.Message(
        notice["body"],
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
        },
    )


async def _sleep(seconds: float, stop: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
