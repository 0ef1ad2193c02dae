"""Parameters of `/v1/rollbook/audit`."""

from typing import Annotated

from pydantic import AfterValidator, Field

from events.errors import Refusal
from service.history import Moment
from service.http.params import Parameters
from service.http.params.fields import Integer, NotEmpty, Text, refused
from service.http.params.listing import LIMIT_DEFAULT, Cursor


def _moment(given: str) -> str:
    """A moment as it was sent. Raises the fault of text that names none."""
    try:
        Moment.parse(given)
    except ValueError:
        raise refused(
            "Invalid moment: use a version such as 12, a position such as position:812, or a time such as "
            "2026-11-01T12:00Z."
        ) from None
    return given


AMoment = Annotated[Text, AfterValidator(_moment), NotEmpty]


class ListAuditEvents(Parameters):
    """Parameters of `GET /v1/rollbook/audit/{kind}/{object}/events`."""

    limit: Annotated[Integer, Field(ge=1, le=100)] = LIMIT_DEFAULT
    """Maximum number of events in the page."""
    starting_after: Cursor | None = None
    """Cursor: id (position) of the event after which the page starts."""
    ending_before: Cursor | None = None
    """Cursor: id (position) of the event before which the page ends."""

    def check(self) -> None:
        """Raises Refusal when two cursors were given."""
        if self.starting_after is not None and self.ending_before is not None:
            raise Refusal(
                "You may only specify one of these parameters: starting_after, ending_before.",
                code="parameters_exclusive",
                param="starting_after",
            )


class RetrieveAuditState(Parameters):
    """Parameters of `GET /v1/rollbook/audit/{kind}/{object}`."""

    at: AMoment | None = None
    """A version (`12`), a position (`position:812`) or a time (`2026-11-01T12:00Z`, or a day); the default is now."""
    to: AMoment | None = None
    """A later moment: the response is then the difference between `at` and `to`."""
