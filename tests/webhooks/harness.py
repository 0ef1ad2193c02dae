"""The harness of webhooks: endpoints, fan-out, deliveries and workers over a real database."""

import asyncio
import itertools
import secrets
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

import asyncpg

from events import ids, trace
from events.codec import Codec
from events.commit import GroupCommit
from events.database import create_pool
from events.keys import MasterKeys
from events.log import PostgresLog
from events.record import Append, Draft, Origin
from events.transact import Executor
from projections.inline import InlineReadModels, RowsOfKinds
from projections.notices import notice
from projections.rows import NoticeRow, Rows
from tests import acting
from webhooks.dispatch.worker import Worker
from webhooks.endpoints import endpoint
from webhooks.endpoints.endpoint import (
    ENDPOINT,
    Command,
    CreateEndpoint,
    DeleteEndpoint,
    EndpointPatch,
    Replay,
    ResumeEndpoint,
    SetRules,
    UpdateEndpoint,
)
from webhooks.endpoints.projection import EndpointProjection
from webhooks.endpoints.rules import RulesPatch
from webhooks.post import signature
from webhooks.post.sender import Sender
from webhooks.post.ssrf import Policy
from webhooks.queue.fanout import FanOut
from webhooks.queue.reconciler import Reconciler
from webhooks.queue.store import Lanes

ACCOUNT = "acct_1"
URL = "https://example.com/hook"
MASTER_KEYS = MasterKeys(bytes(32))


class Bell:
    """A Wakeup that is rung by hand, and by nothing else."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def poke(self) -> None:
        self._rung.set()

    async def wait(self, timeout_s: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._rung.wait(), timeout_s)
        self._rung.clear()


@dataclass
class WebhookHarness:
    """What tests do with webhooks: register endpoints, have events happen, fan out, deliver, look."""

    dsn: str
    pool: asyncpg.Pool  # as the service's role
    owner: asyncpg.Connection
    commit: GroupCommit
    executor: Executor
    bell: Bell = field(default_factory=Bell)
    versions: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    async def endpoint(
        self,
        url: str = URL,
        events: Sequence[str] = ("*",),
        *,
        account: str = ACCOUNT,
        livemode: bool = False,
        api_version: str | None = None,
    ) -> str:
        """Register an endpoint; gives its id."""
        id = ids.new("we", secrets.token_bytes(14))
        command = CreateEndpoint(
            id=id,
            secret=signature.new_secret(secrets.token_bytes(32)),
            created_at=1_700_000_000,
            api_version=api_version,
            patch=EndpointPatch(url=url, enabled_events=tuple(events)),
        )
        await acting.create(self.executor, ENDPOINT, id, command, origin(account, livemode))
        return id

    async def edit(self, id: str, *, account: str = ACCOUNT, **patch: Any) -> None:
        """Change an endpoint."""
        command = UpdateEndpoint(id=id, patch=cast(EndpointPatch, patch))
        await acting.update(self.executor, ENDPOINT, id, command, origin(account))

    async def resume(self, id: str, replay: Replay | None = "all") -> None:
        """Go on with an endpoint that was disabled."""
        await acting.update(self.executor, ENDPOINT, id, ResumeEndpoint(id=id, replay=replay), origin())

    async def ask(self, id: str, command: Command) -> None:
        """Have a command carried out on an endpoint."""
        await acting.update(self.executor, ENDPOINT, id, command, origin())

    async def rule(self, id: str, **rules: Any) -> None:
        """Set rules of an endpoint."""
        await self.ask(id, SetRules(id=id, rules=cast(RulesPatch, rules)))

    async def happens_to(self, *customers: str, type: str = "customer.updated") -> list[int]:
        """Have one thing happen to each of these customers, in this order; gives the sequences of the notices."""
        by = origin()
        notices = tuple(
            notice(
                type, {"id": id, "object": "customer"}, stream=f"customer-{id}", version=next(self.versions), event=0,
                origin=by, api_version="2026-10-28.endive",
            )
            for id in customers
        )  # fmt: skip
        happened = Draft("noted", 1, 1, b"{}", bytes(32))
        stream = f"noted-{secrets.token_hex(8)}"
        await self.commit.append(
            Append(stream=stream, expected=0, origin=by, drafts=(happened,), rows=Rows(notices=notices))
        )
        rows = await self.owner.fetch(
            "SELECT sequence FROM projections.notice WHERE id = ANY ($1) ORDER BY 1", [row.id for row in notices]
        )
        return [row[0] for row in rows]

    async def delete(self, id: str) -> None:
        """Delete an endpoint."""
        await acting.update(self.executor, ENDPOINT, id, DeleteEndpoint(id=id), origin())

    async def secret(self, id: str) -> str:
        """The secret an endpoint was created with."""
        state = await self.executor.state(ENDPOINT, id, origin())
        return state.secret

    async def notices(
        self,
        count: int = 1,
        type: str = "customer.created",
        *,
        account: str = ACCOUNT,
        livemode: bool = False,
        object_id: str | None = None,
    ) -> list[int]:
        """Have `count` things happen; gives the sequences of their notices."""
        by = origin(account, livemode)
        notices = tuple(_notice(type, by, object_id) for _ in range(count))
        happened = Draft("noted", 1, 1, b"{}", bytes(32))
        await self.commit.append(
            Append(stream=notices[0].stream, expected=0, origin=by, drafts=(happened,), rows=Rows(notices=notices))
        )
        rows = await self.owner.fetch(
            "SELECT sequence FROM projections.notice WHERE id = ANY ($1) ORDER BY 1", [row.id for row in notices]
        )
        return [row[0] for row in rows]

    async def deliveries(self) -> list[tuple[int, str]]:
        """What is still to be delivered, as (sequence, endpoint)."""
        rows = await self.owner.fetch("SELECT sequence, endpoint_id FROM webhooks.delivery ORDER BY 1, 2")
        return [tuple(row) for row in rows]

    async def attempts(self) -> list[Any]:
        """Every recorded attempt, in order."""
        return list(await self.owner.fetch("SELECT * FROM webhooks.attempt ORDER BY at, sequence, attempt"))

    async def lane(self, id: str) -> Any:
        """The lane of an endpoint."""
        return await self.owner.fetchrow("SELECT * FROM webhooks.lane WHERE endpoint_id = $1", id)

    async def hurry(self) -> None:
        """Let the time of every retry and every breaker have come."""
        await self.owner.execute(
            "UPDATE webhooks.delivery SET due_at = now() WHERE due_at > now() AND due_at < 'infinity'"
        )
        await self.owner.execute(
            "UPDATE webhooks.lane SET ready_at = now(), open_until = least(open_until, now()), "
            "quiet_until = least(quiet_until, now()) "
            "WHERE ready_at > now() AND ready_at < 'infinity'"
        )
        self.bell.poke()

    async def hurry_due(self, sequence: int) -> None:
        """Let the time of one notice's retries have come."""
        await self.owner.execute(
            "UPDATE webhooks.delivery SET due_at = now() WHERE sequence = $1 AND due_at < 'infinity'", sequence
        )
        await self.owner.execute(
            "UPDATE webhooks.lane SET ready_at = now(), open_until = least(open_until, now()) "
            "WHERE endpoint_id IN (SELECT endpoint_id FROM webhooks.delivery WHERE sequence = $1)", sequence,
        )  # fmt: skip
        self.bell.poke()

    async def catch_up(self, delay_s: float = 0) -> int:
        """Fan out what is there, as the reconciler does; gives the deliveries made."""
        fan_out = FanOut(self.dsn)
        try:
            return await Reconciler(fan_out, self.bell, delay_s=delay_s, made=self.bell.poke).catch_up()
        finally:
            await fan_out.close()

    async def recover(self) -> int:
        """Bring what endpoints missed, as the reconciler does, as far as that goes; gives what was done."""
        fan_out, done = FanOut(self.dsn), 0
        try:
            step = await fan_out.recover(1000, 2000)
            while step.done:
                done += step.done
                self.bell.poke()
                step = await fan_out.recover(1000, 2000)
            return done
        finally:
            await fan_out.close()

    def worker(self, **options: Any) -> Worker:
        """A worker that is woken by this harness's bell."""
        lease_s = options.pop("lease_s", 60.0)
        sender = Sender(Policy(production=False), total_timeout_s=options.pop("total_timeout_s", 15.0))
        return Worker(Lanes(self.dsn, lease_s=lease_s), sender, MASTER_KEYS, self.bell, **options)

    @asynccontextmanager
    async def working(self, **options: Any) -> AsyncIterator[Worker]:
        """A worker at work, stopped in order at the end."""
        worker, stop = self.worker(**options), asyncio.Event()
        task = asyncio.create_task(worker.run(stop))
        try:
            yield worker
        finally:
            stop.set()
            await task


