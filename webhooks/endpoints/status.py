"""The delivery state of endpoints: rules, lane, circuit breaker, backlog, and the position delivered up to.

A settled delivery is not sent any more; a complete one was delivered, or was canceled by request. If an endpoint is
complete up to a position, it misses nothing at or below it; what it misses above can be listed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from events.clock import Clock
from events.database import Pool, load_sql
from events.scope import Scope
from webhooks.endpoints import set_aside
from webhooks.endpoints.rules import Rules

COUNTED_MAX = 10_000


class Statuses:
    """Queries of the state of webhook endpoints."""

    def __init__(self, pool: Pool, clock: Clock) -> None:
        self._pool = pool
        self._clock = clock
        self._find = load_sql("webhooks", "find_status")
        self._count = load_sql("webhooks", "count_to_send")

    async def of(self, scope: Scope, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """How endpoints stand, as the API shows it, by id; without those that this account and mode have not.

        Raises LogUnavailable.
        """
        rows = await self._pool.fetch(self._find, *scope, list(ids), COUNTED_MAX)
        now = self._clock.now()
        return {row["id"]: render(row, now) for row in rows}

    async def to_send(
        self,
        scope: Scope,
        id: str,
        *,
        above: int | None = None,
        since: datetime | None = None,
        latest: bool = False,
        pending: bool = False,
    ) -> int:
        """How many events a recovery or a resumption sends to an endpoint, counted up to COUNTED_MAX.

        They are those it missed above a position (None: that at which it was stopped) and since a time; with `pending`
        also its pending deliveries; with `latest` one for each object. Raises LogUnavailable.
        """
        count: int = await self._pool.fetchval(self._count, *scope, id, above, since, latest, pending, COUNTED_MAX)
        return count


def render(row: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """An endpoint with its state, as the API shows it."""
    open_until, settled, failed = row["open_until"], row["settled"], row["failed"]
    rules = Rules(
        in_flight_max=row["in_flight_max"],
        missed=row["missed"],
        on_exhaustion=row["on_exhaustion"],
        order=row["ordering"],
        payload="thin" if row["thin"] else "full",
        rate_limit=row["rate_limit"],
    )
    fields = {
        "breaker": "closed" if open_until is None else "open" if now < open_until else "half_open",
        "breaker_until": _seconds(open_until),
        "complete_up_to": settled if failed is None else min(settled, failed - 1),
        "concurrency": row["concurrency"],
        "failing_since": _seconds(row["failing_since"]),
        "held_deliveries": row["held"],
        "livemode": row["livemode"],
        "pending_deliveries": row["pending"],
        "quiet_until": _seconds(row["quiet_until"]),
        "recovering": row["recovering"],
        "set_aside": row["set_aside"],
        "set_aside_reason": None if row["set_aside"] is None else set_aside.WORDS.get(row["set_aside"], "It failed."),
        "settled_up_to": settled,
        "status": row["status"],
        "url": row["url"],
        **asdict(rules),
    }
    return {"id": row["id"], "object": "rollbook.webhook_endpoint", **dict(sorted(fields.items()))}


def _seconds(at: datetime | None) -> int | None:
    return None if at is None else int(at.timestamp())
