"""Test clocks as the API shows them, their notices, and their scheduled work."""

from collections.abc import Mapping
from typing import Any

from events import testclock
from events.customer.testclock import ClockJoined
from events.decider import Change
from events.testclock import AdvanceBegun, Arrived, ClockCreated, ClockDeleted, TestClock
from projections.facets import Effects, EventContext, Project
from projections.notices import Notification, notices_of
from projections.rows import FOLLOW, DueRow, Rows, due_row, resource_row

ADVANCE = "test_clock.advance"
DELETE = "test_clock.delete"
NOTICE_TYPES: Mapping[type, str] = {
    ClockCreated: "test_helpers.test_clock.created",
    AdvanceBegun: "test_helpers.test_clock.advancing",
    Arrived: "test_helpers.test_clock.ready",
    ClockDeleted: "test_helpers.test_clock.deleted",
}


def render(clock: TestClock, livemode: bool) -> dict[str, Any]:
    """A clock in its default representation (API reference, the test clock object)."""
    moving = clock.target is not None
    return {
        "id": clock.id,
        "object": testclock.KIND,
        "created": clock.created,
        "deletes_after": clock.deletes_after,
        "frozen_time": clock.frozen_time,
        "livemode": livemode,
        "name": clock.name,
        "status": "advancing" if moving else "ready",
        "status_details": {"advancing": {"target_frozen_time": clock.target}} if moving else {},
    }


def render_deleted(id: str) -> dict[str, Any]:
    """A deleted clock."""
    return {"id": id, "object": testclock.KIND, "deleted": True}


class TestClockProjection:
    """Turns changes of clocks into their row, their notices, rendered in `api_version`, and their work."""

    def __init__(self, api_version: str) -> None:
        self._api_version = api_version

    def rows(self, change: Change[TestClock]) -> Rows:
        """The row after the change, a notice of each event, and scheduled work."""
        clock, origin = change.after, change.origin
        row = resource_row(
            origin,
            change.version,
            kind=testclock.KIND,
            id=clock.id,
            created=clock.created,
            shown=render(clock, origin.livemode),
            deleted=clock.deleted,
            facts={"frozen_time": clock.frozen_time},
        )
        return Rows(
            resources=(row,),
            notices=notices_of(change, self._api_version, _notification),
            due=tuple(row for event, _ in change.steps for row in _due(change, event)),
        )


def _notification(event: Any, before: TestClock, after: TestClock, livemode: bool) -> Notification | None:
    name = NOTICE_TYPES.get(type(event))
    return None if name is None else Notification(name, render(after, livemode))


def _due(change: Change[TestClock], event: Any) -> tuple[DueRow, ...]:
    match event:
        case ClockCreated():
            return (_row(change, DELETE, change.after.deletes_after),)
        case AdvanceBegun():
            return (_row(change, ADVANCE, event.at),)
        case Arrived():
            return (_row(change, ADVANCE, None),)
        case ClockDeleted():
            return (_row(change, ADVANCE, None), _row(change, DELETE, None))
        case _:
            return ()


def _row(change: Change[TestClock], task: str, due_at: int | None) -> DueRow:
    """The clock's own work is due by the machine's time."""
    id = change.after.id
    return due_row(change.origin, task, due_at, kind=testclock.KIND, id=id, subject=id)


def _joined(context: EventContext) -> Effects:
    """The jobs of the customer, due by real time before, are due by the clock from now on."""
    return Effects(due=(context.due(FOLLOW, "", None),))


PROJECTS: Mapping[type, Project] = {ClockJoined: _joined}
