"""Parameters of `/v1/rollbook/audit`."""

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from events.audit_log import Wanted
from events.customer import CUSTOMER
from events.errors import Refusal
from service import masking
from service.history import Moment, time_of
from service.http.params import Parameters
from service.http.params.fields import Integer, NotEmpty, Text, array, refused
from service.http.params.listing import LIMIT_DEFAULT, Cursor

TYPES_MAX = 100


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


def _time(given: str) -> str:
    try:
        time_of(given)
    except ValueError:
        raise refused("Invalid time: use a time such as 2026-11-01T12:00Z, or a day such as 2026-11-01.") from None
    return given


def _listed(given: Any) -> Any:
    return given.split(",") if isinstance(given, str) else array(given)


ATime = Annotated[Text, AfterValidator(_time), NotEmpty]
Id = Annotated[Text, NotEmpty]


class ReadAuditLog(Parameters):
    """Parameters of `GET /v1/rollbook/audit/log`."""

    actor: Id | None = None
    """Filter by who caused the event: id of an API key, `system`, or `operator:NAME`."""
    after: Annotated[Integer, Field(ge=0)] = 0
    """Position to continue from; the default is the beginning of the log."""
    customer: Id | None = None
    """Filter by the id of a customer: only events of its own stream."""
    from_: ATime | None = Field(default=None, alias="from")
    """Filter by time: only events from this time on (ISO 8601 with an offset, or a day)."""
    limit: Annotated[Integer, Field(ge=1, le=1000)] = 100
    """Maximum number of events in the response."""
    to: ATime | None = None
    """Filter by time: only events before this time."""
    types: (
        Annotated[
            tuple[Text, ...],
            Field(max_length=TYPES_MAX),
            BeforeValidator(_listed, json_schema_input_type=str | tuple[Text, ...]),
            NotEmpty,
        ]
        | None
    ) = None
    """Filter by types in the log, a list or separated by commas; a type may end in the wildcard `*`."""

    def wanted(self, known: Iterable[str]) -> Wanted:
        """Which events are wanted, of the known types. Raises Refusal for a word that names no type."""
        return Wanted(
            types=None if self.types is None else self._types(known),
            actor=self.actor,
            since=None if self.from_ is None else time_of(self.from_),
            until=None if self.to is None else time_of(self.to),
            stream=None if self.customer is None else CUSTOMER.stream(self.customer),
        )

    def _types(self, known: Iterable[str]) -> list[str]:
        found: set[str] = set()
        for word in self.types or ():
            named = {type for type in known if type == word or (word.endswith("*") and type.startswith(word[:-1]))}
            if not named:
                quoted = masking.quoted(word, 100)
                raise Refusal(f"Invalid types: '{quoted}' is no type in the log or prefix of one.", param="types")
            found |= named
        return sorted(found)
