"""Parameters of `/v1/test_helpers/test_clocks`."""

from typing import Annotated

from pydantic import Field

from service.http.params import Parameters
from service.http.params.fields import Cleared, Expand, Integer, NotEmpty, Text
from service.http.params.listing import Listing

LATEST_TIME = 253_402_300_799  # the last second of the year 9999
Time = Annotated[Integer, Field(ge=0, le=LATEST_TIME)]


class CreateTestClock(Parameters):
    """Parameters of `POST /v1/test_helpers/test_clocks`."""

    frozen_time: Time
    """Initial time of the clock, in Unix seconds; in the past or the future."""
    customer: Annotated[Text, NotEmpty] | None = None
    """Id of an existing customer to attach to the clock."""
    expand: Expand = ()
    """Paths of the objects to expand in the response."""
    name: Annotated[str | None, Field(max_length=300), Cleared] = None
    """Name of the clock."""


class AdvanceTestClock(Parameters):
    """Parameters of `POST /v1/test_helpers/test_clocks/{test_clock}/advance`."""

    frozen_time: Time
    """Target time, in Unix seconds: after the time of the clock, by at most two years."""
    expand: Expand = ()
    """Paths of the objects to expand in the response."""


class RetrieveTestClock(Parameters):
    """Parameters of `GET /v1/test_helpers/test_clocks/{test_clock}`."""

    expand: Expand = ()
    """Paths of the objects to expand in the response."""


class DeleteTestClock(Parameters):
    """Parameters of `DELETE /v1/test_helpers/test_clocks/{test_clock}`."""

    expand: Expand = ()
    """Paths of the objects to expand in the response."""


class ListTestClocks(Listing):
    """Parameters of `GET /v1/test_helpers/test_clocks`."""
