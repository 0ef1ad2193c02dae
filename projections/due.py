"""The queue of scheduled jobs: a due job is leased, then done, or retried later.

A lease has an expiry and a unique count of tries (fencing token): a job leased by a killed process is free again after
the expiry, and a late result of a slow process changes nothing.
"""

from typing import Any, NamedTuple

from events.database import Pool, load_sql
from events.scope import Scope

NEXT = "SELECT try_at FROM projections.due ORDER BY try_at LIMIT 1"
COUNT = "SELECT count(*) AS count FROM (SELECT FROM projections.due WHERE try_at <= $1 LIMIT $2) AS waiting"


class Due(NamedTuple):
    """A job: see projections.rows.DueRow. `tries` includes this one."""

    account: str
    livemode: bool
    kind: str
    id: str
    task: str
    subject: str
    due_at: int
    test_clock: str | None
    tries: int

    @property
    def scope(self) -> Scope:
        """The account and mode of the object."""
        return Scope(self.account, self.livemode)


class DueWork:
    """The table of scheduled jobs. Times are Unix seconds."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._take = load_sql("projections", "take_due")
        self._next_of_clock = load_sql("projections", "next_due_of_clock")
        self._finish = load_sql("projections", "finish_due")
        self._postpone = load_sql("projections", "postpone_due")

    async def take(self, now: int, until: int, limit: int) -> list[Due]:
        """Lease jobs that are due, the longest due first."""
        return [Due(*row) for row in await self._fetch(self._take, now, until, limit)]

    async def next_of_clock(self, scope: Scope, clock: str, until: int, now: int) -> Due | None:
        """The earliest job under a test clock that is due until `until`, by that clock; it is not leased."""
        rows = await self._fetch(self._next_of_clock, *scope, clock, until, now)
        return Due(*rows[0]) if rows else None

    async def finish(self, due: Due) -> None:
        """Delete a job that is done."""
        await self._fetch(self._finish, due.kind, due.id, due.task, due.subject, due.tries, due.due_at)

    async def keep(self, due: Due, until: int) -> bool:
        """Extend a lease; returns whether it was still leased."""
        return await self._put_off(due, until, due.tries)

    async def again(self, due: Due, at: int) -> None:
        """Postpone a job."""
        await self._put_off(due, at, max(due.tries, 1))

    async def next_at(self) -> int | None:
        """When the next job is due or a lease expires, in real time."""
        rows = await self._fetch(NEXT)
        return rows[0]["try_at"] if rows else None

    async def waiting(self, now: int, count_max: int) -> int:
        """The number of jobs that are due and not leased, counted up to a maximum."""
        rows = await self._fetch(COUNT, now, count_max)
        count: int = rows[0]["count"]
        return count

    async def _put_off(self, due: Due, at: int, tries: int) -> bool:
        return bool(await self._fetch(self._postpone, due.kind, due.id, due.task, due.subject, due.tries, at, tries))

    async def _fetch(self, query: str, *arguments: object) -> list[Any]:
        return await self._pool.fetch(query, *arguments)
