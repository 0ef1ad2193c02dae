"""Parameters of `/v1/rollbook/webhook_endpoints`."""

from typing import Annotated

from pydantic import Field

from events.errors import Refusal
from service.http.params import Parameters
from service.http.params.kinds import Integer, NotEmpty
from service.http.params.test_clock import Time
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


class RecoverWebhookEndpoint(Parameters):
    """Parameters of `POST /v1/rollbook/webhook_endpoints/{webhook_endpoint}/recover`."""

    position: Annotated[Integer, Field(ge=0)] | None = None
    """Position in the feed after which events are sent once more."""
    since: Time | None = None
    """Time since which events are sent once more, in Unix seconds."""

    def check(self) -> None:
        """Raises Refusal unless one of them was given, and one alone."""
        if self.position is not None and self.since is not None:
            raise Refusal(
                "You may only specify one of these parameters: position, since.",
                code="parameters_exclusive",
                param="position",
            )
        if self.position is None and self.since is None:
            raise Refusal(
                "Missing required param: since. It may be position instead.", code="parameter_missing", param="since"
            )


class TestWebhookEndpoint(Parameters):
    """Parameters of `POST /v1/rollbook/webhook_endpoints/{webhook_endpoint}/test`."""
