"""Projections of a customer's facets: each maps an event in its context to rows and notifications.

A facet's module has a mapping PROJECTS from types of events to functions of an EventContext; projections/customers.py
joins them.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from events.customer import Customer
from events.record import Origin
from projections.notices import Notification
from projections.rows import NO_FACTS, DueRow, ResourceRow, due_row, resource_row


class EventContext(NamedTuple):
    """An event of a customer with the states before and after it, and its position."""

    event: Any
    before: Customer
    after: Customer
    origin: Origin
    stream: str
    version: int
    offset: int  # 0-based, of the event in its append

    def resource(
        self,
        *,
        kind: str,
        id: str,
        created: int,
        shown: dict[str, Any],
        deleted: bool = False,
        lookup: str | None = None,
        facts: Mapping[str, Any] = NO_FACTS,
        parent: str | None = None,
    ) -> ResourceRow:
        """The row of an object as the event left it; its parent is the customer unless `parent` is given."""
        return resource_row(
            self.origin,
            self.version,
            kind=kind,
            id=id,
            created=created,
            shown=shown,
            parent=self.after.id if parent is None else parent,
            deleted=deleted,
            lookup=lookup,
            facts=facts,
            event=self.offset,
        )

    def due(self, task: str, subject: str, due_at: int | None) -> DueRow:
        """Work on the customer that is due later, by its own clock; without a time, work that is no longer due."""
        id, test_clock = self.after.id, self.after.test_clock
        return due_row(self.origin, task, due_at, kind="customer", id=id, subject=subject, test_clock=test_clock)


class Effects(NamedTuple):
    """The rows and notifications of one event, in addition to the row of the customer."""

    resources: tuple[ResourceRow, ...] = ()
    notices: tuple[Notification, ...] = ()
    due: tuple[DueRow, ...] = ()


Project = Callable[[EventContext], Effects]