@asynccontextmanager
async def webhook_harness(dsn: str) -> AsyncIterator[WebhookHarness]:
    """The harness over a migrated database."""
    codec = Codec()
    for name, cls in endpoint.EVENT_TYPES.items():
        codec.register(name, cls)
    pool = await create_pool(dsn, application="tests", size_max=8)
    commit = GroupCommit(dsn, InlineReadModels())
    rows_of = RowsOfKinds({endpoint.KIND: EndpointProjection(MASTER_KEYS, "2026-10-28.endive").rows})
    owner = await asyncpg.connect(dsn)
    try:
        yield WebhookHarness(
            dsn, pool, owner, commit, Executor(PostgresLog(commit, pool, MASTER_KEYS), codec, MASTER_KEYS, rows_of)
        )
    finally:
        await commit.close()
        await pool.close()
        await owner.close()


def origin(account: str = ACCOUNT, livemode: bool = False) -> Origin:
    """Somebody's doing."""
    return Origin(
        account=account,
        livemode=livemode,
        at=datetime.now(UTC),
        actor="key_1",
        request_id="req_1",
        traceparent=trace.begin(secrets.token_bytes(trace.RANDOM_BYTES)),
    )


def _notice(type: str, by: Origin, object_id: str | None) -> NoticeRow:
    id = ids.new("cus", secrets.token_bytes(14))
    shown = {"id": object_id or id, "object": "customer"}
    return notice(type, shown, stream=f"customer-{id}", version=1, event=0, origin=by, api_version="v")
