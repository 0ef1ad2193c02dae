"""Inline read models: writes the rows of changes in the transaction of the append (inline projections)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from events.decider import Change
from events.record import Append
from projections.rows import NO_ROWS, NoticeRow, Rows

TYPE = 1 + NoticeRow._fields.index("type")  # its index in a notice row, which begins with the index of its item

# The order of the notices of one request (API reference, types of events). Equal ones stay in order of their events.
ORDER = (
    "customer.created",
    "customer.updated",
    "customer.source.",
    "payment_method.",
    "customer.discount.",
    "customer.tax_id.",
    "customer.subscription.",
    "customer.deleted",
    "customer.redacted",
)


class InlineReadModels:
    """Writes the read model rows of appends; see events.commit.ReadModels."""

    statement = "SELECT outcome, first_position FROM projections.commit($1, $2, $4, $5, $6, $7, $3)"

    def parameters(self, items: Sequence[Append]) -> Sequence[Sequence[Any]]:
        """Arrays of projections.customer_row, resource_row, notice_row and due_row.

        The notices of a leader and the appends with it are sorted by ORDER, whichever stream they are from.
        """
        customers: list[tuple[Any, ...]] = []
        resources: list[tuple[Any, ...]] = []
        notices: list[tuple[Any, ...]] = []
        due: list[tuple[Any, ...]] = []
        pending: list[tuple[Any, ...]] = []  # notices of the present leader and the appends with it
        neighbours = 0
        for index, item in enumerate(items, 1):
            if neighbours == 0:
                notices.extend(_in_order(pending))
                pending, neighbours = [], len(item.with_)
            else:
                neighbours -= 1
            rows: Rows = item.rows or NO_ROWS
            customers += [(index, *row) for row in rows.customers]
            pending += [(index, *row) for row in rows.notices]
            if rows.resources or rows.due:
                resources += [(index, *row) for row in rows.resources]
                due += [(index, *row) for row in rows.due]
        notices.extend(_in_order(pending))
        return customers, resources, notices, due


def rank(type: str) -> int:
    """The rank of a notice type among the notices of one request."""
    for index, start in enumerate(ORDER):
        if type.startswith(start):
            return index
    return ORDER.index("customer.deleted")


def _in_order(pending: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return pending if len(pending) < 2 else sorted(pending, key=lambda row: rank(row[TYPE]))


def no_rows(change: Change[Any]) -> Rows:
    """Of a kind of stream without a read model: its events are in the log alone."""
    return NO_ROWS


class RowsOfKinds:
    """Dispatches a change to the projection of its kind of stream."""

    def __init__(self, by_kind: Mapping[str, Callable[[Change[Any]], Rows]]) -> None:
        self._by_kind = by_kind

    def __call__(self, change: Change[Any]) -> Rows:
        """The rows of a change. Every kind has a projection, even if that gives no rows."""
        return self._by_kind[change.kind](change)
