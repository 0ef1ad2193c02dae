"""Parameters of `/v1/rollbook/deliveries`."""

from typing import Annotated

from service.http.params import Parameters
from service.http.params.fields import NotEmpty, Text
from service.http.params.listing import Listing
from webhooks.queue.deliveries import Wanted

Id = Annotated[Text, NotEmpty]


class ListDeliveries(Listing):
    """Parameters of `GET /v1/rollbook/deliveries`."""

    customer: Id | None = None
    """Filter by the id of the customer."""
    endpoint: Id | None = None
    """Filter by the id of the webhook endpoint."""
    event: Id | None = None
    """Filter by the id of the event."""
    state: Annotated[Wanted, NotEmpty] | None = None
    """Filter by state: `pending`, `held`, `delivered`, `failed` or `canceled`; `undelivered` is every state but
    `delivered`."""


class RetrieveDelivery(Parameters):
    """Parameters of `GET /v1/rollbook/deliveries/{delivery}`."""


class ResendDelivery(Parameters):
    """Parameters of `POST /v1/rollbook/deliveries/{delivery}/resend`."""


class CancelDelivery(Parameters):
    """Parameters of `POST /v1/rollbook/deliveries/{delivery}/cancel`."""
