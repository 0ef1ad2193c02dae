"""Parameters of `/v1/events`."""

from typing import Annotated

from pydantic import Field

from events.errors import Refusal
from projections.read import PageOf
from service.http.params import Parameters
from service.http.params.fields import Array, Boolean, Expand, NotEmpty, Text
from service.http.params.listing import DatedListing
from service.http.params.webhook_endpoint import EVENT_TYPES

TYPES_MAX = 20


class RetrieveEvent(Parameters):
    """Parameters of `GET /v1/events/{event}`."""

    expand: Expand = ()
    """Paths of the objects to expand in the response."""


class ListEvents(DatedListing):
    """Parameters of `GET /v1/events`."""

    delivery_success: Boolean | None = None
    """Filter by delivery success: only events that all webhook endpoints received, or only events that some did not."""
    type: Annotated[Text, NotEmpty] | None = None
    """Filter by the event type, which may end in the wildcard `*`."""
    types: Annotated[tuple[Text, ...], Field(max_length=TYPES_MAX), Array, NotEmpty] | None = None
    """Filter by event types."""

    def page(self) -> PageOf:
        """The page that was asked for. Raises Refusal when parameters exclude each other."""
        if self.type is not None and self.types is not None:
            raise Refusal(
                "You may only specify one of these parameters: type, types.", code="parameters_exclusive", param="type"
            )
        return super().page()

    def wanted(self) -> tuple[str, ...] | None:
        """The exact types asked for, a `*` at the end spelled out; None for all of them."""
        if self.types is not None:
            return self.types
        if self.type is None or self.type == "*":
            return None
        if self.type.endswith("*"):
            return tuple(sorted(name for name in EVENT_TYPES if name.startswith(self.type[:-1])))
        return (self.type,)
