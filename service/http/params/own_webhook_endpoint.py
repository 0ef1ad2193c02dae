"""Parameters of `/v1/rollbook/webhook_endpoints`."""

from typing import Annotated

from pydantic import Field

from service.http.params import Parameters
from service.http.params.kinds import Integer, NotEmpty
from webhooks.endpoint import Replay


class RollSecret(Parameters):
    """Parameters of `POST /v1/rollbook/webhook_endpoints/{webhook_endpoint}/roll_secret`."""

    overlap: Annotated[Integer, Field(ge=0, le=168)] = 24
    """For how many hours the secrets before it go on signing too; with 0 they end at once."""


class PauseWebhookEndpoint(Parameters):
    """Parameters of `POST /v1/rollbook/webhook_endpoints/{webhook_endpoint}/pause`."""


class ResumeWebhookEndpoint(Parameters):
    """Parameters of `POST /v1/rollbook/webhook_endpoints/{webhook_endpoint}/resume`."""

    replay: Annotated[Replay, NotEmpty] = "all"
    """What is sent of what happened meanwhile and what was pending: `all` of it, the `latest` event of each object, or
    nothing: `skip`."""
