"""The rows a change writes: of customers, of all other resources, of notices, and of work that is due later."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import orjson

from events.record import Origin

NO_FACTS: Mapping[str, Any] = MappingProxyType({})


class CustomerRow(NamedTuple):
    """A row of projections.customer; its fields stand as in the type customer_row."""

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
    """A row of projections.resource; its fields stand as in the type resource_row.

    `event` is the 0-based index, in its append, of the event that caused it: the order among those of one append.
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
    """A row of projections.due: work that a stream has for later; its fields stand as in the type due_row.

    `task` names who does it and `subject` what in the stream it is about. Without a `due_at` (Unix seconds, of the test
    clock where there is one) the work is taken away. The task FOLLOW has all the stream's work follow the test clock.
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
    """Everything one change writes beside the log."""

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
    """The row of an object as the change of `origin`, or one event of it, left it in `version` of its stream.

    `shown` is the object as the API shows it, `facts` what lists and other statements select by.
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
