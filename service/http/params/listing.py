"""What every list takes: a limit and a cursor; and most of them a range of creation times."""

from dataclasses import replace
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from events.errors import Refusal
from projections.read import EARLIEST, LATEST, PageOf
from service.http.params import Parameters
from service.http.params.fields import Expand, Integer, NotEmpty, Text, integer

LIMIT_DEFAULT = 10
Cursor = Annotated[Text, NotEmpty]


class Range(Parameters):
    """Range of times; every bound applies."""

    gt: Integer | None = None
    """Greater than this time, in Unix seconds."""
    gte: Integer | None = None
    """Greater than or equal to this time, in Unix seconds."""
    lt: Integer | None = None
    """Less than this time, in Unix seconds."""
    lte: Integer | None = None
    """Less than or equal to this time, in Unix seconds."""

    @property
    def lowest(self) -> int:
        """The earliest time within, inclusive."""
        return max(EARLIEST if self.gt is None else self.gt + 1, EARLIEST if self.gte is None else self.gte)

    @property
    def highest(self) -> int:
        """The latest time within, inclusive."""
        return min(LATEST if self.lt is None else self.lt - 1, LATEST if self.lte is None else self.lte)


def _exact(given: Any) -> Any:
    if not isinstance(given, str):
        return given
    integer(given)  # its fault is the parameter's own, not that of a bound nobody sent
    return {"gte": given, "lte": given}


class Listing(Parameters):
    """The parameters of a list."""

    limit: Annotated[Integer, Field(ge=1, le=100)] = LIMIT_DEFAULT
    """Maximum number of objects in the page."""
    starting_after: Cursor | None = None
    """Cursor: id of the object after which the page starts."""
    ending_before: Cursor | None = None
    """Cursor: id of the object before which the page ends."""
    expand: Expand = ()
    """Paths of the objects to expand, prefixed with `data.`; or `total_count`."""

    def page(self) -> PageOf:
        """The page that was asked for. Raises Refusal when two cursors were given."""
        if self.starting_after is not None and self.ending_before is not None:
            raise Refusal(
                "You may only specify one of these parameters: starting_after, ending_before.",
                code="parameters_exclusive",
                param="starting_after",
            )
        return PageOf(limit=self.limit, starting_after=self.starting_after, ending_before=self.ending_before)


class DatedListing(Listing):
    """The parameters of a list that can be narrowed to a range of creation times."""

    created: Annotated[Range, BeforeValidator(_exact, json_schema_input_type=int | Range)] = Range()
    """Filter by time of creation: Unix seconds, or a range."""

    def page(self) -> PageOf:
        """The page that was asked for. Raises Refusal when two cursors were given."""
        return replace(super().page(), created_min=self.created.lowest, created_max=self.created.highest)
