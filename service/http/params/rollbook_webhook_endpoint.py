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
    """Maximum number of attempts in flight; when unset, it is adapted to the receiver, up to 32."""
    missed: Annotated[Missed, NotEmpty] | None = None
    """Handling of events during a pause, once the endpoint is enabled: `send` them, after live ones, or `skip` them.
    Pending deliveries are continued in either case."""
    on_exhaustion: Annotated[OnExhaustion, NotEmpty] | None = None
    """Handling of an event in an ordered sequence once its attempts are exhausted: `skip` it, or `hold` those after it
    until it is resent or canceled."""
    order: Annotated[Order, NotEmpty] | None = None
    """Ordering of deliveries, for later events: `none`; `customer` delivers the events of each customer in order, one
    at a time; `strict` all events."""
    payload: Annotated[Payload, NotEmpty] | None = None
    """Payload of webhooks: the `full` event, or a `thin` one with its type, the ids and a URL of the object."""
    rate_limit: Annotated[Annotated[Integer, Field(ge=1, le=RATE_MAX)] | None, Cleared] = None
    """Maximum number of attempts per second; when unset, there is no limit."""

    def patch(self) -> RulesPatch:
        """The rules that were sent."""
        sent: dict[str, Any] = {name: getattr(self, name) for name in self.model_fields_set}
        return cast(RulesPatch, sent)


class RollSecret(Parameters):
    """Parameters of `POST /v1/rollbook/webhook_endpoints/{webhook_endpoint}/roll_secret`."""

    overlap: Annotated[Integer, Field(ge=0, le=168)] = 24
    """Number of hours during which older secrets remain valid for signing; 0 expires them at once."""


class PauseWebhookEndpoint(Parameters):
    """Parameters of `POST /v1/rollbook/webhook_endpoints/{webhook_endpoint}/pause`."""


class ResumeWebhookEndpoint(Parameters):
    """Parameters of `POST /v1/rollbook/webhook_endpoints/{webhook_endpoint}/resume`."""

    replay: Annotated[Replay, NotEmpty] | None = None
    """Events to send after a pause, pending and missed ones: `all`, the `latest` event of each object, or none
    (`skip`). When unset: all; with the rule `missed` set to `skip`, only pending ones."""


class RecoverWebhookEndpoint(Parameters):
    """Parameters of `POST /v1/rollbook/webhook_endpoints/{webhook_endpoint}/recover`."""

    position: Annotated[Integer, Field(ge=0)] | None = None
    """Feed position after which events are sent again."""
    since: Time | None = None
    """Time since which events are sent again, in Unix seconds."""

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
