"""Parameters of `/v1/rollbook/webhook_endpoints`."""

from typing import Annotated, Any, cast

from pydantic import Field

from events.errors import Refusal
from service.http.params import Parameters
from service.http.params.fields import Cleared, Integer, NotEmpty
from service.http.params.listing import Listing
from service.http.params.testclock import Time
from webhooks.endpoints.endpoint import Replay
from webhooks.endpoints.rules import IN_FLIGHT_MAX, RATE_MAX, Missed, OnExhaustion, Order, Payload, RulesPatch


class RetrieveWebhookEndpoint(Parameters):
    """Parameters of `GET /v1/rollbook/webhook_endpoints/{webhook_endpoint}`."""


class ListWebhookEndpoints(Listing):
    """Parameters of `GET /v1/rollbook/webhook_endpoints`."""


class SetRules(Parameters):
    """Parameters of `POST /v1/rollbook/webhook_endpoints/{webhook_endpoint}`."""

    in_flight_max: Annotated[Annotated[Integer, Field(ge=1, le=IN_FLIGHT_MAX)] | None, Cleared] = None
    """How many attempts may be on their way at once; when unset, as many as the receiver proves to bear, 32 at most."""
    missed: Annotated[Missed, NotEmpty] | None = None
    """What becomes of events that happen while the endpoint is disabled, once it is enabled: `send` them, behind live
    ones, or `skip` them. Deliveries that were pending go on in either case."""
    on_exhaustion: Annotated[OnExhaustion, NotEmpty] | None = None
    """What happens in an order once the tries of an event are used up: `skip` it, or `hold` those after it until it is
    resent or canceled."""
    order: Annotated[Order, NotEmpty] | None = None
    """In which order events arrive, from what happens next on: `none`, those of each `customer` one by one as they
    happened, or all of them: `strict`."""
    payload: Annotated[Payload, NotEmpty] | None = None
    """What is sent: the `full` event, or a `thin` one that says what happened to whom and where to read the rest."""
    rate_limit: Annotated[Annotated[Integer, Field(ge=1, le=RATE_MAX)] | None, Cleared] = None
    """How many attempts there may be a second; when unset, any number."""

    def patch(self) -> RulesPatch:
        """The rules that were sent."""
        sent: dict[str, Any] = {name: getattr(self, name) for name in self.model_fields_set}
        return cast(RulesPatch, sent)


class RollSecret(Parameters):
    """Parameters of `POST /v1/rollbook/webhook_endpoints/{webhook_endpoint}/roll_secret`."""

    overlap: Annotated[Integer, Field(ge=0, le=168)] = 24
    """For how many hours the secrets before it go on signing too; with 0 they end at once."""


class PauseWebhookEndpoint(Parameters):
    """Parameters of `POST /v1/rollbook/webhook_endpoints/{webhook_endpoint}/pause`."""


class ResumeWebhookEndpoint(Parameters):
    """Parameters of `POST /v1/rollbook/webhook_endpoints/{webhook_endpoint}/resume`."""

    replay: Annotated[Replay, NotEmpty] | None = None
    """What is sent of what happened meanwhile and what was pending: `all` of it, the `latest` event of each object, or
    nothing: `skip`. When unset, all of it; with the rule `missed` set to `skip`, what was pending."""


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


class CancelPending(Parameters):
    """Parameters of `POST /v1/rollbook/webhook_endpoints/{webhook_endpoint}/cancel_pending`."""


class TestWebhookEndpoint(Parameters):
    """Parameters of `POST /v1/rollbook/webhook_endpoints/{webhook_endpoint}/test`."""
