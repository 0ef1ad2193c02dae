"""One attempt: the headers and the body that are posted of a delivery, full or thin, signed with the living secrets."""

import os

import structlog

from events import trace
from events.clock import Clock
from projections.notices import with_pending
from webhooks.dispatch.leased_lane import LeasedLane
from webhooks.feed import thin
from webhooks.outcome import Outcome
from webhooks.post.sender import Sender
from webhooks.queue.turn import Head

log = structlog.get_logger("webhooks")

POSITION_HEADER = "Rollbook-Position"  # of the event in the feed, so that a receiver can detect gaps
CHECKPOINT_HEADER = "Rollbook-Checkpoint"  # size and root of the log's Merkle tree, so that each receiver keeps them
VERSION_HEADER = "Rollbook-Version"  # of the stream of its object (the customer, for example) after the event


async def post(sender: Sender, clock: Clock, leased: LeasedLane, head: Head, checkpoint: str | None = None) -> Outcome:
    """Send the delivery at the head of a lane; gives the outcome, whatever happens.

    `checkpoint` is size and root of the newest checkpoint of the log.
    """
    if head.broken:
        return Outcome(fault="internal", duration_ms=0)
    timestamp = int(clock.now().timestamp())
    try:
        return await sender.post(
            leased.endpoint.url,
            _body(head),
            [secret for secret, until in leased.secrets if until is None or timestamp < until],
            id=head.notice_id,
            timestamp=timestamp,
            headers=_headers(head, checkpoint),
        )
    except Exception:
        log.exception("attempt.crashed", endpoint=head.endpoint_id, event_id=head.notice_id)
        return Outcome(fault="internal", duration_ms=0)


def _headers(head: Head, checkpoint: str | None) -> dict[str, str]:
    """The headers of an attempt, without its signatures."""
    headers = {POSITION_HEADER: str(head.sequence), VERSION_HEADER: str(head.version)}
    if checkpoint is not None:
        headers[CHECKPOINT_HEADER] = checkpoint
    if head.traceparent is not None:
        headers["traceparent"] = trace.child(head.traceparent, os.urandom(trace.SPAN_BYTES))
    return headers


def _body(head: Head) -> bytes:
    """The body of an attempt: the full event with its pending_webhooks, or a thin event."""
    if head.body is not None:
        return with_pending(head.body, head.pending)
    return thin.body(
        id=head.notice_id,
        type=head.type,
        created=head.created,
        livemode=head.livemode,
        stream=head.stream,
        version=head.version,
        position=head.sequence,
    )
