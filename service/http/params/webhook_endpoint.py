"""Parameters of `/v1/webhook_endpoints`."""

from importlib import resources
from typing import Annotated, Any, cast
from urllib.parse import urlsplit

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


def _url(given: str) -> str:
    try:
        parts = urlsplit(given)
        host, _ = parts.hostname, parts.port  # a port that is no number raises
    except ValueError:
        host, parts = None, None
    if not host or not parts or parts.scheme not in ("http", "https") or parts.username is not None:
        raise refused("Invalid URL: an absolute http or https URL without credentials is needed.", code="url_invalid")
    if not given.isascii() or any(letter.isspace() or not letter.isprintable() for letter in given):
        raise refused("Invalid URL: it holds characters that must be percent-encoded.", code="url_invalid")
    return given


def check_live_url(url: str, livemode: bool) -> None:
    """Raises Refusal for a URL that is not https in live mode."""
    if livemode and not url.lower().startswith("https://"):
        raise Refusal("Invalid URL: live mode endpoints must use HTTPS.", code="url_invalid", param="url")


def _version(given: str) -> str:
    versions.choose(given, given)
    return given


EventType = Annotated[Text, NotEmpty, AfterValidator(_event_type)]
EventTypes = Annotated[tuple[EventType, ...], Field(min_length=1, max_length=len(EVENT_TYPES) + 1), Array, NotEmpty]
Url = Annotated[Text, AfterValidator(_url), NotEmpty]


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
