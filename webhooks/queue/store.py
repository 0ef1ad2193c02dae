"""The delivery queue in Postgres: one round trip records the results of attempts and fetches the next deliveries.

The work is done by webhooks/sql/functions/turn.sql.
"""

from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any
from uuid import UUID, uuid4

import structlog

from events.database import PINNED_PLANS, DedicatedConnection, load_sql
from events.errors import LogUnavailable
from webhooks.feed import api_version
from webhooks.feed.api_version import VersionedNotice, Wanted
from webhooks.queue.lane import Lane
from webhooks.queue.turn import LEASE_S, ROOM_MAX, Endpoint, Head, Report, Result, Turn

log = structlog.get_logger("webhooks")

# Plans are made while the queue is empty and used when it is full, so only index lookups are allowed.
LOOKUPS_ONLY = {**PINNED_PLANS, "enable_bitmapscan": "off", "enable_material": "off"}


class Lanes:
    """Leases lanes for one worker, over a dedicated connection. Turns do not overlap."""

    def __init__(self, dsn: str, *, lease_s: float = LEASE_S) -> None:
        self.lease_s = lease_s
        self._worker: UUID = uuid4()
        self._connection = DedicatedConnection(dsn, application="worker", **LOOKUPS_ONLY)
        self._coupons = load_sql("webhooks", "get_coupons")

    async def turn(
        self,
        reports: Sequence[Report],
        results: Sequence[Result],
        *,
        claims: int,
        room: int = ROOM_MAX,
        full: Sequence[str] = (),
        crowded: Sequence[str] = (),
        responsive: bool = False,
        leased: Sequence[str] | None = None,
    ) -> Turn:
        """Take a turn. `leased` is given when the last answer was lost: all lanes that the worker knows it has leased.

        Raises LogUnavailable: the results may or may not be recorded.
        """
        rows = await self._connection.fetch(
            "SELECT * FROM webhooks.turn($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            self._worker,
            self.lease_s,
            [(*report[:-1], *_columns(report.lane)) for report in reports],
            results,
            leased,
            claims,
            responsive,
            room,
            full,
            crowded,
        )
        moment, lost, served, heads, claimed, shares = rows[0]
        return Turn(
            moment,
            lost or (),
            [
                (Endpoint(*row[:ENDPOINT_FIELDS])._replace(share=share), _lane(row))
                for row, share in zip(served or (), shares or (), strict=True)
            ],
            await self._in_their_versions([Head(*row) for row in heads or ()]),
            claimed,
        )

    async def _in_their_versions(self, heads: list[Head]) -> list[Head]:
        """The deliveries, each with its body rendered in the API version of its endpoint."""
        whole = [(index, head) for index, head in enumerate(heads) if head.body is not None]
        notices = [VersionedNotice(head.body or b"", head.api_version, head.endpoint_id) for _, head in whole]
        try:
            rendered = await api_version.rendered(notices, self._find)
        except LogUnavailable:
            raise
        except Exception:  # one of them cannot be rendered: find it, and send the rest
            rendered = {}
            for found, notice in enumerate(notices):
                try:
                    alone = await api_version.rendered([notice], self._find)
                except LogUnavailable:
                    raise
                except Exception as error:
                    index, head = whole[found]
                    heads[index] = head._replace(broken=True)
                    log.exception("event.rendering_failed", event_id=head.notice_id, error=type(error).__name__)
                else:
                    if alone:
                        rendered[found] = alone[0]
        for found, body in rendered.items():
            index, head = whole[found]
            heads[index] = head._replace(body=body)
        return heads

    async def set_aside(self, reasons: Mapping[str, str]) -> None:
        """Release lanes whose stored data is unusable, and mark them as set aside. Raises LogUnavailable."""
        await self._connection.fetch(
            "SELECT webhooks.set_aside($1, $2, $3)", self._worker, list(reasons), list(reasons.values())
        )

    async def suspects(self, claims: int) -> Mapping[str, str]:
        """The lanes that may have made a turn with that many `claims` fail, and why. Raises LogUnavailable."""
        return dict(await self._connection.fetch("SELECT * FROM webhooks.suspects($1, $2)", self._worker, claims))

    async def _find(self, wanted: Sequence[Wanted]) -> Mapping[Wanted, bytes]:
        rows = await self._connection.fetch(self._coupons, *map(list, zip(*wanted, strict=True)))
        return {(row["endpoint_id"], row["id"]): row["body"] for row in rows}

    async def close(self) -> None:
        """Close the connection."""
        await self._connection.close()


ENDPOINT_FIELDS = len(Endpoint._fields) - 1  # the share is not in the row
_columns = attrgetter(*Lane.__slots__)


def _lane(row: Sequence[Any]) -> Lane:
    return Lane(**dict(zip(Lane.__slots__, row[ENDPOINT_FIELDS:], strict=True)))
