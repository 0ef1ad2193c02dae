"""Row types: the rows of customers, other resources, events (notices) and scheduled jobs that a change writes."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import orjson

from events.record import Origin

NO_FACTS: Mapping[str, Any] = MappingProxyType({})


class CustomerRow(NamedTuple):
    """A row of projections.customer; fields in the order of the SQL type customer_row."""

    account: str
    livemode: bool
    id: str
    created: int
    version: int
    deleted: bool
    email: str | None
    invoice_prefix: str | None
    body: bytes
    test_clock: str | None = None


class ResourceRow(NamedTuple):
    """A row of projections.resource; fields in the order of the SQL type resource_row.

    `event` is the 0-based index, in its append, of the event that caused it: the order among the rows of one append.
    """

    account: str
    livemode: bool
    id: str
    kind: str
    parent: str
    created: int
    version: int
    deleted: bool
    lookup: str | None
    body: bytes
    facts: str  # JSON
    event: int = 0


class NoticeRow(NamedTuple):
    """A row of projections.notice; `event` is the 0-based index of its event in the append."""

    event: int
    id: str
    account: str
    livemode: bool
    type: str
    created: int
    stream: str
    version: int
    object_id: str
    body: bytes
    traceparent: str | None = None


class DueRow(NamedTuple):
    """A row of projections.due: a scheduled job of a stream; fields in the order of the SQL type due_row.

    `task` names the handler and `subject` the object within the stream. Without `due_at` (Unix seconds, in the time of
    the test clock if there is one) the job is removed. The task FOLLOW moves all jobs of the stream to the test clock.
    """

    account: str
    livemode: bool
    kind: str
    id: str
    task: str
    subject: str
    due_at: int | None
    test_clock: str | None = None


class Rows(NamedTuple):
    """Every row that a change writes besides its events."""

    customers: tuple[CustomerRow, ...] = ()
    resources: tuple[ResourceRow, ...] = ()
    notices: tuple[NoticeRow, ...] = ()
    due: tuple[DueRow, ...] = ()


NO_ROWS = Rows()
FOLLOW = "test_clock.follow"


def resource_row(
    origin: Origin,
    version: int,
    *,
    kind: str,
    id: str,
    created: int,
    shown: object,
    parent: str = "",
    deleted: bool = False,
    lookup: str | None = None,
    facts: Mapping[str, Any] = NO_FACTS,
    event: int = 0,
) -> ResourceRow:
    """The row of an object in `version` of its stream, after the change of `origin` or one event of it.

    `shown` is the object as the API represents it, `facts` what lists and other statements filter by.
    """
    return ResourceRow(
        account=origin.account,
        livemode=origin.livemode,
        id=id,
        kind=kind,
        parent=parent,
        created=created,
        version=version,
        deleted=deleted,
        lookup=lookup,
        body=dumps(shown),
        facts=orjson.dumps(dict(facts)).decode(),
        event=event,
    )


def dumps(shown: object) -> bytes:
    """JSON as the API sends it, indented by two spaces."""
    return orjson.dumps(shown, option=orjson.OPT_INDENT_2)


def due_row(
    origin: Origin, task: str, due_at: int | None, *, kind: str, id: str, subject: str, test_clock: str | None = None
) -> DueRow:
    """The row of work that a stream, named by its kind and id, has for later in the account and mode of `origin`."""
    return DueRow(*origin.scope, kind, id, task, subject, due_at, test_clock)
