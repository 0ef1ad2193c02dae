"""The harness of the contract of lanes: endpoints and deliveries in memory or Postgres, and the reports of a worker."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Protocol

from projections.notices import PENDING
from tests.webhooks.harness import WebhookHarness
from webhooks.dispatch.worker import Turns
from webhooks.endpoints.rules import Order
from webhooks.outcome import Outcome
from webhooks.queue.lane import NEW, Lane
from webhooks.queue.memory import NEVER, LaneRow, MemoryDatabase, MemoryLanes
from webhooks.queue.retry import Delivered, GaveUp, RetryAt
from webhooks.queue.store import Lanes
from webhooks.queue.turn import Endpoint, Head, Report, Result, Turn, result

NOW = datetime.now(UTC)
OPEN = Lane(open_until=NOW + timedelta(hours=1), open_s=3600)


class LaneHarness(Protocol):
    """Lanes, and what a test does to them."""

    async def endpoint(self, order: Order = "none", **rules: Any) -> str: ...
    async def deliver(self, number: int = 1, *, recovered: bool = False) -> list[int]: ...
    async def happens_to(self, *customers: str, recovered: bool = False) -> list[int]: ...
    async def change(self, id: str, *, url: str | None = None, disabled: bool | None = None) -> None: ...
    async def rule(self, id: str, **rules: Any) -> None: ...
    async def cancel(self, id: str, sequences: Sequence[int]) -> None: ...
    async def resend(self, id: str, sequence: int) -> None: ...
    async def hand_to(self, account: str, *ids: str) -> None: ...
    async def hurry(self) -> None: ...
    async def row(self, id: str) -> LaneRow: ...
    async def pending(self) -> list[int]: ...
    async def outcomes(self) -> list[tuple[int, int, str]]: ...
    def lanes(self, lease_s: float = 60.0) -> Turns: ...


class InMemory:
    def __init__(self) -> None:
        self._database = MemoryDatabase()
        self._numbers = count(1)
        self._orders: dict[str, Order] = {}

    async def endpoint(self, order: Order = "none", **rules: Any) -> str:
        id = f"we_{next(self._numbers)}"
        self._database.register(Endpoint(id, 1, "enabled", "https://example.com/hook", [], [], **rules))
        self._orders[id] = order
        return id

    async def deliver(self, number: int = 1, *, recovered: bool = False) -> list[int]:
        return await self.happens_to(*(f"cus_{next(self._numbers)}" for _ in range(number)), recovered=recovered)

    async def happens_to(self, *customers: str, recovered: bool = False) -> list[int]:
        numbered = [(next(self._numbers), customer) for customer in customers]
        for sequence, customer in numbered:
            for id, order in self._orders.items():
                key = {"none": None, "customer": customer, "strict": ""}[order]
                body = b"{" + PENDING + b"0,\n}"
                self._database.deliver(sequence, f"evt_{sequence}", body, [id], recovered=recovered, key=key)
        return [sequence for sequence, _ in numbered]

    async def change(self, id: str, *, url: str | None = None, disabled: bool | None = None) -> None:
        status = {None: None, True: "disabled", False: "enabled"}[disabled]
        self._database.change(id, url=url, status=status)

    async def rule(self, id: str, **rules: Any) -> None:
        self._database.change(id, **rules)

    async def cancel(self, id: str, sequences: Sequence[int]) -> None:
        self._database.cancel(id, sequences)

    async def resend(self, id: str, sequence: int) -> None:
        self._database.resend(id, sequence)

    async def hand_to(self, account: str, *ids: str) -> None:
        for id in ids:
            self._database.endpoints[id] = self._database.endpoints[id]._replace(share=account)

    async def hurry(self) -> None:
        now = self._database.clock.now()
        for rows in self._database.deliveries.values():
            for delivery in rows.values():
                if delivery.due_at != NEVER:
                    delivery.due_at = min(delivery.due_at, now)
        for row in self._database.lanes.values():
            if now < row.ready_at < NEVER:
                row.ready_at = now

    async def row(self, id: str) -> LaneRow:
        return self._database.lanes[id]

    async def pending(self) -> list[int]:
        return sorted(sequence for rows in self._database.deliveries.values() for sequence in rows)

    async def outcomes(self) -> list[tuple[int, int, str]]:
        return sorted((row.sequence, row.attempt, row.outcome) for row in self._database.attempts)

    def lanes(self, lease_s: float = 60.0) -> Turns:
        return MemoryLanes(self._database, lease_s=lease_s)


class InPostgres:
    def __init__(self, webhooks: WebhookHarness) -> None:
        self._webhooks = webhooks
        self.opened: list[Lanes] = []

    async def endpoint(self, order: Order = "none", **rules: Any) -> str:
        id = await self._webhooks.endpoint()
        await self._webhooks.rule(id, order=order, **rules)
        return id

    async def deliver(self, number: int = 1, *, recovered: bool = False) -> list[int]:
        return await self._made(await self._webhooks.notices(number), recovered)

    async def happens_to(self, *customers: str, recovered: bool = False) -> list[int]:
        return await self._made(await self._webhooks.happens_to(*customers), recovered)

    async def _made(self, sequences: list[int], recovered: bool) -> list[int]:
        await self._webhooks.catch_up()
        if recovered:
            await self._webhooks.owner.execute(
                "UPDATE webhooks.delivery SET recovered = true WHERE sequence = ANY ($1)", sequences
            )
        return sequences

    async def change(self, id: str, *, url: str | None = None, disabled: bool | None = None) -> None:
        patch: dict[str, Any] = {
            name: value for name, value in (("url", url), ("disabled", disabled)) if value is not None
        }
        await self._webhooks.edit(id, **(patch or {"description": "edited"}))

    async def rule(self, id: str, **rules: Any) -> None:
        await self._webhooks.rule(id, **rules)

    async def cancel(self, id: str, sequences: Sequence[int]) -> None:
        await self._webhooks.owner.fetch("SELECT webhooks.cancel($1, $2)", id, sequences)

    async def resend(self, id: str, sequence: int) -> None:
        await self._webhooks.owner.fetch("SELECT webhooks.resend($1, $2)", id, sequence)

    async def hand_to(self, account: str, *ids: str) -> None:
        """The first of them in live mode, the others in test mode: they have one share."""
        await self._webhooks.owner.execute(
            "UPDATE webhooks.endpoint SET account = $1, livemode = id = $3 WHERE id = ANY ($2)", account, ids, ids[0]
        )

    async def hurry(self) -> None:
        await self._webhooks.hurry()

    async def row(self, id: str) -> LaneRow:
        row = await self._webhooks.lane(id)
        never = row["ready_at"].year == NEVER.year
        state = Lane(**{name: row[name] for name in Lane.__slots__})
        lease = None if row["lease"] is None else 1
        return LaneRow(NEVER if never else row["ready_at"], lease, row["leased_until"], state, row["set_aside"])

    async def pending(self) -> list[int]:
        return [sequence for sequence, _ in await self._webhooks.deliveries()]

    async def outcomes(self) -> list[tuple[int, int, str]]:
        return sorted((row["sequence"], row["attempt"], row["outcome"]) for row in await self._webhooks.attempts())

    def lanes(self, lease_s: float = 60.0) -> Turns:
        self.opened.append(Lanes(self._webhooks.dsn, lease_s=lease_s))
        return self.opened[-1]


def report(
    turn: Turn, *, known: Sequence[int] = (), want: int = 0, lane: Lane = NEW, touched: bool = True, recovered: int = 0
) -> Report:
    """A report of the first lane of a turn."""
    endpoint, _ = turn.served[0]
    return Report(endpoint.id, endpoint.version, touched, known, want, recovered, lane)


def took(head: Head) -> Result:
    """The receiver took it."""
    return result(head, Outcome(status=200, duration_ms=3), Delivered(), NOW)


def failed(head: Head, wait_s: float = 5) -> Result:
    """The receiver did not."""
    verdict = RetryAt(NOW + timedelta(seconds=wait_s), head.attempts + 1)
    return result(head, Outcome(status=500, duration_ms=3), verdict, NOW)


def used_up(head: Head, *, hold: bool) -> Result:
    """The receiver did not, for the last time."""
    return result(head, Outcome(status=500, duration_ms=3), GaveUp(), NOW, hold=hold)


def our_fault(head: Head) -> Result:
    """It was not asked, for a reason of our own."""
    verdict = RetryAt(NOW + timedelta(minutes=1), head.attempts)
    return result(head, Outcome(fault="exhausted", duration_ms=0), verdict, NOW)


def given(turn: Turn) -> list[int]:
    """The sequences of what a turn hands out, in order."""
    return [head.sequence for head in turn.heads]
