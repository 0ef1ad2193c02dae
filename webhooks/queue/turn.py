"""The protocol between a worker and the delivery queue: lease reports and results in, deliveries out.

Pure values. A turn is one request and its answer; `Lanes` takes it (webhooks/queue/store.py in Postgres, memory.py in
memory).
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, assert_never

from webhooks.outcome import Outcome
from webhooks.queue.lane import Lane
from webhooks.queue.retry import Delivered, GaveUp, RetryAt, Verdict

LEASE_S = 60.0  # four times as long as an attempt may take
ROOM_MAX = 1_000_000


class Head(NamedTuple):
    """A delivery to send: the fields of the type webhooks.head."""

    endpoint_id: str
    sequence: int
    notice_id: str
    attempts: int  # tries used up
    pending: int  # pending deliveries of its notice, this one included; counted up to 16
    body: bytes | None  # None for a thin event
    api_version: str | None  # the endpoint's own
    recovered: bool  # from a pause or a replay: live deliveries precede it
    key: str | None = None  # deliveries of one key are sent one at a time, in order
    type: str = ""
    created: int = 0  # Unix seconds
    livemode: bool = False
    stream: str = ""
    version: int = 0  # of the stream
    traceparent: str | None = None  # of the notice
    broken: bool = False  # its body could not be rendered


class Endpoint(NamedTuple):
    """The current state of an endpoint."""

    id: str
    version: int
    status: str  # enabled, disabled, deleted
    url: str
    secrets: Sequence[bytes]  # sealed, newest first
    secrets_until: Sequence[int | None]  # Unix seconds; None, or absent, for good
    on_exhaustion: str = "skip"  # the rules of its owner: see webhooks/endpoints/rules.py
    rate_limit: int | None = None
    in_flight_max: int | None = None
    share: str = ""  # the account whose share of a worker it uses: see webhooks/dispatch/shares.py


class Report(NamedTuple):
    """The report of a worker about a lane that it has leased."""

    endpoint_id: str
    version: int  # of the endpoint as the worker knows it
    touched: bool  # to be written in any case; otherwise only read, if the lane is ready
    known: Sequence[int]  # deliveries of it that the worker has fetched, by sequence
    want: int  # how many more live deliveries it asks for,
    recovered: int  # and how many more recovered ones
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
    lost: Sequence[str]  # lanes of touched reports that another worker has leased; their results were not recorded
    served: Sequence[tuple[Endpoint, Lane]]  # lanes just leased, and those whose endpoint has changed
    heads: Sequence[Head]
    claimed: int


def result(head: Head, outcome: Outcome, verdict: Verdict, ended_at: datetime, *, hold: bool = False) -> Result:
    """The result of an attempt, to be recorded; with `hold`, a delivery out of tries is held instead of given up."""
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
