"""The test clock object."""

from typing import Literal

from service.http.schemas.schema import ABSENT, Deleted, Shape


class Advancing(Shape):
    """Details of a test clock that is advancing."""

    target_frozen_time: int
    """Target time, in Unix seconds."""


class StatusDetails(Shape):
    """Details of the status of a test clock."""

    advancing: Advancing = ABSENT
    """Present while the clock advances."""


class TestClock(Shape):
    """A test clock: the time of its customers, frozen until it is advanced."""

    id: str
    """Unique identifier of the test clock."""
    object: Literal["test_helpers.test_clock"]
    """Type of the object: a test clock."""
    created: int
    """Time of creation in Unix seconds, by the real clock."""
    deletes_after: int
    """Time of its automatic deletion, in Unix seconds of real time."""
    frozen_time: int
    """Time of the clock, in Unix seconds."""
    livemode: Literal[False]
    """Always false: test clocks exist in test mode only."""
    name: str | None
    """Name of the clock."""
    status: Literal["advancing", "internal_failure", "ready"]
    """Status of the clock: `advancing`, or `ready` to advance."""
    status_details: StatusDetails
    """Details of the status."""


class DeletedTestClock(Deleted):
    """A deleted test clock."""

    object: Literal["test_helpers.test_clock"]
    """Type of the object: a test clock."""
