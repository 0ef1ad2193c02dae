"""Lanes in Postgres: one round trip records what attempts came to and brings the deliveries to send next.

See webhooks/sql/functions/turn.sql, which does it all.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, NamedTuple, assert_never
from uuid import UUID, uuid4

import structlog

from events.database import PINNED_PLANS, DedicatedConnection, load_sql
from events.errors import LogUnavailable
from webhooks import versions
from webhooks.delivery import Delivered, GaveUp, Outcome, RetryAt, Verdict
from webhooks.lane import Lane
from webhooks.versions import Told, Wanted

log = structlog.get_logger("webhooks")

# A queue is planned for while it is empty and used when it is full: nothing but lookups by index will do.
LOOKUPS_ONLY = {**PINNED_PLANS, "enable_bitmapscan": "off", "enable_material": "off"}
LEASE_S = 60.0  # four times as long as an attempt may take
ROOM_MAX = 1_000_000


class Head(NamedTuple):
    """A delivery to send: the fields of the type webhooks.head."""

    endpoint_id: str
    sequence: int
    notice_id: str
    attempts: int  # tries used up
    pending: int  # endpoints that still have to take the notice, this one included
    body: bytes | None  # None when it is to be told of in short
    api_version: str | None  # the endpoint's own
    recovered: bool  # gives way to those that are not
    key: str | None = None  # those of one key go one by one, in order
    type: str = ""
    created: int = 0  # Unix seconds
    livemode: bool = False
    stream: str = ""
    version: int = 0  # of the stream
    traceparent: str | None = None  # of the notice
    broken: bool = False  # its body could not be rendered


class Endpoint(NamedTuple):
    """An endpoint as it is now."""

    id: str
    version: int
    status: str  # enabled, disabled, deleted
    url: str
    secrets: Sequence[bytes]  # sealed, newest first
    secrets_until: Sequence[int | None]  # Unix seconds; None, or absent, for good
    on_exhaustion: str = "skip"  # the rules of its owner: see webhooks/rules.py
    rate_limit: int | None = None
    in_flight_max: int | None = None
    share: str = ""  # whose share of a worker it takes: see webhooks/shares.py


class Report(NamedTuple):
    """What a worker says of a lane it holds."""

    endpoint_id: str
    version: int  # of the endpoint as the worker knows it
    touched: bool  # to be written whatever happens; else looked at only if it became ready
    known: Sequence[int]  # deliveries of it that the worker holds, by sequence
    want: int  # how many more it would hold,
    spare: int  # and how many more recovered ones
    lane: Lane


class Result(NamedTuple):
    """An attempt that ended: the fields of the type webhooks.result."""

    endpoint_id: str
    sequence: int
    notice_id: str
    attempt: int
    outcome: str
    status: int | None
    fault: str | None  # its code: see webhooks/explanation.py
    duration_ms: int
    attempts: int | None
    wait_s: float | None
    excerpt: bytes


class Turn(NamedTuple):
    """The answer to a turn."""

    moment: datetime  # the database's time
    lost: Sequence[str]  # lanes of touched reports that another worker has leased since; nothing was recorded for them
    served: Sequence[tuple[Endpoint, Lane]]  # lanes just leased, and those whose endpoint is not as reported
    heads: Sequence[Head]
    claimed: int


def result(head: Head, outcome: Outcome, verdict: Verdict, ended_at: datetime, *, hold: bool = False) -> Result:
    """What to record of an attempt; `hold` keeps a delivery that is given up from being passed over."""
    attempts: int | None = None
    wait_s: float | None = None
    match verdict:
        case Delivered():
            name = "delivered"
        case RetryAt():
            name, attempts, wait_s = "retry", verdict.attempts, (verdict.at - ended_at).total_seconds()
        case GaveUp() if hold:
            name, attempts = "held", head.attempts + 1
        case GaveUp():
            name = "gave_up"
        case _:
            assert_never(verdict)
    return Result(
        head.endpoint_id,
        head.sequence,
        head.notice_id,
        head.attempts + 1,
        name,
        outcome.status,
        outcome.code or outcome.fault,
        outcome.duration_ms,
        attempts,
        wait_s,
        outcome.excerpt,
    )


class Lanes:
    """Leases lanes for one worker, over a connection of its own. Turns do not overlap."""

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
        proven: bool = False,
        held: Sequence[str] | None = None,
    ) -> Turn:
        """Take a turn. `held`, when the answer to the last one was lost, are all the lanes the worker knows it holds.

        Raises LogUnavailable, when what was told may or may not be recorded.
        """
        rows = await self._connection.fetch(
            "SELECT * FROM webhooks.turn($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            self._worker,
            self.lease_s,
            [(*report[:-1], *_columns(report.lane)) for report in reports],
            results,
            held,
            claims,
            proven,
            room,
            full,
            crowded,
        )
        moment, lost, served, heads, claimed, shares = rows[0]
        return Turn(
            moment,
            lost or (),
            [
                (Endpoint(*row[:FACTS])._replace(share=share), _lane(row))
                for row, share in zip(served or (), shares or (), strict=True)
            ],
            await self._in_their_versions([Head(*row) for row in heads or ()]),
            claimed,
        )

    async def _in_their_versions(self, heads: list[Head]) -> list[Head]:
        """Each with the body that its endpoint is to receive."""
        whole = [(place, head) for place, head in enumerate(heads) if head.body is not None]
        notices = [Told(head.body or b"", head.api_version, head.endpoint_id) for _, head in whole]
        try:
            rendered = await versions.rendered(notices, self._find)
        except LogUnavailable:
            raise
        except Exception:  # of one notice or another: the rest are sent
            rendered = {}
            for found, notice in enumerate(notices):
                try:
                    alone = await versions.rendered([notice], self._find)
                except LogUnavailable:
                    raise
                except Exception as error:
                    place, head = whole[found]
                    heads[place] = head._replace(broken=True)
                    log.exception("notice.unrenderable", notice=head.notice_id, error=type(error).__name__)
                else:
                    if alone:
                        rendered[found] = alone[0]
        for found, body in rendered.items():
            place, head = whole[found]
            heads[place] = head._replace(body=body)
        return heads

    async def set_aside(self, reasons: Mapping[str, str]) -> None:
        """Let lanes go whose stored data cannot be worked with, each for its reason. Raises LogUnavailable."""
        await self._connection.fetch(
            "SELECT webhooks.set_aside($1, $2, $3)", self._worker, list(reasons), list(reasons.values())
        )

    async def suspects(self, claims: int) -> Mapping[str, str]:
        """The lanes that may have made a turn fail which was to lease so many, and why. Raises LogUnavailable."""
        return dict(await self._connection.fetch("SELECT * FROM webhooks.suspects($1, $2)", self._worker, claims))

    async def _find(self, wanted: Sequence[Wanted]) -> Mapping[Wanted, bytes]:
        rows = await self._connection.fetch(self._coupons, *map(list, zip(*wanted, strict=True)))
        return {(row["endpoint_id"], row["id"]): row["body"] for row in rows}

    async def close(self) -> None:
        """Let the connection go."""
        await self._connection.close()


FACTS = len(Endpoint._fields) - 1  # the share is not in the row
_columns = attrgetter(*Lane.__slots__)


def _lane(row: Sequence[Any]) -> Lane:
    return Lane(**dict(zip(Lane.__slots__, row[FACTS:], strict=True)))
