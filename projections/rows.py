"""The rows a change writes, and their way into the append's own transaction."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from events.decider import Change
from events.record import Append


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


class ResourceRow(NamedTuple):
    """A row of projections.resource; its fields stand as in the type resource_row."""

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


class NoticeRow(NamedTuple):
    """A row of projections.notice; `event` is the 0-based place, in its append, of the event it tells of."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Everything one change writes beside the log."""

    customers: tuple[CustomerRow, ...] = ()
    resources: tuple[ResourceRow, ...] = ()
    notices: tuple[NoticeRow, ...] = ()


NO_ROWS = Rows()


class InlineReadModels:
    """Writes the rows that appends bring; see events.commit.ReadModels."""

    statement = "SELECT outcome, first_position FROM projections.commit($1, $2, $3, $4, $5)"

    def parameters(self, items: Sequence[Append]) -> Sequence[Sequence[Any]]:
        """Arrays of projections.customer_row, resource_row and notice_row."""
        customers: list[tuple[Any, ...]] = []
        resources: list[tuple[Any, ...]] = []
        notices: list[tuple[Any, ...]] = []
        for place, item in enumerate(items, 1):
            rows: Rows = item.rows or NO_ROWS
            customers.extend((place, *row) for row in rows.customers)
            resources.extend((place, *row) for row in rows.resources)
            notices.extend((place, *row) for row in rows.notices)
        return customers, resources, notices


class RowsOfKinds:
    """Hands a change to the projection of its kind of stream."""

    def __init__(self, by_kind: Mapping[str, Callable[[Change[Any]], Rows]]) -> None:
        self._by_kind = by_kind

    def __call__(self, change: Change[Any]) -> Rows:
        """The rows of a change. Every kind that is written has a projection, if only one that gives no rows."""
        return self._by_kind[change.kind](change)
