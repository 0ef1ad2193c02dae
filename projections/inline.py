"""Inline read models: the rows that changes make, and their way into the append's own transaction."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from events.decider import Change
from events.record import Append
from projections.rows import NO_ROWS, NoticeRow, Rows

TYPE = 1 + NoticeRow._fields.index("type")  # in a row that begins with its item

# The notices of one request come in this order (API reference, types of events); the rest as it happened.
ORDER = (
    "customer.created",
    "customer.updated",
    "customer.source.",
    "payment_method.",
    "customer.discount.",
    "customer.tax_id.",
    "customer.subscription.",
    "customer.deleted",
)


class InlineReadModels:
    """Writes the rows that appends bring; see events.commit.ReadModels."""

    statement = "SELECT outcome, first_position FROM projections.commit($1, $2, $4, $5, $6, $7, $3)"

    def parameters(self, items: Sequence[Append]) -> Sequence[Sequence[Any]]:
        """Arrays of projections.customer_row, resource_row, notice_row and due_row.

        The notices of items that stand or fall together come in that order, whichever stream they are of.
        """
        customers: list[tuple[Any, ...]] = []
        resources: list[tuple[Any, ...]] = []
        notices: list[tuple[Any, ...]] = []
        due: list[tuple[Any, ...]] = []
        pending: list[tuple[Any, ...]] = []  # of one leader and the appends with it
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
    """Where notices of a type come among those of one request."""
    for index, start in enumerate(ORDER):
        if type.startswith(start):
            return index
    return len(ORDER) - 2


def _in_order(pending: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return pending if len(pending) < 2 else sorted(pending, key=lambda row: rank(row[TYPE]))


class RowsOfKinds:
    """Hands a change to the projection of its kind of stream."""

    def __init__(self, by_kind: Mapping[str, Callable[[Change[Any]], Rows]]) -> None:
        self._by_kind = by_kind

    def __call__(self, change: Change[Any]) -> Rows:
        """The rows of a change. Every kind that is written has a projection, if only one that gives no rows."""
        return self._by_kind[change.kind](change)
