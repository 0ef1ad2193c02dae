"""What the projections of a customer's facets are handed, and what they give.

A facet's module has a mapping PROJECTS from types of events to functions of a Step; projections/customers.py joins
them.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from events.customer import Customer
from events.record import Origin
from projections.rows import NO_FACTS, DueRow, ResourceRow, resource_row


class Step(NamedTuple):
    """One event of a customer's change."""

    event: Any
    before: Customer
    after: Customer
    origin: Origin
    stream: str
    version: int
    place: int  # 0-based, of the event in its append

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
        """The row of an object as the event left it; it belongs to the customer unless told otherwise."""
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
            event=self.place,
        )

    def due(self, task: str, subject: str, due_at: int | None) -> DueRow:
        """Work on the customer that is due later, by its own clock; without a time, work that is no longer due."""
        return DueRow(
            account=self.origin.account,
            livemode=self.origin.livemode,
            kind="customer",
            id=self.after.id,
            task=task,
            subject=subject,
            due_at=due_at,
            test_clock=self.after.test_clock,
        )


class Telling(NamedTuple):
    """A notice to give: its type, the object right after the change, and before it where the difference is told."""

    type: str
    shown: dict[str, Any]
    before: dict[str, Any] | None = None


class Facts(NamedTuple):
    """What one event brings beside the customer's own row."""

    resources: tuple[ResourceRow, ...] = ()
    notices: tuple[Telling, ...] = ()
    due: tuple[DueRow, ...] = ()


Project = Callable[[Step], Facts]
