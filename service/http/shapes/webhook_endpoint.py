"""The webhook endpoint object."""

from typing import Literal

from service.http.shapes.shape import ABSENT, Deleted, Shape


class WebhookEndpoint(Shape):
    """A URL that events are sent to."""

    id: str
    """What the endpoint is called by."""
    object: Literal["webhook_endpoint"]
    """Says that this is a webhook endpoint."""
    api_version: str | None
    """Version of the API that events are rendered in; null for the account's."""
    application: None
    """It was made by the account itself."""
    created: int
    """When it was created, in Unix seconds."""
    description: str | None
    """What it is for."""
    enabled_events: list[str]
    """Types of the events that are sent; `*` for all of them."""
    livemode: bool
    """Whether it is of live mode, or of test mode."""
    metadata: dict[str, str]
    """Keys and values of the caller's own."""
    secret: str = ABSENT
    """What its webhooks are signed with; there in the answer that makes it alone."""
    status: Literal["disabled", "enabled"]
    """Whether events are sent."""
    url: str
    """Where they are sent."""


class DeletedWebhookEndpoint(Deleted):
    """What is left to show of a deleted webhook endpoint."""

    object: Literal["webhook_endpoint"]
    """Says that this was a webhook endpoint."""
