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
    """Bounds of a time, all of which hold."""

    gt: Integer | None = None
    """Later than this, in Unix seconds."""
    gte: Integer | None = None
    """At this or later, in Unix seconds."""
    lt: Integer | None = None
    """Earlier than this, in Unix seconds."""
    lte: Integer | None = None
    """At this or earlier, in Unix seconds."""

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
    """How many objects a page has at most."""
    starting_after: Cursor | None = None
    """Id of the object that the page begins just after, in list order."""
    ending_before: Cursor | None = None
    """Id of the object that the page ends just before, in list order."""
    expand: Expand = ()
    """Paths of what each object shows in full, beginning with `data.`; or `total_count`."""

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
    """Only objects of this second of creation, in Unix seconds, or of a range of them."""

    def page(self) -> PageOf:
        """The page that was asked for. Raises Refusal when two cursors were given."""
        return replace(super().page(), created_min=self.created.lowest, created_max=self.created.highest)
