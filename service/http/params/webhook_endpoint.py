"""Parameters of `/v1/webhook_endpoints`."""

from importlib import resources
from typing import Annotated, Any, cast

from pydantic import AfterValidator, Field

from events.errors import Refusal
from service import api_versions
from service.http.params import Parameters
from service.http.params.fields import (
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
from webhooks.endpoints.endpoint import EndpointPatch


def _names(file: str) -> frozenset[str]:
    return frozenset(resources.files("service.http.params").joinpath(file).read_text().split())


OWN_EVENT_TYPES = _names("own_event_types.txt")  # that the API reference does not know
EVENT_TYPES = _names("event_types.txt") | OWN_EVENT_TYPES


def _event_type(given: str) -> str:
    if given != "*" and given not in EVENT_TYPES:
        raise refused(
            f"Invalid enabled_events: '{given}' is not an event type. Use '*' for all, or types of the API reference."
        )
    return given


def _own(given: bool) -> bool:
    if given:
        raise refused("This account has no connected accounts whose events could be received.")
    return given


def _version(given: str) -> str:
    try:
        return api_versions.choose(given, given)
    except Refusal as refusal:
        raise refused(refusal.message) from None


EventType = Annotated[Text, NotEmpty, AfterValidator(_event_type)]
EventTypes = Annotated[tuple[EventType, ...], Field(min_length=1, max_length=len(EVENT_TYPES) + 1), Array, NotEmpty]
Url = Annotated[Text, NotEmpty]  # what may be called is for webhooks/post/receiver_url.py to say


class _Attributes(Parameters):
    """What create and update share."""

    description: ClearableText = None
    """Description of the endpoint."""
    expand: Expand = ()
    """Paths of the objects to expand in the response."""
    metadata: Metadata = None
    """Key-value pairs for your own use; merged by key, and an empty value deletes its key."""

    def patch(self) -> EndpointPatch:
        """The parsed parameters, as the domain takes them."""
        names = self.model_fields_set & EndpointPatch.__annotations__.keys()
        sent: dict[str, Any] = {name: getattr(self, name) for name in names}
        return cast(EndpointPatch, sent)


class CreateWebhookEndpoint(_Attributes):
    """Parameters of `POST /v1/webhook_endpoints`."""

    url: Url
    """URL of the receiver."""
    enabled_events: EventTypes
    """Types of the events to send; `*` for all of them."""
    api_version: Annotated[Text, NotEmpty, AfterValidator(_version)] | None = None
    """API version in which events are rendered; the default is that of the account."""
    connect: Annotated[Boolean, AfterValidator(_own)] = False
    """Whether to receive events of connected accounts; accepted, without effect."""


class UpdateWebhookEndpoint(_Attributes):
    """Parameters of `POST /v1/webhook_endpoints/{webhook_endpoint}`."""

    disabled: Boolean | None = None
    """Whether the endpoint is disabled."""
    enabled_events: EventTypes | None = None
    """Types of the events to send; `*` for all of them; replaced as a whole."""
    url: Url | None = None
    """URL of the receiver."""


class RetrieveWebhookEndpoint(Parameters):
    """Parameters of `GET /v1/webhook_endpoints/{webhook_endpoint}`."""

    expand: Expand = ()
    """Paths of the objects to expand in the response."""


class DeleteWebhookEndpoint(Parameters):
    """Parameters of `DELETE /v1/webhook_endpoints/{webhook_endpoint}`."""

    expand: Expand = ()
    """Paths of the objects to expand in the response."""


class ListWebhookEndpoints(Listing):
    """Parameters of `GET /v1/webhook_endpoints`."""
