"""The test clock object."""

from typing import Literal

from service.http.schemas.schema import ABSENT, Deleted, Shape


class Advancing(Shape):
    """A clock that moves."""

    target_frozen_time: int
    """The time it moves to, in Unix seconds."""


class StatusDetails(Shape):
    """More of where a clock stands."""

    advancing: Advancing = ABSENT
    """There while it moves."""


class TestClock(Shape):
    """A clock of test mode that stands until it is moved."""

    id: str
    """Unique identifier of the test clock."""
    object: Literal["test_helpers.test_clock"]
    """Type of the object: a test clock."""
    created: int
    """Time of creation in Unix seconds, by the real clock."""
    deletes_after: int
    """When it is deleted by itself, in Unix seconds of everybody's time."""
    frozen_time: int
    """When the clock stands, in Unix seconds."""
    livemode: Literal[False]
    """Clocks are of test mode."""
    name: str | None
    """What it is called among people."""
    status: Literal["advancing", "internal_failure", "ready"]
    """Whether it moves, or is ready to be moved."""
    status_details: StatusDetails
    """More of where it stands."""


class DeletedTestClock(Deleted):
    """What is left to show of a deleted test clock."""

    object: Literal["test_helpers.test_clock"]
    """Type of the object: a test clock."""
