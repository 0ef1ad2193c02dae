"""Parameters of `/v1/webhook_endpoints`."""

from importlib import resources
from typing import Annotated, Any, cast

from pydantic import AfterValidator, Field

from events.errors import Refusal
from service.http import versions
from service.http.params import Parameters
from service.http.params.kinds import (
    Array,
    Boolean,
    ClearableText,
    Expand,
    Metadata,
    NotEmpty,
    Text,
    refused,
)
from service.http.params.listing import Listing
from webhooks.endpoint import EndpointPatch

EVENT_TYPES = frozenset(resources.files("service.http.params").joinpath("event_types.txt").read_text().split())


def _event_type(given: str) -> str:
    if given != "*" and given not in EVENT_TYPES:
        raise refused(
            f"Invalid enabled_events: '{given}' is no event type. Use '*' for all, or the types of the API reference."
        )
    return given


def _own(given: bool) -> bool:
    if given:
        raise refused("This account has no connected accounts whose events could be received.")
    return given


def _version(given: str) -> str:
    try:
        return versions.choose(given, given)
    except Refusal as refusal:
        raise refused(refusal.message) from None


EventType = Annotated[Text, NotEmpty, AfterValidator(_event_type)]
EventTypes = Annotated[tuple[EventType, ...], Field(min_length=1, max_length=len(EVENT_TYPES) + 1), Array, NotEmpty]
Url = Annotated[Text, NotEmpty]  # what may be called is for webhooks.guard to say


class _Attributes(Parameters):
    """What create and update share."""

    description: ClearableText = None
    expand: Expand = ()
    metadata: Metadata = None

    def patch(self) -> EndpointPatch:
        """What was sent, as the events have it."""
        names = self.model_fields_set & EndpointPatch.__annotations__.keys()
        sent: dict[str, Any] = {name: getattr(self, name) for name in names}
        return cast(EndpointPatch, sent)


class CreateWebhookEndpoint(_Attributes):
    """Parameters of `POST /v1/webhook_endpoints`."""

    url: Url
    enabled_events: EventTypes
    api_version: Annotated[Text, NotEmpty, AfterValidator(_version)] | None = None
    connect: Annotated[Boolean, AfterValidator(_own)] = False


class UpdateWebhookEndpoint(_Attributes):
    """Parameters of `POST /v1/webhook_endpoints/{webhook_endpoint}`."""

    disabled: Boolean | None = None
    enabled_events: EventTypes | None = None
    url: Url | None = None


class RetrieveWebhookEndpoint(Parameters):
    """Parameters of `GET /v1/webhook_endpoints/{webhook_endpoint}`."""

    expand: Expand = ()


class DeleteWebhookEndpoint(Parameters):
    """Parameters of `DELETE /v1/webhook_endpoints/{webhook_endpoint}`."""

    expand: Expand = ()


class ListWebhookEndpoints(Listing):
    """Parameters of `GET /v1/webhook_endpoints`."""
